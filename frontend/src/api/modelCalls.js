/** Models, and the calls made to them. */
import { command, get } from './http.js';
import { notePosition } from './positions.js';

/** @typedef {import('./types.js').ModelList} ModelList */
/** @typedef {import('./types.js').PromptRecord} PromptRecord */

/**
 * @param {AbortSignal} [signal]
 * @returns {Promise<ModelList>}
 */
export async function fetchModels(signal) {
  const body = await get('/api/models/', { signal });
  return { results: body.results ?? [], runners: body.runners ?? [] };
}

/**
 * Asking again, or too late, is fine: the answer is the same.
 * @param {string} callId
 * @returns {Promise<void>}
 */
export async function cancelCall(callId) {
  const answer = await command('POST', `/api/model-calls/${callId}/cancel/`, {});
  notePosition(answer?.position);
}

/**
 * @param {string} callId
 * @param {AbortSignal} [signal]
 * @returns {Promise<PromptRecord>}
 */
export function fetchPrompt(callId, signal) {
  return get(`/api/model-calls/${callId}/prompt/`, { signal });
}
