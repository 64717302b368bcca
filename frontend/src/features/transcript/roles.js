/** Pure: what the writers of messages are called that are neither the person nor a model. */

/** @type {Record<string, string>} */
const NAMES = { system: 'Instruction', tool: 'Tool result' };

/** @param {string} role */
export function nameOfRole(role) {
  return NAMES[role] ?? 'Message';
}

/** @param {string} role */
export function isBrought(role) {
  return role in NAMES;
}
