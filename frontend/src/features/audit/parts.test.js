import { expect, test } from 'vitest';

import { partsOf } from './parts.js';

test.each([
  ['', 4, ['']],
  ['abc', 4, ['abc']],
  ['abcdefgh', 4, ['abcd', 'efgh']],
  ['abc🌈def', 4, ['abc🌈', 'def']],
])('%j in parts of %i', (text, size, parts) => {
  expect(partsOf(text, size)).toEqual(parts);
});
