import { describe, expect, test } from 'vitest';

import { reply, row } from '../../test-data.js';
import { align, turnsOf } from './align.js';

const used = (/** @type {number} */ tokens) => ({ prompt_tokens: 9, completion_tokens: tokens });
const m1 = row({ id: 'm1' });
const r1 = reply({ id: 'r1', parent_id: 'm1' });

/** @param {import('./align.js').Alignment} alignment */
const drawn = ({ pairs }) =>
  pairs.map(({ number, left, right }) => [number, left?.id ?? null, right?.id ?? null]);

describe('two branches', () => {
  test('have their beginning in common, and stand side by side after it', () => {
    const left = [m1, r1, row({ id: 'm2' }), reply({ id: 'r2' }), row({ id: 'm4' }), reply({ id: 'r4' })];
    const right = [m1, r1, row({ id: 'm3' }), reply({ id: 'r3' })];
    const alignment = align(left, right);
    expect(alignment.common.map(({ id }) => id)).toEqual(['m1', 'r1']);
    expect(drawn(alignment)).toEqual([[2, 'm2', 'm3'], [3, 'm4', null]]);
  });

  test('that part at a reply part within its turn', () => {
    const alignment = align([m1, r1], [m1, reply({ id: 'r9' }), row({ id: 'm2' })]);
    expect(drawn(alignment)).toEqual([[1, 'r1', 'r9'], [2, null, 'm2']]);
    expect(alignment.pairs[0]?.left?.question).toBeNull();
  });

  test('of a replay have nothing in common and stand turn by turn all the same', () => {
    const alignment = align([m1, r1], [row({ id: 'n1' }), reply({ id: 's1' })]);
    expect(alignment.common).toEqual([]);
    expect(drawn(alignment)).toEqual([[1, 'm1', 'n1']]);
  });

  test('that are the same have no pairs', () => {
    expect(align([m1, r1], [m1, r1])).toMatchObject({ pairs: [], left: { replies: 0, tokens: null } });
  });

  test('add up only what is not in common', () => {
    const shared = reply({ id: 'r1', usage: used(100), duration_ms: 5000 });
    const left = [m1, shared, row({ id: 'm2' }), reply({ id: 'r2', usage: used(20), duration_ms: 1500 })];
    const right = [m1, shared, row({ id: 'm3' }), reply({ id: 'r3', usage: null, duration_ms: null })];
    const alignment = align(left, right);
    expect(alignment.left).toEqual({ replies: 1, tokens: 20, duration_ms: 1500 });
    expect(alignment.right).toEqual({ replies: 1, tokens: null, duration_ms: null });
  });
});

test('a continued reply is one text, with the figures of both parts', () => {
  const [turn] = turnsOf([
    m1,
    reply({ id: 'r1', content: 'Half a sen', outcome: 'truncated', usage: used(4), duration_ms: 100 }),
    reply({ id: 'r2', content: 'tence.', usage: used(2), duration_ms: 50, model: 'big' }),
  ]);
  expect(turn).toMatchObject({
    question: 'Text of m1', answer: 'Half a sentence.', outcome: 'complete', tokens: 6, duration_ms: 150, model: 'big',
  });
});
