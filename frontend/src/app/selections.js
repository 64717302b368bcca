/**
 * Which branch of a conversation is selected can be changed in any window. A window that is being read must not jump
 * because of what was chosen in another one: so this module knows what this window has chosen itself, and asks the
 * page on screen to stay where it is when a choice comes from elsewhere. It keeps no branch and fetches nothing.
 */
import { comparePositions } from '../api/positions.js';

/** @typedef {import('../api/types.js').LiveChange} LiveChange */

/** @type {Map<string, {running: number, upTo: string|null}>} */
const own = new Map();
/** @type {Map<string, () => boolean>} */
const readers = new Map();

/**
 * Note that a command of this window may select another branch, until its change has been told.
 * @template {{position: string}} T
 * @param {string} conversationId
 * @param {Promise<T>} command
 * @returns {Promise<T>}
 */
export async function selectingHere(conversationId, command) {
  const known = own.get(conversationId) ?? { running: 0, upTo: null };
  own.set(conversationId, known);
  known.running += 1;
  try {
    const answer = await command;
    if (comparePositions(answer.position, known.upTo) > 0) known.upTo = answer.position;
    return answer;
  } finally {
    known.running -= 1;
  }
}

/**
 * @param {string} conversationId on screen, its selected branch
 * @param {() => boolean} stay keep showing the branch that is shown; false: there is nothing to stay with
 * @returns {() => void}
 */
export function whenSelectedElsewhere(conversationId, stay) {
  readers.set(conversationId, stay);
  return () => {
    if (readers.get(conversationId) === stay) readers.delete(conversationId);
  };
}

/**
 * @param {LiveChange} change another branch was selected
 * @returns {boolean} whether the page on screen stays with the branch it shows
 */
export function readerStays(change) {
  const known = own.get(change.conversation_id);
  const here = known && (known.running > 0 || comparePositions(change.position, known.upTo) <= 0);
  return !here && (readers.get(change.conversation_id)?.() ?? false);
}

/** Somebody else logs in, or nobody. */
export function forgetSelections() {
  own.clear();
}
