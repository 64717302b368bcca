import { describe, expect, test } from 'vitest';

import { reply } from '../../test-data.js';
import { firstSentence, outcomeNote, sealLine, sealState, seconds } from './seal.js';

test.each([
  ['pending', 'pending'],
  ['complete', 'whole'],
  ['truncated', 'cut'],
  ['interrupted', 'cut'],
  ['cancelled', 'cut'],
  ['failed', 'broken'],
])('a %s reply has the seal “%s”', (outcome, state) => {
  expect(sealState(/** @type {import('../../api/types.js').Outcome} */ (outcome))).toBe(state);
});

test('the line says model, tokens and seconds, and leaves out what is not known', () => {
  const row = reply({ id: 'r', usage: { prompt_tokens: 9, completion_tokens: 1214 }, duration_ms: 3120 });
  expect(sealLine(row, 'Small')).toBe('Small · 1,214 tokens · 3.1 s');
  expect(sealLine(reply({ id: 'r' }), 'Small')).toBe('Small');
  expect(seconds(12_400)).toBe('12 s');
  expect(seconds(420)).toBe('0.4 s');
  expect(seconds(28)).toBe('28 ms');
});

describe('the sentence under an unfinished reply', () => {
  test('a complete one has none', () => {
    expect(outcomeNote(reply({ id: 'r' }))).toBeNull();
  });
  test('a stopped one says after how much', () => {
    const row = reply({ id: 'r', outcome: 'cancelled', content: 'So', usage: { prompt_tokens: 9, completion_tokens: 214 } });
    expect(outcomeNote(row)?.detail).toBe('Stopped after 214 tokens. The text is kept.');
    expect(outcomeNote({ ...row, content: '' })?.detail).toBe('Stopped before the first word.');
  });
  test('a failed one gives the reason it was given', () => {
    const row = reply({ id: 'r', outcome: 'failed', content: '', error: { code: 'x', message: 'The runner is gone.' } });
    expect(outcomeNote(row)?.detail).toBe('The runner is gone.');
  });
  test('a cut one says which limit', () => {
    expect(outcomeNote(reply({ id: 'r', outcome: 'truncated', finish_reason: 'length' }))?.detail).toContain('length limit');
    expect(outcomeNote(reply({ id: 'r', outcome: 'truncated', finish_reason: 'content_filter' }))?.detail).toContain('filter');
  });
});

test('the announcement has the first sentence without its Markdown', () => {
  expect(firstSentence('**Yes.** It works.\n\nMore.')).toBe('Yes.');
  expect(firstSentence('```js\nx\n```\nDone')).toBe('Done');
  expect(firstSentence('long '.repeat(100))).toHaveLength(160);
});
