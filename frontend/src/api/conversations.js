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
 * The last messages of the selected branch, oldest first.
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<Page<TranscriptRow>>}
 */
export function fetchTranscript(id, signal) {
  return noted(get(`${BASE}${id}/transcript/`, { params: { limit: 50, ...fresh() }, signal }));
}

/**
 * @param {{title?: string, model?: string}} fields
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
 * @returns {Promise<MessageAnswer>}
 */
export function sendMessage(id, content, key) {
  return noted(command('POST', `${BASE}${id}/messages/`, { content }, key));
}

/**
 * @param {string} id
 * @param {string} messageId
 * @param {string} [key]
 * @returns {Promise<MessageAnswer>}
 */
export function regenerate(id, messageId, key) {
  return noted(command('POST', `${BASE}${id}/messages/${messageId}/regenerate/`, {}, key));
}

/**
 * @param {string} id
 * @param {{title?: string, pinned?: boolean, archived?: boolean, model?: string}} fields
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
