/** Commands about branches: which one is looked at, which are in sight, and where another conversation begins. */
import { command } from './http.js';
import { notePosition } from './positions.js';

/** @typedef {import('./types.js').ConversationAnswer} ConversationAnswer */
/** @typedef {{selected_leaf_id: string, version: number, position: string}} SelectionAnswer */

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
