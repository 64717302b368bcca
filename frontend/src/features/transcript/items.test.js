import { describe, expect, test } from 'vitest';

import { reply, row } from '../../test-data.js';
import { itemsOf, joinedText } from './items.js';

const question = row({ id: 'm1' });
/** @param {import('./items.js').Item[]} items */
const ids = (items) => items.map((item) => item.rows.map(({ id }) => id));

describe('what stands in the list of messages', () => {
  test('is one item for each message', () => {
    const rows = [question, reply({ id: 'r1', parent_id: 'm1' }), row({ id: 'm2', parent_id: 'r1' })];
    expect(ids(itemsOf(rows, []))).toEqual([['m1'], ['r1'], ['m2']]);
  });

  test('is one item for a reply and all that continues it, with their texts as one text', () => {
    const rows = [
      question,
      reply({ id: 'r1', parent_id: 'm1', outcome: 'truncated', content: 'Once upon a ti' }),
      reply({ id: 'r2', parent_id: 'r1', continues: 'r1', outcome: 'cancelled', content: 'me, in **bo' }),
      reply({ id: 'r3', parent_id: 'r2', continues: 'r2', content: 'ld**.' }),
    ];
    const items = itemsOf(rows, []);
    expect(ids(items)).toEqual([['m1'], ['r1', 'r2', 'r3']]);
    expect(joinedText(items[1]?.rows ?? [])).toBe('Once upon a time, in **bold**.');
  });

  test('stands alone where what it continues is on a page that is not here yet', () => {
    const rest = reply({ id: 'r2', parent_id: 'r1', continues: 'r1' });
    expect(ids(itemsOf([rest, row({ id: 'm2', parent_id: 'r2' })], []))).toEqual([['r2'], ['m2']]);
  });

  test('has the same key for every version of a message, and no key twice', () => {
    const answers = ['r1', 'r1b'].map((id) => itemsOf([question, reply({ id, parent_id: 'm1' })], []));
    expect(answers[0]?.[1]?.key).toBe(answers[1]?.[1]?.key);
    const keys = answers[0]?.map((item) => item.key) ?? [];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('gives a message on its way the place that it is going to have', () => {
    const answer = reply({ id: 'r1', parent_id: 'm1' });
    const pending = { key: 'k', conversationId: 'c1', content: 'More', parentId: 'r1' };
    const sent = row({ id: 'm2', parent_id: 'r1', content: 'More' });
    expect(itemsOf([question, answer], [pending])[2]?.key).toBe(itemsOf([question, answer, sent], [])[2]?.key);
  });

  test('marks where a fork begins, also while nothing of its own has been said', () => {
    const inherited = [{ ...question, inherited: true }, { ...reply({ id: 'r1', parent_id: 'm1' }), inherited: true }];
    const own = row({ id: 'm2', parent_id: 'r1' });
    expect(itemsOf(inherited, []).map((item) => item.lastInherited)).toEqual([false, true]);
    expect(itemsOf([...inherited, own], []).map((item) => item.lastInherited)).toEqual([false, true, false]);
    expect(itemsOf([question, own], []).some((item) => item.lastInherited)).toBe(false);
  });
});
