/** Models, and the calls made to them. */
import { command, get, samePath } from './http.js';
import { knownPosition, notePosition } from './positions.js';

/** @typedef {import('./types.js').ModelList} ModelList */
/** @typedef {import('./types.js').Schemas} Schemas */
/** @typedef {Record<string, string|number|string[]>} Params numbers come as decimal texts */

/**
 * Which earlier messages were not sent, and by which rule.
 * @typedef {object} Trimming
 * @property {string} policy
 * @property {number} policy_version
 * @property {string} first_kept_message_id
 * @property {number} omitted_count
 * @property {number} counted_tokens
 * @property {number} context_tokens
 *
 * @typedef {{role: string, content: unknown, [other: string]: unknown}} PromptMessage content: a text, or parts; others:
 *   such as the tools a model asked for, where another program made the call
 *
 * The request as rebuilt from the events just now, beside what was recorded before it was sent.
 * @typedef {object} PromptRecord
 * @property {PromptMessage[]} messages
 * @property {string} body
 * @property {string} body_sha256
 * @property {string} recorded_sha256
 * @property {boolean} identical
 * @property {number|null} omitted_count
 * @property {string|null} previous_call_id of the nearest earlier reply on that branch
 * @property {string} position
 *
 * @typedef {{code: string, message: string, http_status?: number|null}} CallError
 * @typedef {Omit<Schemas['ModelCallOutput'], 'params'|'error'|'trimming'> & {
 *   params: Params,
 *   error: CallError|null,
 *   trimming: Trimming|null,
 *   user?: import('./audit.js').Somebody|null,
 * }} ModelCall user: whose call it is; only auditors and administrators are told
 *
 * @typedef {object} StoredEvent
 * @property {number} version its place in its stream
 * @property {string} position its place in the whole store
 * @property {string} topic
 * @property {string} at
 * @property {Record<string, unknown>} payload
 */

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

/**
 * @param {string} callId
 * @param {AbortSignal} [signal]
 * @returns {Promise<ModelCall>}
 */
export async function fetchCall(callId, signal) {
  const params = knownPosition() === null ? {} : { after: knownPosition() };
  /** @type {ModelCall} */
  const call = await get(`/api/model-calls/${callId}/`, { params, signal });
  notePosition(call.position);
  return call;
}

/** The reply is asked for right after the prompt's version, and recorded soon after that: few pages hold both. */
const MOST_PAGES = 20;

/**
 * What the conversation's own stream says of a call's reply: that it was asked for, and what came of it.
 * @param {ModelCall} call
 * @param {AbortSignal} [signal]
 * @returns {Promise<StoredEvent[]>} empty where the call belongs to no conversation
 */
export async function fetchReplyEvents(call, signal) {
  if (call.conversation_id === null || call.reply_id === null) return [];
  const params = { after_version: Math.max(0, call.conversation_version - 1), limit: 50 };
  /** @type {{results: StoredEvent[], next: string|null}} */
  let page = await get(`/api/conversations/${call.conversation_id}/events/`, { params, signal });
  const found = page.results.filter((event) => event.payload.reply_id === call.reply_id);
  const ended = () => call.outcome === 'pending' || found.some((event) => event.topic.startsWith('ReplyRecorded'));
  for (let pages = 1; page.next !== null && !ended() && pages < MOST_PAGES; pages += 1) {
    page = await get(samePath(page.next), { signal });
    found.push(...page.results.filter((event) => event.payload.reply_id === call.reply_id));
  }
  return found;
}
