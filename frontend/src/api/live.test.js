import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { LiveConnection } from './live.js';

class FakeEventSource extends EventTarget {
  static CLOSED = 2;
  /** @type {FakeEventSource[]} */
  static opened = [];
  readyState = 0;
  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    FakeEventSource.opened.push(this);
  }
  close() {
    this.readyState = FakeEventSource.CLOSED;
  }
  /** @param {string} name @param {unknown} [data] */
  say(name, data) {
    this.dispatchEvent(new MessageEvent(name, { data: data === undefined ? undefined : JSON.stringify(data) }));
  }
  fail(closed = false) {
    this.readyState = closed ? FakeEventSource.CLOSED : 0;
    this.dispatchEvent(new Event('error'));
  }
}

/** @type {string|null} */
let cursor;
const handlers = {
  onChange: vi.fn(), onChunk: vi.fn(), onCall: vi.fn(), onReset: vi.fn(), onStatus: vi.fn(),
  mayReopen: vi.fn(async () => true),
};
/** @type {LiveConnection} */
let connection;
const source = () => /** @type {FakeEventSource} */ (FakeEventSource.opened.at(-1));

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', FakeEventSource);
  FakeEventSource.opened = [];
  Object.values(handlers).forEach((handler) => handler.mockClear());
  handlers.mayReopen.mockImplementation(async () => true);
  cursor = '7';
  connection = new LiveConnection(handlers);
  connection.open({ cursor: () => cursor, conversationId: () => 'c1' });
});
afterEach(() => {
  connection.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('the live stream', () => {
  test('is opened where the page ended, for the conversation on screen', () => {
    expect(source().url).toBe('/api/live/?cursor=7&conversation=c1');
  });

  test('hands frames on', () => {
    source().say('open');
    source().say('change', { position: '8' });
    source().say('chunk', { seq: 0 });
    source().say('call', { state: 'finished' });
    expect(handlers.onChange).toHaveBeenCalledWith({ position: '8' });
    expect(handlers.onChunk).toHaveBeenCalledWith({ seq: 0 });
    expect(handlers.onCall).toHaveBeenCalledWith({ state: 'finished' });
    expect(handlers.onStatus).toHaveBeenLastCalledWith('open');
  });

  test('replaced by another one, hands nothing on any more', () => {
    const old = source();
    connection.open({ cursor: () => cursor, conversationId: () => null });
    old.say('change', { position: '8' });
    expect(old.readyState).toBe(FakeEventSource.CLOSED);
    expect(handlers.onChange).not.toHaveBeenCalled();
    expect(source().url).toBe('/api/live/?cursor=7');
  });

  test('leaves a short cut to the browser', async () => {
    source().fail(false);
    expect(handlers.onStatus).toHaveBeenLastCalledWith('lost');
    await vi.advanceTimersByTimeAsync(5000);
    expect(FakeEventSource.opened).toHaveLength(1);
  });

  test('given up by the browser, is opened again from the newest position', async () => {
    source().fail(true);
    cursor = '9';
    await vi.advanceTimersByTimeAsync(600);
    expect(FakeEventSource.opened).toHaveLength(2);
    expect(source().url).toContain('cursor=9');
  });

  test('waits longer after each failure', async () => {
    for (const pause of [500, 1000, 2000, 5000, 5000]) {
      const before = FakeEventSource.opened.length;
      source().fail(true);
      await vi.advanceTimersByTimeAsync(pause - 1);
      expect(FakeEventSource.opened).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(FakeEventSource.opened).toHaveLength(before + 1);
    }
  });

  test('stays closed when the person is no longer logged in', async () => {
    handlers.mayReopen.mockImplementation(async () => false);
    source().fail(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(FakeEventSource.opened).toHaveLength(1);
    expect(handlers.onStatus).toHaveBeenLastCalledWith('closed');
  });

  test('silent for too long, is taken as lost; a sign of life keeps it', async () => {
    source().say('open');
    await vi.advanceTimersByTimeAsync(50_000);
    source().say('ping', {});
    await vi.advanceTimersByTimeAsync(50_000);
    expect(FakeEventSource.opened).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(FakeEventSource.opened).toHaveLength(2);
  });

  test('told that its cursor is too old, ends and says so', () => {
    source().say('reset', {});
    expect(handlers.onReset).toHaveBeenCalledOnce();
    expect(source().readyState).toBe(FakeEventSource.CLOSED);
  });
});
