import { describe, expect, test } from 'vitest';

import { change, conversation, reply, row } from '../test-data.js';
import {
  appendPage,
  applyToBranch,
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

  test('that is a fork keeps all it knows of its source, and names it as that is named now', () => {
    const origin = { conversation_id: 's', version: 9, message_id: 'm4' };
    const fork = conversation({ id: 'a', forked_from: { ...origin, title: 'Source', deleted: false, message_number: 4 } });
    const own = change('conversation_renamed', '11', { conversation: conversation({ id: 'a', version: 2, forked_from: origin }) });
    expect(applyToConversation(fork, own).next.forked_from).toEqual(fork.forked_from);
    const gone = change('conversation_deleted', '12', { conversation: conversation({ id: 's', title: 'Old source', deleted: true }) });
    expect(applyToConversation(fork, gone).next.forked_from).toMatchObject({ title: 'Old source', deleted: true, message_number: 4 });
    expect(applyToConversation(fork, change('conversation_renamed', '13', { conversation: conversation({ id: 'other' }) })).next).toBe(fork);
  });

  test('is fetched again when branches are hidden or shown, and when a message may bring a hidden one back', () => {
    const row = conversation({ id: 'a', version: 2 });
    const stale = (/** @type {string} */ kind, hidden = 0) =>
      applyToConversation(conversation({ id: 'a', hidden_branch_count: hidden }), change(kind, '11', { conversation: row })).stale;
    expect(stale('branch_hidden')).toBe(true);
    expect(stale('branch_shown')).toBe(true);
    expect(stale('user_message_sent')).toBe(false);
    expect(stale('user_message_sent', 1)).toBe(true);
    expect(stale('conversation_renamed', 1)).toBe(false);
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
    expect(applyToTranscript(transcript(question), change('branch_selected', '14', { leaf_id: 'r9' })).stale).toBe(true);
    expect(applyToTranscript(transcript(question), change('branch_selected', '14')).stale).toBe(true);
    expect(applyToTranscript(transcript(question), change('conversation_renamed', '14')).stale).toBe(false);
  });

  test('the branch that is shown already may be selected: nothing is fetched for it', () => {
    const known = transcript(question, answer);
    expect(applyToTranscript(known, change('branch_selected', '14', { leaf_id: 'r1' }))).toEqual({ next: known, stale: false });
  });

  test('a version made elsewhere is counted at the one that is shown', () => {
    const versions = { sibling_ids: ['r1', 'r1b'], sibling_count: 2 };
    const elsewhere = reply({ id: 'r1b', parent_id: 'm1', ...versions, sibling_index: 1 });
    const { next } = applyToTranscript(transcript(question, answer), change('reply_recorded', '14', { message: elsewhere }));
    expect(next.rows.map(({ id, sibling_index, sibling_count }) => [id, sibling_index, sibling_count])).toEqual([
      ['m1', 0, 1], ['r1', 0, 2],
    ]);
    expect(applyToTranscript(next, change('reply_recorded', '14', { message: elsewhere })).next).toBe(next);
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

describe('a branch that is looked at without being selected', () => {
  const question = row({ id: 'm1' });
  const pending = reply({ id: 'r1', parent_id: 'm1', outcome: 'pending', content: '', version: 3 });
  const branch = transcript(question, pending);

  test('is not moved by what is selected or said elsewhere', () => {
    expect(applyToBranch(branch, change('branch_selected', '14', { leaf_id: 'r9' }))).toEqual({ next: branch, stale: false });
    const below = change('user_message_sent', '15', { message: row({ id: 'm2', parent_id: 'r1' }) });
    expect(applyToBranch(branch, below)).toEqual({ next: branch, stale: false });
    const first = change('user_message_sent', '16', { message: row({ id: 'm1b', parent_id: null }) });
    expect(ids(applyToBranch(branch, first).next)).toEqual(['m1', 'r1']);
    const unknown = change('user_message_sent', '17', { message: row({ id: 'm9', parent_id: 'not here' }) });
    expect(applyToBranch(branch, unknown)).toEqual({ next: branch, stale: false });
  });

  test('shows its own reply when that is recorded, and counts new versions', () => {
    const recorded = reply({ id: 'r1', parent_id: 'm1', version: 4 });
    expect(applyToBranch(branch, change('reply_recorded', '14', { message: recorded })).next.rows[1]?.outcome).toBe('complete');
    const other = reply({ id: 'r1b', parent_id: 'm1', outcome: 'pending', sibling_ids: ['r1', 'r1b'], sibling_count: 2, sibling_index: 1 });
    const { next } = applyToBranch(branch, change('reply_requested', '15', { message: other }));
    expect(ids(next)).toEqual(['m1', 'r1']);
    expect(next.rows[1]?.sibling_count).toBe(2);
  });

  test('is fetched again when branches are hidden or shown', () => {
    expect(applyToBranch(branch, change('branch_hidden', '14', { leaf_id: 'r1' })).stale).toBe(true);
  });
});
