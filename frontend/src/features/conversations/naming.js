/**
 * Pure: whether a conversation has a name yet. It gets one with its first message, from the server; until then there
 * is nothing to call it by, and nobody should see a name that is gone a moment later.
 */

/** @typedef {import('../../api/types.js').Conversation} Conversation */

export const UNTITLED = 'New conversation';

/** @param {Pick<Conversation, 'title'|'message_count'>|undefined} conversation */
export function isUnnamed(conversation) {
  return !conversation || (conversation.message_count === 0 && (conversation.title === '' || conversation.title === UNTITLED));
}
