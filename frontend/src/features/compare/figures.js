/** Pure: tokens and durations in words, and how far two of them are apart. */
import { seconds } from '../transcript/seal.js';

/** @param {number} count */
export function tokenCount(count) {
  return `${count.toLocaleString('en')} ${count === 1 ? 'token' : 'tokens'}`;
}

/**
 * @param {number|null} left
 * @param {number|null} right
 * @param {(amount: number) => string} say
 * @returns {string} right minus left; empty where one of them is not known
 */
export function difference(left, right, say) {
  if (left === null || right === null) return '';
  if (left === right) return 'no difference';
  return `${right > left ? '+' : '−'}${say(Math.abs(right - left))}`;
}

/**
 * @param {{model: string|null, tokens: number|null, duration_ms: number|null}} turn
 * @param {(model: string|null) => string} nameOf
 */
export function figuresOf(turn, nameOf) {
  const parts = [nameOf(turn.model)];
  if (turn.tokens !== null) parts.push(tokenCount(turn.tokens));
  if (turn.duration_ms !== null) parts.push(seconds(turn.duration_ms));
  return parts.join(' · ');
}
