import { expect, test } from 'vitest';

import { Problem } from '../api/problems.js';
import { retryDelay, shouldRetry } from './queryClient.js';

/** @param {number} status @param {number|null} [retryAfterSeconds] */
const problem = (status, retryAfterSeconds = null) => new Problem({ status, code: 'x', message: 'x', retryAfterSeconds });

test('only what may pass by itself is asked again, and not for ever', () => {
  expect([0, 429, 502, 503].map((status) => shouldRetry(0, problem(status)))).toEqual([true, true, true, true]);
  expect([400, 401, 403, 404, 500].some((status) => shouldRetry(0, problem(status)))).toBe(false);
  expect(shouldRetry(4, problem(503))).toBe(false);
  expect(shouldRetry(0, new Error('a mistake of ours'))).toBe(false);
});

test('the pause is what the server asks for, else it grows', () => {
  expect(retryDelay(0, problem(503, 2))).toBe(2000);
  expect([0, 1, 2, 9].map((failures) => retryDelay(failures, problem(0)))).toEqual([500, 1000, 2000, 8000]);
});
