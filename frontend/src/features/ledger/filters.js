/**
 * Pure: which calls are wanted, as the page's address says it, as the server is asked, and as a person reads it.
 * The address and the server use the same names, so that a link says the same to everybody, in every time zone.
 */
import { seconds } from '../transcript/seal.js';
import { OUTCOMES, PURPOSES, SOURCES } from './words.js';

/**
 * @typedef {'choice'|'text'|'id'|'time'|'ms'|'count'} FilterKind ms: asked for in seconds
 *
 * @typedef {object} Filter
 * @property {string} name
 * @property {string} label
 * @property {FilterKind} kind
 * @property {Record<string, string>} [choices] value and word
 *
 * @typedef {Record<string, string>} Filters the chosen ones, by name
 */

/** @type {Filter[]} */
export const FILTERS = [
  { name: 'outcome', label: 'Outcome', kind: 'choice', choices: OUTCOMES },
  { name: 'purpose', label: 'Purpose', kind: 'choice', choices: PURPOSES },
  { name: 'source', label: 'Source', kind: 'choice', choices: SOURCES },
  { name: 'model', label: 'Model', kind: 'text' },
  { name: 'runner', label: 'Runner', kind: 'text' },
  { name: 'user', label: 'User', kind: 'id' },
  { name: 'conversation', label: 'Conversation', kind: 'id' },
  { name: 'created_after', label: 'After', kind: 'time' },
  { name: 'created_before', label: 'Before', kind: 'time' },
  { name: 'first_token_ms_min', label: 'First token after at least', kind: 'ms' },
  { name: 'first_token_ms_max', label: 'First token after at most', kind: 'ms' },
  { name: 'duration_ms_min', label: 'Took at least', kind: 'ms' },
  { name: 'duration_ms_max', label: 'Took at most', kind: 'ms' },
  { name: 'prompt_tokens_min', label: 'Tokens in at least', kind: 'count' },
  { name: 'prompt_tokens_max', label: 'Tokens in at most', kind: 'count' },
  { name: 'completion_tokens_min', label: 'Tokens out at least', kind: 'count' },
  { name: 'completion_tokens_max', label: 'Tokens out at most', kind: 'count' },
];

/** These are asked for beside the table; the others in the form that opens. */
export const AT_HAND = ['outcome', 'purpose', 'source'];

/**
 * What an address asks for: what is no filter of ours is left out, what a filter cannot hold is for the server to refuse.
 * @param {URLSearchParams} search
 * @returns {Filters} in the order of FILTERS
 */
export function filtersOf(search) {
  /** @type {Filters} */
  const filters = {};
  for (const { name } of FILTERS) {
    const value = search.get(name)?.trim();
    if (value) filters[name] = value;
  }
  return filters;
}

/**
 * @param {Filters} filters
 * @param {Filters} change an empty value takes a filter away
 * @returns {URLSearchParams}
 */
export function searchWith(filters, change) {
  const wanted = { ...filters, ...change };
  return new URLSearchParams(FILTERS.flatMap(({ name }) => (wanted[name] ? [[name, wanted[name]]] : [])));
}

/**
 * @param {Filter} filter
 * @param {string} value
 * @param {(name: string, id: string) => string} nameOf what an id stands for
 * @returns {string} such as "Outcome: Failed"
 */
export function filterInWords({ name, label, kind, choices }, value, nameOf) {
  if (kind === 'choice') return `${label}: ${choices?.[value] ?? value}`;
  if (kind === 'id') return `${label}: ${nameOf(name, value)}`;
  if (kind === 'time') return `${label} ${momentInWords(value)}`;
  if (kind === 'ms') return `${label} ${/^\d+$/.test(value) ? seconds(Number(value)) : value}`;
  if (kind === 'count') return `${label} ${/^\d+$/.test(value) ? Number(value).toLocaleString('en') : value}`;
  return `${label}: ${value}`;
}

/** Written by hand without a time zone, a moment is taken as UTC, as the server takes it. */
const WITHOUT_ZONE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?$/;

/** @param {string} at */
const timeOf = (at) => new Date(WITHOUT_ZONE.test(at) ? `${at}Z` : at);

/** @param {string} at RFC 3339 */
function momentInWords(at) {
  const time = timeOf(at);
  return Number.isNaN(time.getTime()) ? at : time.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

/**
 * What the server refuses, with the filter that it is about.
 * @param {Record<string, string[]>} fields
 */
export function refusalInWords(fields) {
  return Object.entries(fields)
    .map(([field, texts]) => {
      const label = FILTERS.find(({ name }) => name === field)?.label;
      return label ? `${label}: ${texts.join(' ')}` : texts.join(' ');
    })
    .join(' ');
}

/**
 * A value as its field in the form shows it.
 * @param {Filter} filter
 * @param {string} value
 */
export function asTyped({ kind }, value) {
  if (!value) return '';
  if (kind === 'ms') return /^\d+$/.test(value) ? String(Number(value) / 1000) : value;
  if (kind !== 'time') return value;
  const time = timeOf(value);
  if (Number.isNaN(time.getTime())) return '';
  // As the clock on the wall says it: that is what such a field holds.
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/**
 * What was typed into a field, as the server is asked.
 * @param {Filter} filter
 * @param {string} typed
 * @param {string} [before] what was asked until now: a field shows no seconds, and must not lose them when it is left alone
 */
export function fromTyped(filter, typed, before = '') {
  const { kind } = filter;
  const text = typed.trim();
  if (!text) return '';
  if (text === asTyped(filter, before)) return before;
  if (kind === 'ms') {
    const value = Number(text.replace(',', '.'));
    return Number.isFinite(value) && value >= 0 ? String(Math.round(value * 1000)) : '';
  }
  if (kind !== 'time') return text;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? '' : time.toISOString();
}
