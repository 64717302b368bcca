/** Pure: cutting long texts into parts that a browser lays out at once. */

/**
 * Never between the two halves of one character.
 * @param {string} text
 * @param {number} size in characters, as JavaScript counts them; a part may be longer by one
 * @returns {string[]} at least one; joined, they are the text
 */
export function partsOf(text, size) {
  const parts = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end += 1;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts.length > 0 ? parts : [''];
}
