/** API tokens: with one, a program acts for the person who made it. The server keeps only digests of them. */
import { command, get } from './http.js';

/** @typedef {import('./types.js').Schemas['TokenOutput']} ApiToken id: how the token itself begins */
/** @typedef {import('./types.js').Schemas['NewTokenOutput']} NewToken with the token itself, which no later answer holds */

const BASE = '/api/tokens/';

/**
 * The newest first; a person may have a hundred, so they come in one answer.
 * @param {AbortSignal} [signal]
 * @returns {Promise<ApiToken[]>}
 */
export async function fetchTokens(signal) {
  /** @type {{results: ApiToken[]}} */
  const answer = await get(BASE, { signal });
  return answer.results;
}

/**
 * @param {string} name
 * @returns {Promise<NewToken>}
 */
export function makeToken(name) {
  return command('POST', BASE, { name });
}

/**
 * @param {string} id
 * @returns {Promise<void>}
 */
export function revokeToken(id) {
  return command('DELETE', `${BASE}${encodeURIComponent(id)}/`, undefined);
}
