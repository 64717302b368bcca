/** Pure: what is known of a model call, in words. What is not known is left out, never guessed. */
import { seconds } from '../transcript/seal.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {import('../../api/modelCalls.js').StoredEvent} StoredEvent */
/** @typedef {import('../../api/modelCalls.js').Trimming} Trimming */
/** @typedef {[label: string, value: string]} Fact */

/** @param {number} count */
const grouped = (count) => count.toLocaleString('en');

/** @param {number} count */
export function countedMessages(count) {
  return `${grouped(count)} ${count === 1 ? 'message' : 'messages'}`;
}

/**
 * @param {number} count
 * @param {Trimming|null} trimming
 */
export function omittedNote(count, trimming) {
  const what = `${grouped(count)} earlier ${count === 1 ? 'message was' : 'messages were'} not sent`;
  if (!trimming) return `${what}.`;
  const room = `they did not fit into the model’s context of ${grouped(trimming.context_tokens)} tokens`;
  return `${what}: ${room}. About ${grouped(trimming.counted_tokens)} tokens were sent (rule ${trimming.policy}, version ${trimming.policy_version}).`;
}

/**
 * @param {[label: string, value: string|null|undefined|false][]} facts
 * @returns {Fact[]}
 */
const known = (facts) => /** @type {Fact[]} */ (facts.filter(([, value]) => value));

/** @type {Record<string, string>} */
const PURPOSES = {
  reply: 'a reply in this conversation',
  replay: 'a turn of a replay',
  title: 'a title for the conversation',
  external: 'another program, through the OpenAI-compatible endpoint',
};

/** @type {Record<string, string>} */
export const SOURCES = { browser: 'the browser', api: 'the API', openai: 'the OpenAI-compatible endpoint' };

/** @param {ModelCall} call */
export function generalFacts(call) {
  const answeredBy = call.response_model && call.response_model !== call.model ? call.response_model : null;
  return known([
    ['Model', call.model],
    ['Answered as', answeredBy],
    ['Sent to', call.runner],
    ['Outcome', call.finish_reason ? `${call.outcome} (finish reason: ${call.finish_reason})` : call.outcome],
    ['Error', call.error && `${call.error.message} (${call.error.code})`],
    ['Asked for', PURPOSES[call.purpose] ?? call.purpose],
    ['Asked through', SOURCES[call.source] ?? call.source],
    ['Asked at', exactTime(call.requested_at)],
  ]);
}

/**
 * @param {ModelCall} call
 * @returns {Fact[]}
 */
export function parameterFacts(call) {
  return Object.entries(call.params ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]);
}

/** @type {Record<string, string>} */
const COUNTED_BY = { runner: 'the runner', counted: 'Verbatim' };

/** @param {ModelCall} call */
export function measureFacts(call) {
  const { prompt_tokens: prompt, completion_tokens: completion } = call.usage;
  const by = COUNTED_BY[call.usage_source];
  const writing = (call.duration_ms ?? 0) - (call.first_token_ms ?? 0);
  const rate = completion && call.first_token_ms !== null && writing > 0 ? (completion * 1000) / writing : null;
  return known([
    ['Tokens in the request', prompt !== null && grouped(prompt)],
    ['Tokens in the reply', completion !== null && grouped(completion)],
    ['Tokens counted by', by],
    ['First token after', call.first_token_ms !== null && seconds(call.first_token_ms)],
    ['Time in all', call.duration_ms !== null && seconds(call.duration_ms)],
    ['Speed', rate !== null && `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} tokens per second`],
    ['Pieces received', call.chunk_count > 0 && grouped(call.chunk_count)],
    ['Characters received', call.delivered_characters > 0 && grouped(call.delivered_characters)],
  ]);
}

/** @param {ModelCall} call */
export function originFacts(call) {
  const places = known([
    ['Call', call.id],
    ['Reply', call.reply_id],
    ['Conversation', call.conversation_id],
  ]);
  if (call.erased) return places;
  return known([
    ...places,
    ['As of version', String(call.conversation_version)],
    ['Last message sent', call.leaf_id],
    ['Built by', `${call.builder}, ${call.serializer}`],
    ['Length', `${grouped(call.body_length)} bytes`],
    ['Answer’s own id', call.response_id],
    ['Fingerprint of the runner', call.system_fingerprint],
  ]);
}

/** @param {ModelCall['attempts'][number]} attempt */
export function attemptFacts(attempt) {
  const error = /** @type {{code?: string, message?: string}|null} */ (attempt.error);
  return known([
    ['Runner', attempt.runner && [attempt.runner, attempt.runner_version].filter(Boolean).join(' ')],
    ['Worker', attempt.worker],
    ['Started', attempt.started_at && exactTime(attempt.started_at)],
    ['Ended', attempt.ended_at && exactTime(attempt.ended_at)],
    ['First token after', attempt.first_token_ms !== null && seconds(attempt.first_token_ms)],
    ['Time in all', attempt.duration_ms !== null && seconds(attempt.duration_ms)],
    ['Finish reason', attempt.finish_reason],
    ['Error', error?.message && `${error.message}${error.code ? ` (${error.code})` : ''}`],
  ]);
}

/**
 * An event's place: in its own stream and in the whole store.
 * @typedef {object} EventPlace
 * @property {string} topic
 * @property {number} version
 * @property {string} position
 * @property {string} at
 * @property {string} stream
 * @property {string|null} eventId null where the record does not give it
 */

/**
 * The events of the call and those about its reply, in the order in which they were recorded.
 * @param {ModelCall} call
 * @param {StoredEvent[]} replyEvents
 * @returns {EventPlace[]}
 */
export function eventPlaces(call, replyEvents) {
  const own = call.events.map(({ topic, version, position, at, event_id: eventId }) => ({
    topic, version, position, at, stream: 'call', eventId: eventId ?? null,
  }));
  const others = replyEvents.map(({ topic, version, position, at, payload }) => ({
    topic,
    version,
    position,
    at,
    stream: 'conversation',
    eventId: typeof payload.event_id === 'string' ? payload.event_id : null,
  }));
  return [...own, ...others].sort((a, b) => Number(a.position) - Number(b.position));
}

/**
 * To the millisecond, in the reader's own time zone: what is compared with a log needs more than minutes.
 * @param {string} at RFC 3339
 */
export function exactTime(at) {
  const time = new Date(at);
  const day = time.toLocaleDateString([], { dateStyle: 'medium' });
  const clock = time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  return `${day}, ${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
