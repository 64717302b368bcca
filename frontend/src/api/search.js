/** Finding conversations by their titles and messages by their words. */
import { get, samePath } from './http.js';
import { knownPosition, notePosition } from './positions.js';

/** @typedef {import('./types.js').Outcome} Outcome */
/**
 * @template T
 * @typedef {import('./types.js').Page<T>} Page
 */

/**
 * @typedef {object} FoundMessage
 * @property {string} id
 * @property {'user'|'assistant'} role
 * @property {string} at
 * @property {string|null} model
 * @property {Outcome|null} outcome null for a user's message
 *
 * @typedef {object} SearchHit
 * @property {'message'|'title'} kind
 * @property {string} conversation_id
 * @property {{id: string, title: string}} conversation
 * @property {string|null} message_id null for a title
 * @property {FoundMessage|null} message
 * @property {string} excerpt escaped HTML whose only elements are `<mark>`
 * @property {number} rank
 * @property {string} at
 */

/** How many hits are asked for at once: a screenful, since most searches end with the first few. */
const HITS_PER_PAGE = 20;

/**
 * @param {string} query as typed: words, "phrases", -words and filters
 * @param {{conversationId?: string|null, next?: string|null, signal?: AbortSignal}} [options] conversationId: only
 *   there; next: a page's own, for the hits after it
 * @returns {Promise<Page<SearchHit>>}
 */
export async function searchFor(query, { conversationId = null, next = null, signal } = {}) {
  if (next !== null) return get(samePath(next), { signal });
  const params = {
    q: query,
    limit: HITS_PER_PAGE,
    ...(conversationId === null ? {} : { conversation: conversationId }),
    ...(knownPosition() === null ? {} : { after: knownPosition() }),
  };
  /** @type {Page<SearchHit>} */
  const page = await get('/api/search/', { params, signal });
  notePosition(page.position);
  return page;
}
