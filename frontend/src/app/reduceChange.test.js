import { describe, expect, test } from 'vitest';

import { change, conversation, reply, row } from '../test-data.js';
import {
  appendPage,
  applyToConversation,
  applyToList,
  applyToTranscript,
  mergeLatestPage,
  placeRow,
  prependOlderPage,
  toList,
} from './reduceChange.js';

/** @param {import('../api/types.js').Conversation[]} rows */
const list = (...rows) => ({ rows, position: '10', next: null });
/** @param {import('../api/types.js').TranscriptRow[]} rows */
const transcript = (...rows) => ({ rows, position: '10', older: null });
/** @param {{rows: {id: string}[]}} cached */
const ids = (cached) => cached.rows.map(({ id }) => id);

describe('the list of conversations', () => {
  test('a new conversation appears', () => {
    const { next } = applyToList(
      list(conversation({ id: 'a' })),
      change('conversation_started', '11', { conversation: conversation({ id: 'b' }) }),
      'active',
    );
    expect(ids(next)).toEqual(['b', 'a']);
    expect(next.position).toBe('11');
  });

  test('a renamed conversation changes in place', () => {
    const renamed = conversation({ id: 'a', title: 'New', version: 2 });
    const { next } = applyToList(
      list(conversation({ id: 'z' }), conversation({ id: 'a' })),
      change('conversation_renamed', '11', { conversation: renamed }),
      'active',
    );
    expect(ids(next)).toEqual(['z', 'a']);
    expect(next.rows[1]?.title).toBe('New');
  });

  test('applying a change twice alters nothing the second time', () => {
    const event = change('conversation_renamed', '11', { conversation: conversation({ id: 'a', version: 2 }) });
    const once = applyToList(list(conversation({ id: 'a' })), event, 'active').next;
    expect(applyToList(once, event, 'active').next).toEqual(once);
  });

  test('an older row never replaces a newer one', () => {
    const known = list(conversation({ id: 'a', title: 'Newer', version: 5 }));
    const late = change('conversation_renamed', '9', { conversation: conversation({ id: 'a', title: 'Older', version: 4 }) });
    expect(applyToList(known, late, 'active').next).toBe(known);
  });

  test('archiving moves a conversation from one view to the other', () => {
    const archived = change('conversation_archived', '11', {
      conversation: conversation({ id: 'a', archived: true, version: 2 }),
    });
    expect(ids(applyToList(list(conversation({ id: 'a' })), archived, 'active').next)).toEqual([]);
    expect(ids(applyToList(list(), archived, 'archived').next)).toEqual(['a']);
  });

  test('a deleted conversation leaves, also when the change carries no row', () => {
    const known = list(conversation({ id: 'a' }), conversation({ id: 'b' }));
    const { next, stale } = applyToList(known, change('conversation_deleted', '11', { conversationId: 'a' }), 'active');
    expect(ids(next)).toEqual(['b']);
    expect(stale).toBe(false);
  });

  test('a change without its row makes the list stale', () => {
    const known = list(conversation({ id: 'a' }));
    expect(applyToList(known, change('conversation_renamed', '11', { conversationId: 'a' }), 'active')).toEqual({
      next: known,
      stale: true,
    });
  });

  test('a pinned conversation that is on both first pages is listed once', () => {
    const twice = [conversation({ id: 'a' }), conversation({ id: 'a' }), conversation({ id: 'b' })];
    expect(ids(toList({ results: twice, next: null, position: '1' }))).toEqual(['a', 'b']);
  });

  test('a further page adds only what is not there', () => {
    const next = appendPage(list(conversation({ id: 'a' })), {
      results: [conversation({ id: 'a' }), conversation({ id: 'b' })],
      next: '/more',
    });
    expect(ids(next)).toEqual(['a', 'b']);
    expect(next.next).toBe('/more');
  });
});

describe('one conversation', () => {
  test('takes newer fields and ignores changes of others', () => {
    const known = conversation({ id: 'a', version: 3 });
    const newer = change('conversation_renamed', '11', { conversation: conversation({ id: 'a', title: 'T', version: 4 }) });
    const other = change('conversation_renamed', '12', { conversation: conversation({ id: 'b', version: 9 }) });
    expect(applyToConversation(known, newer).next.title).toBe('T');
    expect(applyToConversation(known, other).next).toBe(known);
  });
});

describe('the transcript', () => {
  const question = row({ id: 'm1' });
  const answer = reply({ id: 'r1', parent_id: 'm1', version: 3 });

  test('a sent message and its pending reply are added at the end', () => {
    const sent = applyToTranscript(
      transcript(question, answer),
      change('user_message_sent', '11', { message: row({ id: 'm2', parent_id: 'r1' }) }),
    ).next;
    const requested = applyToTranscript(
      sent,
      change('reply_requested', '12', { message: reply({ id: 'r2', parent_id: 'm2', outcome: 'pending' }) }),
    ).next;
    expect(ids(requested)).toEqual(['m1', 'r1', 'm2', 'r2']);
  });

  test('a recorded reply replaces the pending one, and nothing brings the pending one back', () => {
    const pending = reply({ id: 'r1', parent_id: 'm1', outcome: 'pending', version: 2 });
    const recorded = applyToTranscript(
      transcript(question, pending),
      change('reply_recorded', '13', { message: answer }),
    ).next;
    expect(recorded.rows[1]?.outcome).toBe('complete');
    const again = applyToTranscript(recorded, change('reply_requested', '12', { message: { ...pending, version: 9 } }));
    expect(again.next).toBe(recorded);
  });

  test('a new sibling selects itself and the branch shown ends with it', () => {
    const { next } = applyToTranscript(
      transcript(question, answer, row({ id: 'm2', parent_id: 'r1' }), reply({ id: 'r2', parent_id: 'm2' })),
      change('reply_requested', '14', { message: reply({ id: 'r1b', parent_id: 'm1', outcome: 'pending' }) }),
    );
    expect(ids(next)).toEqual(['m1', 'r1b']);
  });

  test('a recorded reply of another branch moves nothing', () => {
    const known = transcript(question, answer);
    const { next, stale } = applyToTranscript(
      known,
      change('reply_recorded', '14', { message: reply({ id: 'elsewhere', parent_id: 'm1' }) }),
    );
    expect(next).toBe(known);
    expect(stale).toBe(false);
  });

  test('a message whose parent is not here makes the transcript stale', () => {
    const { stale } = applyToTranscript(
      transcript(question),
      change('user_message_sent', '14', { message: row({ id: 'm9', parent_id: 'unknown' }) }),
    );
    expect(stale).toBe(true);
  });

  test('choosing a branch elsewhere makes the transcript stale; a rename does not', () => {
    expect(applyToTranscript(transcript(question), change('branch_selected', '14')).stale).toBe(true);
    expect(applyToTranscript(transcript(question), change('conversation_renamed', '14')).stale).toBe(false);
  });

  test('a row written down by this browser gives way to the committed one, whatever its version', () => {
    const local = row({ id: 'm1', version: 7, local: true });
    const placed = placeRow([local], row({ id: 'm1', version: 1, content: 'committed' }), true);
    expect(placed?.[0]?.content).toBe('committed');
  });

  test('a new first message begins a branch of its own', () => {
    expect(placeRow([question, answer], row({ id: 'm1b', parent_id: null }), true)?.map(({ id }) => id)).toEqual(['m1b']);
  });

  test('a refetched last page keeps the older pages that join up with it', () => {
    const cached = { ...transcript(row({ id: 'm0' }), question, answer), older: '/older' };
    const page = { ...transcript(question, answer, row({ id: 'm2', parent_id: 'r1' })), position: '20', older: '/x' };
    const merged = mergeLatestPage(cached, page);
    expect(ids(merged)).toEqual(['m0', 'm1', 'r1', 'm2']);
    expect(merged.older).toBe('/older');
  });

  test('an older page than the one shown is ignored', () => {
    const cached = { ...transcript(question, answer), position: '20' };
    expect(mergeLatestPage(cached, { ...transcript(question), position: '19' })).toBe(cached);
  });

  test('an older page goes in front, once', () => {
    const before = { ...transcript(question), older: '/older' };
    const next = prependOlderPage(before, { results: [row({ id: 'm0' }), question], next: null });
    expect(ids(next)).toEqual(['m0', 'm1']);
    expect(next.older).toBeNull();
  });
});
