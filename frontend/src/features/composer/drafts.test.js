import { beforeEach, describe, expect, test, vi } from 'vitest';

import {
  NEW,
  beginSending,
  draftOf,
  forgetLoadedDrafts,
  moveDraft,
  sendingAccepted,
  sendingFailed,
} from './drafts.js';

/** What a reload does: everything in memory goes. */
const reload = () => {
  forgetLoadedDrafts();
  return draftOf('ada', 'c1');
};
/** @param {string} text */
const written = (text) => {
  const store = draftOf('ada', 'c1');
  store.set({ text, sending: null, last: null });
  return store;
};

beforeEach(() => {
  localStorage.clear();
  forgetLoadedDrafts();
});

describe('a draft', () => {
  test('survives a reload, per person and conversation', () => {
    written('half a thought');
    expect(reload().get().text).toBe('half a thought');
    expect(draftOf('ada', 'c2').get().text).toBe('');
    expect(draftOf('bob', 'c1').get().text).toBe('');
  });

  test('is empty in the composer while it is sent, and gone once accepted', () => {
    const store = written('hello');
    const intent = beginSending(store);
    expect(intent?.content).toBe('hello');
    expect(store.get().text).toBe('');
    sendingAccepted(store);
    expect(reload().get()).toEqual({ text: '', sending: null, last: null });
    expect(localStorage).toHaveLength(0);
  });

  test('cannot be sent twice at the same time, nor when it is only spaces', () => {
    const store = written('hello');
    expect(beginSending(store)).not.toBeNull();
    store.set((draft) => ({ ...draft, text: 'second' }));
    expect(beginSending(store)).toBeNull();
    expect(beginSending(written(' \n '))).toBeNull();
  });

  test('comes back when the server refuses, in front of what was typed since', () => {
    const store = written('first');
    beginSending(store);
    store.set((draft) => ({ ...draft, text: 'typed since' }));
    sendingFailed(store);
    expect(store.get().text).toBe('first\n\ntyped since');
  });

  test('is sent again under the same keys while the text is the same', () => {
    const store = written('hello');
    const first = beginSending(store);
    sendingFailed(store);
    expect(beginSending(store)).toEqual(first);
    sendingFailed(store);
    store.set((draft) => ({ ...draft, text: 'hello!' }));
    expect(beginSending(store)?.messageKey).not.toBe(first?.messageKey);
  });

  test('a reload in the middle of sending offers the text again, under the same key', () => {
    const first = beginSending(written('hello'));
    const after = reload();
    expect(after.get().text).toBe('hello');
    expect(beginSending(after)?.messageKey).toBe(first?.messageKey);
  });

  test('moves to the conversation that was started for it', () => {
    const fresh = draftOf('ada', NEW);
    fresh.set({ text: 'hello', sending: null, last: null });
    const intent = beginSending(fresh);
    moveDraft(fresh, draftOf('ada', 'c1'));
    expect(fresh.get().sending).toBeNull();
    expect(draftOf('ada', 'c1').get().sending).toEqual(intent);
  });

  test('that cannot be read is no draft', () => {
    localStorage.setItem('verbatim:draft:ada:c1', '{broken');
    expect(reload().get().text).toBe('');
  });

  test('lives as long as the page where the browser keeps nothing', () => {
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError');
    });
    expect(written('kept').get().text).toBe('kept');
  });
});
