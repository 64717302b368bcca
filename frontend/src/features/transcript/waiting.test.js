import { describe, expect, test } from 'vitest';

import { NOTHING_KNOWN, afterFrame, secondsUntil, waitWords } from './waiting.js';

/** @typedef {import('../../api/types.js').LiveCall} LiveCall */

const NOW = Date.parse('2026-03-10T09:00:00Z');
const IN_3_S = '2026-03-10T09:00:02.400Z';

/** @param {Partial<LiveCall> & {state: LiveCall['state']}} fields */
const frame = (fields) => ({ call_id: 'k', reply_id: 'r', ...fields });
/** @param {ReturnType<typeof frame>[]} frames */
const after = (...frames) => frames.reduce(afterFrame, NOTHING_KNOWN);
/** @param {ReturnType<typeof frame>[]} frames */
const said = (...frames) => waitWords(after(...frames), { severalRunners: false, now: NOW });

const queued = (/** @type {number} */ place) => frame({ state: 'queued', place, waiting: 5, runner: 'laptop', retry_at: null });
const loading = { code: 'runner_loading', message: 'The model runner is loading its model.' };
const busy = { code: 'runner_busy', message: 'The model runner is busy.' };

describe('a reply that waits for its turn', () => {
  test.each([
    [1, 'Waiting · you are next'],
    [2, 'Waiting · 1 reply before yours'],
    [3, 'Waiting · 2 replies before yours'],
  ])('at place %i says what is before it', (place, title) => {
    expect(said(frame({ state: 'requested' }), queued(place))).toMatchObject({ kind: 'queued', title });
  });

  test('names the runner where there are several', () => {
    const words = waitWords(after(queued(3)), { severalRunners: true, now: NOW });
    expect(words.title).toBe('Waiting for laptop · 2 replies before yours');
    expect(words.spoken).toBe('Waiting for laptop, 2 replies before yours');
  });

  test('waits no more once it has been begun', () => {
    expect(said(queued(1), frame({ state: 'started' }))).toMatchObject({ kind: 'thinking', title: 'Thinking…' });
  });
});

describe('a runner that loads its model', () => {
  const failed = frame({ state: 'retrying', error: loading, attempt: 1 });
  test('is said to, and when it is asked again', () => {
    expect(said(failed).title).toBe('Loading the model…');
    expect(said(failed, frame({ state: 'queued', place: 1, retry_at: IN_3_S })).detail).toContain('Asking again in 3 s.');
  });

  test('is said to in the same words while it is asked again', () => {
    expect(said(failed, frame({ state: 'started' })).kind).toBe('loading');
    expect(said(failed, frame({ state: 'started' }), frame({ state: 'prefill', processed: 1, total: 2 })).kind).toBe('reading');
  });
});

describe('an attempt that failed', () => {
  const failed = frame({ state: 'retrying', error: busy, attempt: 1 });
  test('is told with its reason and when the next one is made', () => {
    const words = said(failed, frame({ state: 'queued', place: 1, retry_at: IN_3_S }));
    expect(words.title).toBe('Trying again (attempt 2) in 3 s…');
    expect(words.detail).toBe(busy.message);
    expect(words.spoken).toBe(`${busy.message} Trying again (attempt 2)`);
  });

  test('is still told while the next one has no words', () => {
    expect(said(failed, frame({ state: 'started' })).title).toBe('Trying again (attempt 2)…');
  });

  test('counts on where the frame does not say which attempt it was', () => {
    const again = frame({ state: 'retrying', error: busy });
    expect(said(again, again).title).toBe('Trying again (attempt 3)…');
  });

  test('waits for its turn like any other when its pause is over', () => {
    expect(said(failed, queued(2)).kind).toBe('queued');
  });

  test('is told without a reason to a tab that came later', () => {
    expect(said(frame({ state: 'queued', place: 1, retry_at: IN_3_S })).title).toBe('Trying again in 3 s…');
  });
});

test('reading the prompt shows how far it has come', () => {
  expect(said(frame({ state: 'prefill', processed: 409, total: 1000 })).title).toBe('Reading the conversation… 40 %');
  expect(said(frame({ state: 'prefill', processed: 9, total: 0 })).title).toBe('Reading the conversation…');
});

test('being told late that it was asked for and begun does not undo how far the reading has come', () => {
  const reading = frame({ state: 'prefill', processed: 400, total: 1000 });
  expect(said(reading, frame({ state: 'requested' }), frame({ state: 'started' })).title).toBe('Reading the conversation… 40 %');
});

test('a first word that is long in coming is said to be', () => {
  const wait = { ...after(frame({ state: 'started' })), long: true };
  expect(waitWords(wait, { severalRunners: false, now: NOW }).title).toBe('Still waiting for the first word.');
});

test('what a browser with a wrong clock would count is not counted', () => {
  expect(secondsUntil(IN_3_S, NOW)).toBe(3);
  expect(secondsUntil(IN_3_S, NOW + 5_000)).toBeNull();
  expect(secondsUntil(IN_3_S, NOW - 3_600_000)).toBeNull();
  expect(secondsUntil(null, NOW)).toBeNull();
});
