import { expect, test } from 'vitest';

import { filtersOf, withFilter } from './filters.js';

test.each([
  ['', 'from:me', 'from:me '],
  ['tea', 'from:me', 'tea from:me '],
  ['from:model tea', 'from:me', 'tea from:me '],
  ['tea model:"small one" cup', 'model:', 'tea cup model:'],
  ['', 'model:', 'model:'],
  ['before:2026-01-01 "a phrase"', 'after:2026-03-01', 'before:2026-01-01 "a phrase" after:2026-03-01 '],
])('%j with %j is %j', (text, filter, result) => {
  expect(withFilter(text, filter)).toBe(result);
});

test('days are given as the first of this month', () => {
  expect(filtersOf(new Date(2026, 2, 31)).map(({ insert }) => insert)).toContain('after:2026-03-01');
});
