/**
 * Commands about branches: other versions of a message, which branch is looked at, which are in sight, and where
 * another conversation begins. Nothing here changes a message that is there.
 */
import { command } from './http.js';
import { notePosition } from './positions.js';

/** @typedef {import('./types.js').ConversationAnswer} ConversationAnswer */
/** @typedef {import('./types.js').MessageAnswer} MessageAnswer */
/** @typedef {import('./types.js').Params} Params */
/** @typedef {{selected_leaf_id: string|null, version: number, position: string}} SelectionAnswer */

/**
 * @typedef {object} RegenerateWish what should differ from the settings in force; `params` replaces all of them
 * @property {string} [model]
 * @property {Params} [params]
 * @property {boolean} [tighter_cut] leave out more of the earlier messages than the last call did
 */

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
 * Another version of a user's message, with a reply of its own; the one there is stays.
 * @param {string} conversationId
 * @param {string} messageId
 * @param {string} content
 * @param {string} key the same for a repeat of the same intent
 * @returns {Promise<MessageAnswer>}
 */
export function editMessage(conversationId, messageId, content, key) {
  return noted(command('POST', `/api/conversations/${conversationId}/messages/${messageId}/edit/`, { content }, key));
}

/**
 * Another version of a reply, or a first one for a user's message.
 * @param {string} conversationId
 * @param {string} messageId
 * @param {RegenerateWish} [wish]
 * @returns {Promise<MessageAnswer>}
 */
export function regenerateReply(conversationId, messageId, wish = {}) {
  return noted(command('POST', `/api/conversations/${conversationId}/messages/${messageId}/regenerate/`, wish));
}

/**
 * Go on with a reply that ended too early. The answer names a message where the runner has to be asked to go on.
 * @param {string} conversationId
 * @param {string} messageId
 * @returns {Promise<MessageAnswer>}
 */
export function continueReply(conversationId, messageId) {
  return noted(command('POST', `/api/conversations/${conversationId}/messages/${messageId}/continue/`, {}));
}

/**
 * @param {string} conversationId
 * @param {string} messageId any message: then the newest visible branch through it
 * @returns {Promise<SelectionAnswer>}
 */
export function selectBranch(conversationId, messageId) {
  return noted(command('POST', `/api/conversations/${conversationId}/select-branch/`, { leaf_id: messageId }));
}

/**
 * @param {string} conversationId
 * @param {string} leafId
 * @returns {Promise<SelectionAnswer>}
 */
export function hideBranch(conversationId, leafId) {
  return noted(command('POST', `/api/conversations/${conversationId}/branches/${leafId}/hide/`, {}));
}

/**
 * @param {string} conversationId
 * @param {string} leafId
 * @returns {Promise<SelectionAnswer>}
 */
export function showBranch(conversationId, leafId) {
  return noted(command('POST', `/api/conversations/${conversationId}/branches/${leafId}/show/`, {}));
}

/**
 * @param {string} conversationId
 * @param {string} messageId
 * @returns {Promise<ConversationAnswer>}
 */
export function forkConversation(conversationId, messageId) {
  return noted(command('POST', `/api/conversations/${conversationId}/fork/`, { message_id: messageId }));
}
