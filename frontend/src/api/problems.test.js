import { describe, expect, test } from 'vitest';

import { Problem, asProblem, parseRetryAfter, toProblem } from './problems.js';

describe('an error answer', () => {
  test('in problem+json gives its words, code and fields', () => {
    const problem = toProblem(400, { title: 'Bad', detail: 'Too long.', code: 'invalid', errors: { content: ['256 KB'] } }, '7');
    expect(problem).toMatchObject({
      status: 400, code: 'invalid', message: 'Too long.', fields: { content: ['256 KB'] }, retryAfterSeconds: 7,
    });
  });

  test('in the account service’s shape is told apart by field', () => {
    const problem = toProblem(400, { errors: [{ message: 'Too common.', code: 'common', param: 'password' }] }, undefined);
    expect(problem).toMatchObject({ code: 'common', message: 'Too common.', fields: { password: ['Too common.'] } });
  });

  test('without words gets a sentence of ours', () => {
    expect(toProblem(429, '<html>', undefined).message).toContain('Too many requests');
    expect(toProblem(500, undefined, undefined).message).toContain('500');
  });
});

test('Retry-After may be seconds or a date', () => {
  const now = Date.parse('2026-03-10T09:00:00Z');
  expect(parseRetryAfter('3', now)).toBe(3);
  expect(parseRetryAfter('Tue, 10 Mar 2026 09:00:05 GMT', now)).toBe(5);
  expect(parseRetryAfter('soon', now)).toBeNull();
  expect(parseRetryAfter(undefined, now)).toBeNull();
});

test('anything thrown becomes a problem with a sentence', () => {
  const known = Problem.noAnswer();
  expect(asProblem(known)).toBe(known);
  expect(asProblem(new TypeError('x is undefined')).message).toContain('x is undefined');
});
