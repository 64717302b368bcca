/**
 * Pure: which words of two texts differ. Each side is given back as its own text in parts, so that what is shown is
 * exactly what was written, spaces and all. In a script without spaces, words are what the browser takes for words.
 *
 * Comparing texts that have little in common takes time that grows with the square of their length: past a limit,
 * and where single words in common are mere chance, the texts as a whole are called different.
 */
import { diffArrays } from 'diff';

/**
 * @typedef {{text: string, changed: boolean}} Part
 *
 * @typedef {object} WordDiff
 * @property {boolean} same
 * @property {'long'|'unlike'|null} whole why words are not marked one by one
 * @property {Part[]} left
 * @property {Part[]} right
 */

const LONGEST_CHARACTERS = 120_000;
const PATIENCE_MS = 120;
/** With fewer words in common than this share, marks would be confetti. */
const LIKE_ENOUGH = 0.15;
/** Short texts are easy to read however they are marked. */
const SHORT_TOKENS = 40;

const segmenter = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter(undefined, { granularity: 'word' }) : null;

/**
 * Words and punctuation, each with the spaces that follow it.
 * @param {string} text
 * @returns {string[]}
 */
export function tokensOf(text) {
  const pieces = segmenter
    ? Array.from(segmenter.segment(text), ({ segment }) => segment)
    : (text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? []);
  /** @type {string[]} */
  const tokens = [];
  for (const piece of pieces) {
    if (tokens.length > 0 && /^\s+$/.test(piece)) tokens.push(tokens.pop() + piece);
    else tokens.push(piece);
  }
  return tokens;
}

/**
 * @param {string} a
 * @param {string} b
 */
const sameWord = (a, b) => a === b || a.trimEnd() === b.trimEnd();

/**
 * @param {string} left
 * @param {string} right
 * @param {'long'|'unlike'|null} why
 * @returns {WordDiff}
 */
function whole(left, right, why) {
  const part = (/** @type {string} */ text) => (text ? [{ text, changed: true }] : []);
  return { same: false, whole: why, left: part(left), right: part(right) };
}

/**
 * @param {string} left
 * @param {string} right
 * @param {{patienceMs?: number}} [options]
 * @returns {WordDiff}
 */
export function diffWords(left, right, { patienceMs = PATIENCE_MS } = {}) {
  if (left === right) {
    const parts = left ? [{ text: left, changed: false }] : [];
    return { same: true, whole: null, left: parts, right: parts };
  }
  if (!left || !right) return whole(left, right, null);
  if (left.length + right.length > LONGEST_CHARACTERS) return whole(left, right, 'long');
  const leftTokens = tokensOf(left);
  const rightTokens = tokensOf(right);
  const changes = diffArrays(leftTokens, rightTokens, { comparator: sameWord, timeout: patienceMs });
  if (changes === undefined) return whole(left, right, 'long');

  const kept = changes.reduce((sum, change) => sum + (change.added || change.removed ? 0 : change.count), 0);
  const longer = Math.max(leftTokens.length, rightTokens.length);
  if (longer > SHORT_TOKENS && kept / longer < LIKE_ENOUGH) return whole(left, right, 'unlike');

  /** @type {WordDiff} */
  const diff = { same: false, whole: null, left: [], right: [] };
  let atLeft = 0;
  let atRight = 0;
  for (const { added, removed, count } of changes) {
    const changed = added || removed;
    if (!added) {
      diff.left.push({ text: leftTokens.slice(atLeft, atLeft + count).join(''), changed });
      atLeft += count;
    }
    if (!removed) {
      diff.right.push({ text: rightTokens.slice(atRight, atRight + count).join(''), changed });
      atRight += count;
    }
  }
  return diff;
}
