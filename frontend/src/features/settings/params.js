/** Pure: the parameters of a model call as a form shows them, each one as text, and back. */

/** @typedef {import('../../api/types.js').Params} Params */
/** @typedef {import('../../api/problems.js').Problem} Problem */
/** @typedef {Record<string, string>} ParamTexts by name; empty: not set */

/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {string} label
 * @property {string} hint
 * @property {'decimal'|'numeric'|'text'} inputMode `text` where a minus sign may be needed: screen keyboards for numbers often have none
 */

/** @type {Parameter[]} */
export const PARAMETERS = [
  { name: 'temperature', label: 'Temperature', hint: '0 to 2. Lower is more predictable.', inputMode: 'decimal' },
  { name: 'top_p', label: 'Top P', hint: '0 to 1. Only the likeliest words that make up this share.', inputMode: 'decimal' },
  { name: 'min_p', label: 'Min P', hint: '0 to 1. Drops words far less likely than the best one.', inputMode: 'decimal' },
  { name: 'top_k', label: 'Top K', hint: 'A whole number. Only that many of the likeliest words.', inputMode: 'numeric' },
  { name: 'presence_penalty', label: 'Presence penalty', hint: '-2 to 2. Higher brings in new topics.', inputMode: 'text' },
  { name: 'frequency_penalty', label: 'Frequency penalty', hint: '-2 to 2. Higher repeats words less.', inputMode: 'text' },
  { name: 'max_tokens', label: 'Longest reply', hint: 'In tokens, at least 1.', inputMode: 'numeric' },
  { name: 'seed', label: 'Seed', hint: 'A whole number, for repeatable randomness.', inputMode: 'text' },
];

const STOP = 'stop';
export const STOP_HINT = String.raw`The reply ends before any of these. Up to 4, one on each line; \n stands for a line break.`;
const NAMES = [...PARAMETERS.map(({ name }) => name), STOP];

/**
 * A stop text may hold line breaks itself, and a line of the form is one text: so they are written as \n.
 * @param {string} text
 */
const asLine = (text) => text.replaceAll('\\', '\\\\').replaceAll('\n', String.raw`\n`);

/** @param {string} line */
const fromLine = (line) => line.replace(/\\([\\n])/g, (_, mark) => (mark === 'n' ? '\n' : '\\'));

/**
 * @param {Params|undefined} params
 * @returns {ParamTexts}
 */
export function textsOf(params = {}) {
  const texts = Object.fromEntries(PARAMETERS.map(({ name }) => [name, String(params[name] ?? '')]));
  const stop = params[STOP] ?? [];
  return { ...texts, [STOP]: (Array.isArray(stop) ? stop : [String(stop)]).map(asLine).join('\n') };
}

/**
 * @param {ParamTexts} texts
 * @param {Params} [others] what a parameter has that the form does not show stays
 * @returns {Params}
 */
export function paramsOf(texts, others = {}) {
  const params = { ...others };
  for (const { name } of PARAMETERS) {
    const text = texts[name]?.trim() ?? '';
    if (text) params[name] = text;
    else delete params[name];
  }
  // Spaces count in a stop text, so nothing is trimmed.
  const stop = (texts[STOP] ?? '').split('\n').filter(Boolean).map(fromLine);
  if (stop.length > 0) params[STOP] = stop;
  else delete params[STOP];
  return params;
}

/**
 * @param {ParamTexts} one
 * @param {ParamTexts} other
 */
export function sameParams(one, other) {
  const [left, right] = [paramsOf(one), paramsOf(other)];
  return NAMES.every((name) => JSON.stringify(left[name]) === JSON.stringify(right[name]));
}

/** @param {ParamTexts} texts */
export const countSet = (texts) => Object.keys(paramsOf(texts)).length;

/**
 * What the server refused, by the parameter's name.
 * @param {Problem|null} problem
 * @returns {Record<string, string[]>}
 */
export function paramErrors(problem) {
  /** @type {Record<string, string[]>} */
  const errors = {};
  for (const [field, texts] of Object.entries(problem?.fields ?? {})) {
    const name = field.replace(/^params\./, '');
    if (NAMES.includes(name)) errors[name] = texts;
  }
  return errors;
}

const BESIDE_FIELDS = ['name', 'model', 'system_prompt'];

/**
 * What has to be said above the form, because no field of it shows it.
 * @param {Problem|null} problem
 * @returns {string|null}
 */
export function unplacedMessage(problem) {
  if (!problem) return null;
  const placed = Object.keys(paramErrors(problem)).length + BESIDE_FIELDS.filter((name) => problem.fields[name]).length;
  return placed > 0 ? null : problem.message;
}
