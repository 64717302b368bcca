/** A conversation as it was: read from the events themselves, so the latest version needs no waiting. */
import { get, samePath } from './http.js';

/** @typedef {import('./types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('./types.js').ConversationSettings} ConversationSettings */

/**
 * @typedef {object} PastLeaf the end of a branch of then
 * @property {string} leaf_id
 * @property {boolean} hidden
 * @property {string} excerpt
 * @property {string} at
 *
 * @typedef {object} PastConversation
 * @property {number} version
 * @property {number} latest_version
 * @property {string} at when this version came to be
 * @property {string} event the topic of the event that made it
 * @property {string} title
 * @property {ConversationSettings} settings
 * @property {string|null} selected_leaf_id
 * @property {PastLeaf[]} leaves
 * @property {boolean} deleted
 *
 * @typedef {object} PastPage
 * @property {TranscriptRow[]} results oldest first; the last page comes first
 * @property {string|null} next where the messages before these are
 * @property {PastConversation} conversation
 */

/**
 * @param {string} conversationId
 * @param {number} version
 * @param {string|null} leafId null: the branch that was selected then
 * @param {AbortSignal} [signal]
 * @returns {Promise<PastPage>}
 */
export function fetchAt(conversationId, version, leafId, signal) {
  const params = leafId === null ? {} : { leaf: leafId };
  return get(`/api/conversations/${conversationId}/at/${version}/`, { params, signal });
}

/**
 * @param {string} url a page's `next`
 * @param {AbortSignal} [signal]
 * @returns {Promise<PastPage>}
 */
export function fetchEarlier(url, signal) {
  return get(samePath(url), { signal });
}
