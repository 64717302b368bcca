/** Presets: named settings of one's own. Conversations copy what they use of one, so a change reaches none of them. */
import { command, get } from './http.js';
import { knownPosition, notePosition } from './positions.js';

/** @typedef {import('./types.js').Params} Params */

/**
 * @typedef {object} PresetFields
 * @property {string} name
 * @property {string} system_prompt
 * @property {string} model empty: none of its own
 * @property {Params} params
 *
 * @typedef {PresetFields & {id: string, created_at: string, updated_at: string}} Preset
 */

const BASE = '/api/presets/';

/**
 * @template {{position?: string}} T
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
async function noted(answer) {
  const body = await answer;
  notePosition(body?.position);
  return body;
}

/**
 * In the order of their names.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Preset[]>}
 */
export async function fetchPresets(signal) {
  const params = knownPosition() === null ? {} : { after: knownPosition() };
  /** @type {{results: Preset[], position: string}} */
  const answer = await noted(get(BASE, { params, signal }));
  return answer.results;
}

/**
 * @param {PresetFields} fields
 * @returns {Promise<Preset & {position: string}>}
 */
export function makePreset(fields) {
  return noted(command('POST', BASE, fields));
}

/**
 * @param {string} id
 * @param {Partial<PresetFields>} fields what is absent stays
 * @returns {Promise<Preset & {position: string}>}
 */
export function changePreset(id, fields) {
  return noted(command('PATCH', `${BASE}${id}/`, fields));
}

/**
 * @param {string} id
 * @returns {Promise<void>}
 */
export function deletePreset(id) {
  return command('DELETE', `${BASE}${id}/`, undefined);
}
