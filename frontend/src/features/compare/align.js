/**
 * Pure: two branches laid side by side, turn by turn.
 *
 *   left:   m1  r1 │ m2  r2 │ m4  r4        in common: m1, r1
 *   right:  m1  r1 │ m3  r3 │               pairs: (m2 r2, m3 r3), (m4 r4, nothing)
 *
 * A turn is a message of the person with all that answers it: a reply and its continuations, whose texts are one.
 * Branches of a replay have no message in common; their turns stand beside those they repeat all the same.
 */

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../../api/types.js').Outcome} Outcome */

/**
 * @typedef {object} Turn
 * @property {string} id of its first message
 * @property {string|null} question null where the branches part between a message and its reply
 * @property {string|null} answer null where there is none
 * @property {string|null} model
 * @property {Outcome|null} outcome
 * @property {number|null} tokens null where the runner did not say
 * @property {number|null} duration_ms
 *
 * @typedef {object} Pair
 * @property {number} number which turn of the branch, from 1
 * @property {Turn|null} left
 * @property {Turn|null} right
 *
 * @typedef {object} Totals
 * @property {number} replies
 * @property {number|null} tokens null where no reply says
 * @property {number|null} duration_ms
 *
 * @typedef {object} Alignment
 * @property {TranscriptRow[]} common
 * @property {Pair[]} pairs
 * @property {Totals} left of what is not in common
 * @property {Totals} right
 */

/**
 * @param {number|null} a
 * @param {number|null|undefined} b
 */
const add = (a, b) => (typeof b === 'number' ? (a ?? 0) + b : a);

/**
 * @param {TranscriptRow[]} rows
 * @returns {Turn[]}
 */
export function turnsOf(rows) {
  /** @type {Turn[]} */
  const turns = [];
  for (const row of rows) {
    let turn = turns.at(-1);
    if (!turn || row.role === 'user') {
      turn = { id: row.id, question: null, answer: null, model: null, outcome: null, tokens: null, duration_ms: null };
      turns.push(turn);
    }
    if (row.role === 'user') {
      turn.question = row.content;
      continue;
    }
    turn.answer = (turn.answer ?? '') + row.content;
    turn.model = row.model;
    turn.outcome = row.outcome;
    turn.tokens = add(turn.tokens, row.usage?.completion_tokens);
    turn.duration_ms = add(turn.duration_ms, row.duration_ms);
  }
  return turns;
}

/**
 * @param {Turn[]} turns
 * @returns {Totals}
 */
function totalsOf(turns) {
  return turns.reduce(
    (sum, turn) => ({
      replies: sum.replies + (turn.answer === null ? 0 : 1),
      tokens: add(sum.tokens, turn.tokens),
      duration_ms: add(sum.duration_ms, turn.duration_ms),
    }),
    /** @type {Totals} */ ({ replies: 0, tokens: null, duration_ms: null }),
  );
}

/**
 * @param {TranscriptRow[]} left a whole branch, oldest first
 * @param {TranscriptRow[]} right
 * @returns {Alignment}
 */
export function align(left, right) {
  let shared = 0;
  while (shared < left.length && left[shared]?.id === right[shared]?.id) shared += 1;
  const common = left.slice(0, shared);
  const leftTurns = turnsOf(left.slice(shared));
  const rightTurns = turnsOf(right.slice(shared));
  const asked = common.filter((row) => row.role === 'user').length;
  // Where the branches part below a message that both have, its turn is still the one being answered.
  const answering = [leftTurns[0], rightTurns[0]].some((turn) => turn !== undefined && turn.question === null);
  const first = Math.max(1, asked + (answering ? 0 : 1));
  const length = Math.max(leftTurns.length, rightTurns.length);
  const pairs = Array.from({ length }, (_, index) => ({
    number: first + index,
    left: leftTurns[index] ?? null,
    right: rightTurns[index] ?? null,
  }));
  return { common, pairs, left: totalsOf(leftTurns), right: totalsOf(rightTurns) };
}
