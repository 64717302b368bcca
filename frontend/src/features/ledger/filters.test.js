import { describe, expect, test } from 'vitest';

import { FILTERS, asTyped, filterInWords, filtersOf, fromTyped, refusalInWords, searchWith } from './filters.js';

/** @param {string} name */
const named = (name) => /** @type {import('./filters.js').Filter} */ (FILTERS.find((filter) => filter.name === name));
const nameOf = () => 'Ada';

describe('the address of the ledger', () => {
  test('names the filters, and nothing else counts', () => {
    const search = new URLSearchParams('outcome=failed&cursor=abc&model=+small+&purpose=');
    expect(filtersOf(search)).toEqual({ outcome: 'failed', model: 'small' });
  });

  test('keeps what the server will refuse, so that it can say why', () => {
    expect(filtersOf(new URLSearchParams('outcome=splendid'))).toEqual({ outcome: 'splendid' });
  });

  test('is the same for the same filters, in whatever order they were chosen', () => {
    const one = searchWith({ model: 'small' }, { outcome: 'failed' });
    const other = searchWith({ outcome: 'failed' }, { model: 'small' });
    expect(String(one)).toBe('outcome=failed&model=small');
    expect(String(other)).toBe(String(one));
  });

  test('loses one filter and keeps the others', () => {
    expect(String(searchWith({ outcome: 'failed', model: 'small' }, { outcome: '' }))).toBe('model=small');
  });
});

describe('a filter in words', () => {
  test.each([
    ['outcome', 'cancelled', 'Outcome: Stopped'],
    ['source', 'openai', 'Source: OpenAI endpoint'],
    ['source', 'telegraph', 'Source: telegraph'],
    ['model', 'small', 'Model: small'],
    ['user', 'u1', 'User: Ada'],
    ['duration_ms_min', '1500', 'Took at least 1.5 s'],
    ['duration_ms_min', 'long', 'Took at least long'],
    ['prompt_tokens_max', '12000', 'Tokens in at most 12,000'],
    ['created_after', 'yesterday', 'After yesterday'],
  ])('%s %s: %s', (name, value, words) => {
    expect(filterInWords(named(name), value, nameOf)).toBe(words);
  });

  test('says a moment as the reader’s clock does', () => {
    expect(filterInWords(named('created_after'), '2026-03-10T09:00:00Z', nameOf)).toMatch(/^After .*2026/);
  });
});

test('a refusal says which filter it is about', () => {
  expect(refusalInWords({ created_after: ['Enter a valid date/time.'], cursor: ['It is no cursor.'] })).toBe(
    'After: Enter a valid date/time. It is no cursor.',
  );
});

describe('what is typed', () => {
  test('in seconds is asked for in milliseconds, and comes back in seconds', () => {
    const filter = named('first_token_ms_max');
    expect(fromTyped(filter, ' 1,5 ')).toBe('1500');
    expect(asTyped(filter, '1500')).toBe('1.5');
    expect(fromTyped(filter, '-1')).toBe('');
    expect(fromTyped(filter, '')).toBe('');
  });

  test('is the same as before where a field was left alone, also what the field does not show', () => {
    const moment = '2026-03-10T09:30:17.250Z';
    const filter = named('created_after');
    expect(fromTyped(filter, asTyped(filter, moment), moment)).toBe(moment);
    expect(fromTyped(filter, '2026-03-10T10:31', moment)).not.toBe(moment);
    expect(fromTyped(filter, '', moment)).toBe('');
  });

  test('by hand into the address, without a time zone, is UTC as it is for the server', () => {
    const filter = named('created_after');
    expect(asTyped(filter, '2026-03-10T09:30')).toBe(asTyped(filter, '2026-03-10T09:30Z'));
    expect(filterInWords(filter, '2026-03-10 09:30:10', nameOf)).toBe(filterInWords(filter, '2026-03-10T09:30:10Z', nameOf));
  });

  test('as a moment of the reader’s own clock is the same moment everywhere', () => {
    const filter = named('created_before');
    const asked = fromTyped(filter, '2026-03-10T10:30');
    expect(asked).toMatch(/Z$/);
    expect(new Date(asked).getTime()).toBe(new Date('2026-03-10T10:30').getTime());
    expect(asTyped(filter, asked)).toBe('2026-03-10T10:30');
    expect(asTyped(filter, 'yesterday')).toBe('');
    expect(fromTyped(filter, 'yesterday')).toBe('');
  });
});
