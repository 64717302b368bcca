/**
 * Pure: where the time of a call went, from the moment it was asked for to its end.
 *
 *   asked ──waiting──┬─ attempt 1 ─ reading ──────── failed
 *                    └──────── waiting ───┬─ attempt 2 ─ reading ─┬─ writing ── complete
 *
 * Reading: until the first token. Moments come from clocks of several processes: none is let go before the one it follows.
 */

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {ModelCall['attempts'][number]} Attempt */

/**
 * @typedef {'waiting'|'reading'|'writing'} Phase
 *
 * @typedef {object} Span a part of a line
 * @property {Phase} phase
 * @property {number} start milliseconds since the call was asked for
 * @property {number} length milliseconds
 *
 * @typedef {object} Line what happened from the end of one attempt (or the beginning) to the end of the next
 * @property {number|null} attempt null: no attempt, only waiting
 * @property {string} outcome
 * @property {boolean} delivered a first token came
 * @property {Span[]} spans in order, each beginning where the last one ends
 *
 * @typedef {{total: number, lines: Line[]}} Timeline total: milliseconds, at least 1
 */

/**
 * @param {ModelCall} call
 * @param {number} now milliseconds: a call that goes on is drawn up to here
 * @returns {Timeline}
 */
export function timelineOf(call, now) {
  const asked = Date.parse(call.requested_at);
  /** @param {string|null} at @param {number} atLeast */
  const since = (at, atLeast) => Math.max(atLeast, (at === null ? now : Date.parse(at)) - asked);
  /** @type {Line[]} */
  const lines = [];
  let reached = 0;
  for (const attempt of call.attempts.filter(({ attempt: number }) => number > 0)) {
    const started = since(attempt.started_at, reached);
    const ended = since(attempt.ended_at, started);
    lines.push({
      attempt: attempt.attempt,
      outcome: attempt.outcome,
      delivered: attempt.first_token_ms !== null,
      spans: [span('waiting', reached, started), ...working(attempt, started, ended)].filter(({ length }) => length > 0),
    });
    reached = ended;
  }
  const end = since(call.ended_at, reached);
  const waitsOn = call.outcome === 'pending' && call.attempts.at(-1)?.outcome !== 'pending';
  if (lines.length === 0 || waitsOn) {
    const spans = [span('waiting', reached, end)].filter(({ length }) => length > 0);
    lines.push({ attempt: null, outcome: call.outcome, delivered: false, spans });
  }
  return { total: Math.max(1, end), lines };
}

/**
 * @param {Attempt} attempt
 * @param {number} started
 * @param {number} ended
 */
function working(attempt, started, ended) {
  if (attempt.first_token_ms === null) return [span('reading', started, ended)];
  const first = Math.min(ended, started + attempt.first_token_ms);
  return [span('reading', started, first), span('writing', first, ended)];
}

/**
 * @param {Phase} phase
 * @param {number} start
 * @param {number} end
 * @returns {Span}
 */
const span = (phase, start, end) => ({ phase, start, length: end - start });
