/** Which key press sends what is being written. One rule for every place where messages are written. */

const KEY_CODE_WHILE_COMPOSING = 229;

/**
 * Enter sends, Shift+Enter makes a line. On a screen keyboard Enter makes a line, as people expect there; a
 * hardware modifier still sends.
 * @param {import('react').KeyboardEvent} event
 * @param {{composing: boolean, onTouch: boolean}} now
 */
export function isSendKey(event, { composing, onTouch }) {
  if (event.key !== 'Enter' || event.shiftKey || event.altKey) return false;
  if (composing || event.nativeEvent.isComposing || event.keyCode === KEY_CODE_WHILE_COMPOSING) return false;
  return !onTouch || event.ctrlKey || event.metaKey;
}
