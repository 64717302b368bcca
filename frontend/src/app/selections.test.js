import { beforeEach, expect, test, vi } from 'vitest';

import { change } from '../test-data.js';
import { forgetSelections, readerStays, selectingHere, whenSelectedElsewhere } from './selections.js';

const told = (/** @type {string} */ position) => change('branch_selected', position, { leaf_id: 'r9' });
const answer = (/** @type {string} */ position) => ({ position });

beforeEach(forgetSelections);

test('a page on screen stays where it is when another window selects', () => {
  const stay = vi.fn(() => true);
  const stop = whenSelectedElsewhere('c1', stay);
  expect(readerStays(told('10'))).toBe(true);
  stop();
  expect(readerStays(told('11'))).toBe(false);
  expect(stay).toHaveBeenCalledTimes(1);
});

test('what this window selects itself is followed, whether its change or its answer comes first', async () => {
  whenSelectedElsewhere('c1', () => true);
  /** @type {(answer: {position: string}) => void} */
  let arrives = () => undefined;
  const command = selectingHere('c1', new Promise((resolve) => (arrives = resolve)));
  expect(readerStays(told('20'))).toBe(false);
  arrives(answer('20'));
  await command;
  expect(readerStays(told('20'))).toBe(false);
  expect(readerStays(told('21'))).toBe(true);
});

test('a command that failed selects nothing', async () => {
  whenSelectedElsewhere('c1', () => true);
  await expect(selectingHere('c1', Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  expect(readerStays(told('30'))).toBe(true);
});
