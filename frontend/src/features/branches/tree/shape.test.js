import { describe, expect, test } from 'vitest';

import { node } from '../../../test-data.js';
import { allLeaves, leavesBelow, linesOf, pathTo, shapeOf, visibleNodes } from './shape.js';

/**
 * @param {import('./shape.js').Shape} shape
 * @param {string[]} [closed]
 */
const drawn = (shape, closed = []) =>
  linesOf(shape, new Set(closed)).map(({ node: { id }, level }) => `${'  '.repeat(level - 1)}${id}`);

/** m1 ── r1 ─┬─ m2 ── r2   and   m3 ── r3, newer */
const forked = [
  node({ id: 'm1' }),
  node({ id: 'r1', parent_id: 'm1' }),
  node({ id: 'm2', parent_id: 'r1', minute: 1 }),
  node({ id: 'r2', parent_id: 'm2', minute: 1 }),
  node({ id: 'm3', parent_id: 'r1', minute: 2 }),
  node({ id: 'r3', parent_id: 'm3', minute: 2 }),
];

describe('the lines of a tree', () => {
  test('of a straight conversation stay at one level, however long it is', () => {
    const nodes = Array.from({ length: 20_000 }, (_, index) =>
      node({ id: `m${index}`, parent_id: index === 0 ? null : `m${index - 1}` }),
    );
    const lines = linesOf(shapeOf(nodes), new Set());
    expect(lines).toHaveLength(20_000);
    expect(new Set(lines.map((line) => line.level))).toEqual(new Set([1]));
  });

  test('indent an alternative, and go on straight where something happened last', () => {
    expect(drawn(shapeOf(forked))).toEqual(['m1', 'r1', '  m2', '  r2', 'm3', 'r3']);
  });

  test('turn round when the older alternative is gone on with', () => {
    const more = [...forked, node({ id: 'm4', parent_id: 'r2', minute: 3 })];
    expect(drawn(shapeOf(more))).toEqual(['m1', 'r1', '  m3', '  r3', 'm2', 'r2', 'm4']);
  });

  test('number the alternatives by age, wherever they stand', () => {
    const numbered = linesOf(shapeOf(forked), new Set()).map(({ node: { id }, alternative, alternatives }) =>
      alternatives ? `${id} ${alternative}/${alternatives}` : id,
    );
    expect(numbered).toEqual(['m1', 'r1', 'm2 1/2', 'r2', 'm3 2/2', 'r3']);
  });

  test('leave folded alternatives out, and tell that they are there', () => {
    const lines = linesOf(shapeOf(forked), new Set(['r1']));
    expect(lines.map((line) => line.node.id)).toEqual(['m1', 'r1', 'm3', 'r3']);
    expect(lines.filter((line) => line.opens).map((line) => [line.node.id, line.open])).toEqual([['r1', false]]);
  });

  test('know the line each of them hangs below, and their place there', () => {
    const lines = linesOf(shapeOf(forked), new Set());
    const places = lines.map(({ node: { id }, above, place, places }) => [id, above, place, places]);
    expect(places).toEqual([
      ['m1', null, 1, 4],
      ['r1', null, 2, 4],
      ['m2', 'r1', 1, 2],
      ['r2', 'r1', 2, 2],
      ['m3', null, 3, 4],
      ['r3', null, 4, 4],
    ]);
  });

  test('show several first messages one after another', () => {
    const nodes = [node({ id: 'a' }), node({ id: 'b', minute: 5 }), node({ id: 'c', parent_id: 'a', minute: 9 })];
    expect(drawn(shapeOf(nodes))).toEqual(['a', 'c', 'b']);
  });

  test('go straight on in sight where the newest alternative is hidden', () => {
    const nodes = forked.map((known) => ({ ...known, hidden: ['m3', 'r3'].includes(known.id) }));
    expect(drawn(shapeOf(nodes))).toEqual(['m1', 'r1', '  m3', '  r3', 'm2', 'r2']);
    expect(drawn(shapeOf(visibleNodes(nodes, false)))).toEqual(['m1', 'r1', 'm2', 'r2']);
  });
});

test('paths and leaves are found in both directions', () => {
  const shape = shapeOf(forked);
  expect(pathTo(shape, 'r2').map((known) => known.id)).toEqual(['m1', 'r1', 'm2', 'r2']);
  expect(pathTo(shape, 'unknown')).toEqual([]);
  expect(leavesBelow(shape, 'r1').map((known) => known.id)).toEqual(['r2', 'r3']);
  expect(leavesBelow(shape, 'r3').map((known) => known.id)).toEqual(['r3']);
  expect(allLeaves(shape).map((known) => known.id)).toEqual(['r2', 'r3']);
});
