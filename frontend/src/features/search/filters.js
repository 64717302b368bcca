/** Pure: what can be typed beside words, and putting it into the text. */

/**
 * @typedef {object} Filter
 * @property {string} example how it is written
 * @property {string} insert what pressing it writes
 * @property {string} meaning
 */

/**
 * @param {Date} today
 * @returns {Filter[]}
 */
export function filtersOf(today) {
  const month = `${today.getFullYear()}-${String(today.getMonth() + 1).padStart(2, '0')}-01`;
  return [
    { example: 'in:title', insert: 'in:title', meaning: 'titles only' },
    { example: 'in:messages', insert: 'in:messages', meaning: 'messages only' },
    { example: 'from:me', insert: 'from:me', meaning: 'what you wrote' },
    { example: 'from:model', insert: 'from:model', meaning: 'what models wrote' },
    { example: 'model:name', insert: 'model:', meaning: 'replies of a model' },
    { example: `after:${month}`, insert: `after:${month}`, meaning: 'from that day on' },
    { example: `before:${month}`, insert: `before:${month}`, meaning: 'before that day' },
  ];
}

/**
 * A filter stands once: another value takes the place of the one before. It comes last, where writing goes on.
 * @param {string} text
 * @param {string} filter
 */
export function withFilter(text, filter) {
  const name = filter.slice(0, filter.indexOf(':') + 1);
  const others = text.replace(new RegExp(`(^|\\s)${name}("[^"]*"?|\\S*)`, 'gi'), ' ').replace(/\s+/g, ' ').trim();
  return `${others}${others && ' '}${filter}${filter === name ? '' : ' '}`;
}
