/** The tree of a conversation's messages, and whole branches of it. */
import { get, samePath } from './http.js';
import { knownPosition, notePosition } from './positions.js';

/** @typedef {import('./types.js').Outcome} Outcome */
/** @typedef {import('./types.js').TranscriptRow} TranscriptRow */
/**
 * @template T
 * @typedef {import('./types.js').Page<T>} Page
 */

/**
 * One message without its text.
 * @typedef {object} TreeNode
 * @property {string} id
 * @property {string|null} parent_id
 * @property {'user'|'assistant'|'system'|'tool'} role
 * @property {string} at
 * @property {Outcome|null} outcome null for a user's message
 * @property {string} excerpt the first characters, on one line
 * @property {string|null} model
 * @property {string|null} call_id
 * @property {string|null} continues the reply whose text goes on here
 * @property {boolean} hidden
 * @property {boolean} inherited written in the conversation that this one was forked from
 * @property {string} conversation_id where it was written
 * @property {{replay_id: string, turn: number}|null} replay
 * @property {number} version
 *
 * @typedef {object} Tree
 * @property {TreeNode[]} results parents before children
 * @property {string|null} selected_leaf_id
 * @property {string} position
 */

/** The largest page the server gives: a whole branch should take few requests. */
const ROWS_PER_PAGE = 200;

const fresh = () => (knownPosition() === null ? {} : { after: knownPosition() });

/**
 * @param {string} conversationId
 * @param {AbortSignal} [signal]
 * @returns {Promise<Tree>}
 */
export async function fetchTree(conversationId, signal) {
  /** @type {Tree} */
  const tree = await get(`/api/conversations/${conversationId}/tree/`, { params: fresh(), signal });
  notePosition(tree.position);
  return tree;
}

/**
 * Every message of a branch, oldest first: pages are asked for until the first message is there.
 * @param {string} conversationId
 * @param {string} leafId
 * @param {AbortSignal} [signal]
 * @returns {Promise<TranscriptRow[]>}
 */
export async function fetchBranch(conversationId, leafId, signal) {
  const params = { leaf: leafId, limit: ROWS_PER_PAGE, ...fresh() };
  /** @type {Page<TranscriptRow>} */
  let page = await get(`/api/conversations/${conversationId}/transcript/`, { params, signal });
  notePosition(page.position);
  const pages = [page.results];
  while (page.next !== null && page.results.length > 0) {
    page = await get(samePath(page.next), { signal });
    pages.unshift(page.results);
  }
  return pages.flat();
}
