import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { LiveTextStore } from './liveText.js';

/** @param {number} seq @param {string} text @param {string} [reasoning] */
const chunk = (seq, text, reasoning) => ({ call_id: 'k', reply_id: 'r', seq, text, reasoning });

describe('the text of a reply that is being written', () => {
  /** @type {LiveTextStore} */
  let store;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'requestAnimationFrame', 'performance'] });
    store = new LiveTextStore();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const shown = () => {
    vi.advanceTimersByTime(200);
    return store.read('r').text;
  };

  test('is the chunks in the order of their numbers, however they arrive', () => {
    store.addChunk(chunk(0, 'One '));
    store.addChunk(chunk(2, 'three'));
    expect(shown()).toBe('One ');
    store.addChunk(chunk(1, 'two '));
    expect(shown()).toBe('One two three');
  });

  test('holds no chunk twice when the server sends the stored ones again', () => {
    store.addChunk(chunk(0, 'a'));
    store.addChunk(chunk(1, 'b'));
    for (const again of [chunk(0, 'a'), chunk(1, 'b'), chunk(2, 'c')]) store.addChunk(again);
    expect(shown()).toBe('abc');
  });

  test('keeps reasoning apart', () => {
    store.addChunk(chunk(0, '', 'hmm '));
    store.addChunk(chunk(1, 'Yes.', ''));
    shown();
    expect(store.read('r')).toMatchObject({ text: 'Yes.', reasoning: 'hmm ' });
  });

  test('tells readers at most once per 50 ms', () => {
    const listener = vi.fn();
    store.subscribe('r', listener);
    store.addChunk(chunk(0, 'x'));
    shown();
    listener.mockClear();
    for (let seq = 1; seq <= 100; seq += 1) {
      store.addChunk(chunk(seq, 'x'));
      vi.advanceTimersByTime(2);
    }
    expect(listener.mock.calls.length).toBeGreaterThanOrEqual(2);
    expect(listener.mock.calls.length).toBeLessThanOrEqual(4);
  });

  test('goes on in a hidden tab, where there are no animation frames', () => {
    vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    const frames = vi.spyOn(window, 'requestAnimationFrame');
    store.addChunk(chunk(0, 'still here'));
    expect(shown()).toBe('still here');
    expect(frames).not.toHaveBeenCalled();
  });

  test('stands still after Stop, and grows again if stopping failed', () => {
    store.addChunk(chunk(0, 'shown'));
    shown();
    store.stop('r');
    store.addChunk(chunk(1, ' and more'));
    expect(shown()).toBe('shown');
    expect(store.read('r').stopping).toBe(true);
    store.resume('r');
    expect(store.read('r')).toMatchObject({ text: 'shown and more', stopping: false });
  });

  test('shows everything that had arrived when Stop was pressed', () => {
    store.addChunk(chunk(0, 'shown'));
    store.addChunk(chunk(1, ', not yet drawn'));
    store.stop('r');
    expect(store.read('r').text).toBe('shown, not yet drawn');
  });

  test('knows what is waited for until the first words are there', () => {
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'queued', place: 2 });
    shown();
    expect(store.read('r')).toMatchObject({ wait: { stage: 'queued', place: 2 }, told: true });
    store.addChunk(chunk(0, 'Words'));
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'queued', place: 1 });
    shown();
    expect(store.read('r')).toMatchObject({ text: 'Words', wait: { place: 2 } });
  });

  test('says after a while that its first word is long in coming, but not while it waits for its turn', () => {
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'queued', place: 1 });
    vi.advanceTimersByTime(60_000);
    expect(store.read('r').wait.long).toBe(false);
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'started' });
    vi.advanceTimersByTime(7_900);
    expect(store.read('r').wait.long).toBe(false);
    vi.advanceTimersByTime(300);
    expect(store.read('r').wait.long).toBe(true);
  });

  test('says so too to who came when everything had been told', () => {
    store.watch('r');
    vi.advanceTimersByTime(8_300);
    expect(store.read('r')).toMatchObject({ wait: { long: true }, told: true });
  });

  test('says nothing of a prompt that is read in a moment', () => {
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'started' });
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'prefill', processed: 5, total: 10 });
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'started' });
    expect((shown(), store.read('r').wait.stage)).toBe('asked');
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'prefill', processed: 8, total: 10 });
    vi.advanceTimersByTime(700);
    expect(store.read('r').wait).toMatchObject({ stage: 'reading', percent: 80 });
  });

  test('learns why it is tried again where it came too late to hear it', () => {
    const failed = { code: 'runner_busy', message: 'Busy.', attempt: 1 };
    store.noteFailure('r', failed);
    store.setCallState({ call_id: 'k', reply_id: 'r', state: 'queued', place: 1, retry_at: '2026-03-10T09:00:00Z' });
    store.noteFailure('r', failed);
    store.noteFailure('r', { ...failed, code: 'other' });
    shown();
    expect(store.read('r').wait.failed).toEqual(failed);
  });

  test('is gone once the reply is recorded, and calls without a reply leave no trace', () => {
    store.addChunk(chunk(0, 'x'));
    shown();
    store.forget('r');
    store.addChunk({ call_id: 'title', reply_id: null, seq: 0, text: 'A title' });
    expect(shown()).toBe('');
  });
});
