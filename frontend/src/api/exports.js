/**
 * Where a conversation can be had as a file. The browser fetches and saves it by itself: the answer names the file
 * and says that it is one, so nothing of it passes through the page.
 */

/** @typedef {'markdown'|'json'} ExportFormat */

/**
 * @param {string} conversationId
 * @param {ExportFormat} format markdown: for people; json: for programs, with every branch
 */
export function exportAddress(conversationId, format) {
  return `/api/conversations/${conversationId}/export/${format}/`;
}
