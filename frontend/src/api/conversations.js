/** Commands and queries about conversations and their messages. */
import { command, get, samePath } from './http.js';
import { comparePositions, knownPosition, notePosition } from './positions.js';

/** @typedef {import('./types.js').Conversation} Conversation */
/** @typedef {import('./types.js').ConversationAnswer} ConversationAnswer */
/** @typedef {import('./types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('./types.js').MessageAnswer} MessageAnswer */
/**
 * @template T
 * @typedef {import('./types.js').Page<T>} Page
 */

const BASE = '/api/conversations/';

/** Every query asks to be at least as new as what this tab has shown. */
const fresh = () => (knownPosition() === null ? {} : { after: knownPosition() });

/**
 * @template {{position?: string}} T
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
async function noted(answer) {
  const body = await answer;
  notePosition(body?.position);
  return body;
}

/**
 * The first page of a view, with every pinned conversation on it.
 * @param {'active'|'archived'} view
 * @param {AbortSignal} [signal]
 * @returns {Promise<Page<Conversation>>}
 */
export async function fetchConversations(view, signal) {
  const filter = { archived: view === 'archived', deleted: false, ...fresh() };
  const [pinned, all] = await Promise.all([
    /** @type {Promise<Page<Conversation>>} */ (get(BASE, { params: { ...filter, pinned: true }, signal })),
    /** @type {Promise<Page<Conversation>>} */ (get(BASE, { params: filter, signal })),
  ]);
  const position = comparePositions(pinned.position, all.position) < 0 ? pinned.position : all.position;
  notePosition(position);
  return { ...all, position, results: [...pinned.results, ...all.results] };
}

/**
 * @template T
 * @param {string} url a page's `next`
 * @param {AbortSignal} [signal]
 * @returns {Promise<Page<T>>}
 */
export function fetchPage(url, signal) {
  return get(samePath(url), { signal });
}

/**
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<Conversation>}
 */
export function fetchConversation(id, signal) {
  return noted(get(`${BASE}${id}/`, { params: fresh(), signal }));
}

/**
 * The last messages of a branch, oldest first: of the selected one, of the one that ends at `leaf`, or of one
 * `through` a message, which is the selected one if that holds it.
 * @param {string} id
 * @param {{leaf?: string, through?: string, limit?: number}} [which]
 * @param {AbortSignal} [signal]
 * @returns {Promise<import('./types.js').TranscriptPage>}
 */
export function fetchTranscript(id, which = {}, signal = undefined) {
  return noted(get(`${BASE}${id}/transcript/`, { params: { limit: 50, ...which, ...fresh() }, signal }));
}

/**
 * @param {{title?: string, system_prompt?: string, model?: string, params?: import('./types.js').Params}} fields
 * @param {string} key
 * @returns {Promise<ConversationAnswer>}
 */
export function startConversation(fields, key) {
  return noted(command('POST', BASE, fields, key));
}

/**
 * @param {string} id
 * @param {string} content
 * @param {string} key
 * @param {string|null} [parentId] the message it answers; null: the last one of the selected branch
 * @returns {Promise<MessageAnswer>}
 */
export function sendMessage(id, content, key, parentId = null) {
  const body = parentId === null ? { content } : { content, parent_id: parentId };
  return noted(command('POST', `${BASE}${id}/messages/`, body, key));
}

/**
 * @typedef {object} ConversationFields
 * @property {string} [title]
 * @property {boolean} [pinned]
 * @property {boolean} [archived]
 * @property {string} [system_prompt]
 * @property {string} [model]
 * @property {import('./types.js').Params} [params] all of them: what is not named is not set any more
 */

/**
 * @param {string} id
 * @param {ConversationFields} fields
 * @returns {Promise<ConversationAnswer>}
 */
export function changeConversation(id, fields) {
  return noted(command('PATCH', `${BASE}${id}/`, fields));
}

/**
 * @param {string} id
 * @returns {Promise<{position: string}>}
 */
export function deleteConversation(id) {
  return noted(command('DELETE', `${BASE}${id}/`, undefined));
}

/**
 * @param {string} id
 * @returns {Promise<{position: string}>}
 */
export function restoreConversation(id) {
  return noted(command('POST', `${BASE}${id}/restore/`, {}));
}
