import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { change, conversation, reply, row } from '../test-data.js';
import {
  catchUpConversation, catchUpList, fetchCurrent, forgetEverything, keys, receiveChange, showConversation,
} from './cache.js';
import { queryClient } from './queryClient.js';

const question = row({ id: 'm1' });
const first = reply({ id: 'r1', parent_id: 'm1' });
const second = reply({ id: 'r2', parent_id: 'm1' });

/** @param {import('../api/types.js').TranscriptRow[]} rows @param {string} position */
const page = (rows, position) => ({ rows, position, older: null });

beforeEach(forgetEverything);

describe('a branch that is fetched for the first time', () => {
  test('is fetched again where another one was selected while it was on its way', async () => {
    const fetchIt = vi
      .fn()
      .mockImplementationOnce(async () => {
        receiveChange(change('branch_selected', '11', { leaf_id: 'r2' }));
        return page([question, first], '10');
      })
      .mockResolvedValueOnce(page([question, second], '11'));
    const { rows } = await fetchCurrent('c1', true, fetchIt);
    expect(rows.at(-1)?.id).toBe('r2');
    expect(fetchIt).toHaveBeenCalledTimes(2);
  });

  test('is not fetched again for what it holds already, nor where it was asked for by its end', async () => {
    receiveChange(change('branch_selected', '11', { leaf_id: 'r2' }));
    const newer = vi.fn(async () => page([question, second], '12'));
    await fetchCurrent('c1', true, newer);
    expect(newer).toHaveBeenCalledTimes(1);
    const byItsEnd = vi.fn(async () => page([question, first], '10'));
    expect((await fetchCurrent('c1', false, byItsEnd)).rows.at(-1)?.id).toBe('r1');
    expect(byItsEnd).toHaveBeenCalledTimes(1);
  });

  test('is shown as it is at last where it changes faster than it can be fetched', async () => {
    let position = 20;
    const fetchIt = vi.fn(async () => {
      position += 2;
      receiveChange(change('branch_selected', String(position), { leaf_id: 'r9' }));
      return page([question, first], String(position - 1));
    });
    await fetchCurrent('c1', true, fetchIt);
    expect(fetchIt.mock.calls.length).toBeLessThan(6);
  });

  test('has what was sent while it was on its way', async () => {
    receiveChange(change('reply_requested', '31', { message: { ...second, outcome: 'pending' } }));
    const { rows } = await fetchCurrent('c1', true, async () => page([question], '30'));
    expect(rows.map(({ id }) => id)).toEqual(['m1', 'r2']);
  });
});

test('a conversation that was renamed while it was on its way has its new title', () => {
  const renamed = conversation({ id: 'c1', title: 'New name', version: 3 });
  receiveChange(change('conversation_renamed', '40', { conversation: renamed }));
  expect(catchUpConversation(conversation({ id: 'c1', title: 'Old name', version: 2 })).title).toBe('New name');
  expect(catchUpConversation(conversation({ id: 'c2', title: 'Other' })).title).toBe('Other');
});

test('of a conversation that was erased nothing stays in the cache', () => {
  queryClient.setQueryData(keys.transcript('c1'), { rows: [], position: '1', older: null });
  queryClient.setQueryData(keys.conversation('c1'), conversation({ id: 'c1' }));
  queryClient.setQueryData(keys.conversation('c2'), conversation({ id: 'c2' }));
  receiveChange(change('conversation_erased', '50'));
  expect(queryClient.getQueryData(keys.transcript('c1'))).toBeUndefined();
  expect(queryClient.getQueryData(keys.conversation('c1'))).toBeUndefined();
  expect(queryClient.getQueryData(keys.conversation('c2'))).toBeDefined();
  const list = { rows: [conversation({ id: 'c1' })], position: '49', next: null };
  expect(catchUpList(list, 'active').rows).toEqual([]);
});

test('a conversation that was deleted while the list was on its way is not in it', () => {
  receiveChange(change('conversation_deleted', '50'));
  const list = { rows: [conversation({ id: 'c1' })], position: '49', next: null };
  expect(catchUpList(list, 'active').rows).toEqual([]);
});

describe('a conversation that has just been started', () => {
  const unnamed = conversation({ id: 'c1', title: 'New conversation', version: 2 });
  const titles = () => {
    const list = /** @type {import('./reduceChange.js').ConversationList} */ (queryClient.getQueryData(keys.list('active')));
    return list.rows.map(({ title }) => title);
  };
  beforeEach(() => {
    vi.useFakeTimers();
    queryClient.setQueryData(keys.list('active'), { rows: [], position: '1', next: null });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('is listed by the name that its first message brings, and never by another', () => {
    showConversation(unnamed, '10');
    receiveChange(change('conversation_started', '10', { conversation: unnamed }));
    receiveChange(change('model_settings_changed', '10', { conversation: unnamed }));
    expect(titles()).toEqual([]);
    const named = { ...unnamed, title: 'Why is the sky blue?', version: 3, message_count: 1 };
    receiveChange(change('user_message_sent', '11', { conversation: named }));
    expect(titles()).toEqual(['Why is the sky blue?']);
    vi.advanceTimersByTime(5_000);
    expect(titles()).toEqual(['Why is the sky blue?']);
  });

  test('is listed without a name soon where no message comes, and at once where it was given a title', () => {
    receiveChange(change('conversation_started', '10', { conversation: unnamed }));
    vi.advanceTimersByTime(2_100);
    expect(titles()).toEqual(['New conversation']);
    receiveChange(change('conversation_started', '12', { conversation: { ...unnamed, id: 'c2', title: 'Given' } }));
    expect(titles()).toContain('Given');
  });

  test('and deleted again does not come back', () => {
    receiveChange(change('conversation_started', '10', { conversation: unnamed }));
    receiveChange(change('conversation_deleted', '11', { conversation: { ...unnamed, deleted: true, version: 3 } }));
    vi.advanceTimersByTime(5_000);
    expect(titles()).toEqual([]);
  });
});
