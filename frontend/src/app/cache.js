/**
 * Puts committed changes, and the answers to this tab's own commands, into the cache, with the pure rules of
 * reduceChange.js. It also remembers the last changes for a while: a page that was on its way when a change
 * arrived gets the change applied on arrival.
 */
import { comparePositions, noteLivePosition } from '../api/positions.js';
import { isUnnamed } from '../features/conversations/naming.js';
import {
  TAKES_AWAY, applyToBranch, applyToConversation, applyToList, applyToTranscript, placeRow, withRows,
} from './reduceChange.js';
import { queryClient } from './queryClient.js';
import { forgetSelections, readerStays } from './selections.js';

/** @typedef {import('../api/types.js').LiveChange} LiveChange */
/** @typedef {import('../api/types.js').Conversation} Conversation */
/** @typedef {import('../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../api/types.js').MessageAnswer} MessageAnswer */
/** @typedef {import('./reduceChange.js').ConversationList} ConversationList */
/** @typedef {import('./reduceChange.js').Transcript} Transcript */
/** @typedef {import('./reduceChange.js').View} View */

/** @type {View[]} */
const VIEWS = ['active', 'archived'];
export const keys = {
  /** @param {View} view */
  list: (view) => ['conversations', view],
  /** @param {string} id */
  conversation: (id) => ['conversation', id],
  /** @param {string} id */
  transcript: (id) => ['transcript', id],
  /** @param {string} id @param {string} leafId a branch that is looked at without being selected */
  branch: (id, leafId) => ['transcript', id, 'leaf', leafId],
  /** @param {string} id @param {string} messageId which branch a message is shown on */
  through: (id, messageId) => ['through', id, messageId],
  models: ['models'],
  setup: ['setup'],
  /** @param {string} callId */
  prompt: (callId) => ['prompt', callId],
  /** @param {string} callId */
  call: (callId) => ['call', callId],
  /** @param {string} id */
  tree: (id) => ['tree', id],
  /** @param {string} id */
  replays: (id) => ['replays', id],
  auditReads: ['audit-reads'],
};

const REMEMBERED = 200;
/** @type {LiveChange[]} */
let recent = [];

/**
 * @template T
 * @param {readonly unknown[]} key
 * @param {(cached: T) => import('./reduceChange.js').Reduced<T>} reduce
 * @param {'active'|'none'} [refetchType] none: what is stale is fetched when it is shown next
 */
function reduceCached(key, reduce, refetchType = 'active') {
  const cached = /** @type {T|undefined} */ (queryClient.getQueryData(key));
  if (cached === undefined) return;
  const { next, stale } = reduce(cached);
  if (next !== cached) queryClient.setQueryData(key, next);
  if (stale) void queryClient.invalidateQueries({ queryKey: key, exact: true, refetchType });
}

/**
 * @param {readonly unknown[]} key of the selected branch
 * @param {(transcript: Transcript) => import('./reduceChange.js').Reduced<Transcript>} moves
 * @param {LiveChange} change
 */
function selectsAnother(key, moves, change) {
  /** @type {Transcript|undefined} */
  const cached = queryClient.getQueryData(key);
  return change.kind === 'branch_selected' && cached !== undefined && moves(cached).stale;
}

/** @param {LiveChange} change */
function applyToLists(change) {
  for (const view of VIEWS) {
    reduceCached(keys.list(view), (/** @type {ConversationList} */ list) => applyToList(list, change, view));
  }
}

/** How long a conversation that has just been started may take to get its first message, and a name with that. */
const NAMED_WITHIN_MS = 2_000;

/**
 * List a conversation that has no name yet only where none comes: its first message is usually on its way, and brings
 * a row of its own.
 * @param {LiveChange} change
 */
function listUnlessNamed(change) {
  const id = change.conversation_id;
  setTimeout(() => {
    const overtaken = recent.some((other) => other.conversation_id === id && comparePositions(other.position, change.position) > 0);
    if (!overtaken) applyToLists(change);
  }, NAMED_WITHIN_MS);
}

/** @param {string} id */
function isListed(id) {
  return VIEWS.some((view) => {
    /** @type {ConversationList|undefined} */
    const list = queryClient.getQueryData(keys.list(view));
    return list?.rows.some((row) => row.id === id) ?? false;
  });
}

/** @param {LiveChange} change */
function applyToCaches(change) {
  const row = change.data?.conversation;
  if (row && isUnnamed(row) && !isListed(row.id)) listUnlessNamed(change);
  else applyToLists(change);
  // Forks tell of the conversation they come from, so a change of one can show in others.
  for (const [key] of queryClient.getQueriesData({ queryKey: ['conversation'] })) {
    reduceCached(key, (/** @type {Conversation} */ conversation) => applyToConversation(conversation, change));
  }
  const selected = keys.transcript(change.conversation_id);
  const moves = (/** @type {Transcript} */ transcript) => applyToTranscript(transcript, change);
  reduceCached(selected, moves, selectsAnother(selected, moves, change) && readerStays(change) ? 'none' : 'active');
  for (const [key] of queryClient.getQueriesData({ queryKey: [...keys.transcript(change.conversation_id), 'leaf'] })) {
    reduceCached(key, (/** @type {Transcript} */ transcript) => applyToBranch(transcript, change));
  }
}

/** What is not worked out from a change is fetched again: at once where it is on screen, else when it is next asked for. */
const CHANGES_TREE = /^(user_message|reply|branch)_/;
const CHANGES_REPLAYS = /^(replay|reply)_/;
/** What was refused while a conversation was deleted can be read again. */
const BRINGS_BACK = 'conversation_restored';
const ERASES = 'conversation_erased';

/** @param {LiveChange} change */
function refetchWhatItTouches(change) {
  const id = change.conversation_id;
  if (CHANGES_TREE.test(change.kind)) void queryClient.invalidateQueries({ queryKey: keys.tree(id) });
  if (CHANGES_REPLAYS.test(change.kind)) void queryClient.invalidateQueries({ queryKey: keys.replays(id) });
  if (change.kind === ERASES) {
    // What was said is gone, and must not stay on a screen: fetched anew, which says that it was erased.
    for (const queryKey of [keys.transcript(id), keys.conversation(id), keys.tree(id), keys.replays(id)]) {
      void queryClient.resetQueries({ queryKey });
    }
  }
  if (change.kind === BRINGS_BACK) {
    void queryClient.invalidateQueries({ queryKey: keys.transcript(id) });
    void queryClient.invalidateQueries({ queryKey: keys.conversation(id) });
  }
}

const READ_BY_AUDIT = 'audit_read';

/** @param {LiveChange} change a frame of the live stream */
export function receiveChange(change) {
  recent = [...recent.slice(1 - REMEMBERED), change];
  noteLivePosition(change.position);
  if (change.kind === READ_BY_AUDIT) {
    // Nothing was said or changed: somebody has read.
    void queryClient.invalidateQueries({ queryKey: keys.auditReads });
    return;
  }
  applyToCaches(change);
  refetchWhatItTouches(change);
}

/**
 * @param {ConversationList} list just fetched
 * @param {View} view
 */
export function catchUpList(list, view) {
  return recent
    .filter((change) => change.data?.conversation || TAKES_AWAY.has(change.kind))
    .reduce((now, change) => applyToList(now, change, view).next, list);
}

/** @param {Conversation} conversation just fetched @returns {Conversation} */
export function catchUpConversation(conversation) {
  return recent
    .filter((change) => change.conversation_id === conversation.id && change.data?.conversation)
    .reduce((now, change) => applyToConversation(now, change).next, conversation);
}

/**
 * @param {string} conversationId
 * @param {Transcript} transcript just fetched
 * @param {boolean} [selected] false: a branch that was asked for by its end
 */
export function catchUpTranscript(conversationId, transcript, selected = true) {
  return caughtUp(conversationId, transcript, selected).next;
}

/**
 * @param {string} conversationId
 * @param {Transcript} transcript just fetched
 * @param {boolean} selected false: a branch that was asked for by its end
 * @returns {import('./reduceChange.js').Reduced<Transcript>} stale: a change since then does not say enough
 */
function caughtUp(conversationId, transcript, selected) {
  const apply = selected ? applyToTranscript : applyToBranch;
  let next = transcript;
  let stale = false;
  for (const change of recent) {
    if (change.conversation_id !== conversationId || comparePositions(change.position, transcript.position) <= 0) continue;
    const reduced = apply(next, change);
    next = reduced.next;
    stale ||= reduced.stale;
  }
  return { next, stale };
}

/** A page is as new as the newest change known when it was asked for, so the second is new enough but in a storm. */
const MOST_FETCHES = 4;

/**
 * A branch as of now: fetched again where it changed on its way in a manner that only a page can show.
 * @param {string} conversationId
 * @param {boolean} selected false: a branch that is asked for by its end
 * @param {() => Promise<Transcript>} fetchIt
 * @returns {Promise<Transcript>}
 */
export async function fetchCurrent(conversationId, selected, fetchIt) {
  for (let fetches = 1; ; fetches += 1) {
    const { next, stale } = caughtUp(conversationId, await fetchIt(), selected);
    if (!stale || fetches === MOST_FETCHES) return next;
  }
}

/**
 * The answer to a command about a conversation holds its fields as the aggregate has them; what only the read
 * table knows is taken from the cache.
 * @param {Partial<Conversation> & {id: string}} answer
 * @param {string} ownerId
 * @returns {Conversation}
 */
export function completeConversation(answer, ownerId) {
  const cached = findConversation(answer.id);
  const now = new Date().toISOString();
  return {
    title: '',
    owner: { id: ownerId, display_name: '' },
    settings: { system_prompt: '', model: '', params: {} },
    version: 0,
    selected_leaf_id: null,
    pinned: false,
    archived: false,
    deleted: false,
    created_at: now,
    updated_at: now,
    message_count: 0,
    pending_reply: false,
    forked_from: null,
    ...cached,
    ...answer,
  };
}

/**
 * @param {string} id
 * @returns {Conversation|undefined}
 */
export function findConversation(id) {
  /** @type {Conversation|undefined} */
  const detail = queryClient.getQueryData(keys.conversation(id));
  if (detail) return detail;
  for (const view of VIEWS) {
    /** @type {ConversationList|undefined} */
    const list = queryClient.getQueryData(keys.list(view));
    const row = list?.rows.find((candidate) => candidate.id === id);
    if (row) return row;
  }
  return undefined;
}

/**
 * Show this tab's own change at once; the same change comes again on the live stream and alters nothing.
 * @param {Conversation} conversation
 * @param {string} position
 */
export function showConversation(conversation, position) {
  applyToCaches({ position, kind: 'own_command', conversation_id: conversation.id, data: { conversation } });
  if (queryClient.getQueryData(keys.conversation(conversation.id)) === undefined) {
    queryClient.setQueryData(keys.conversation(conversation.id), conversation);
  }
}

/** @param {string} id @param {string} position */
export function startEmptyTranscript(id, position) {
  queryClient.setQueryData(keys.transcript(id), (/** @type {Transcript|undefined} */ cached) =>
    cached ?? { rows: [], position, older: null },
  );
}

/**
 * @typedef {object} Sent what a command asked for
 * @property {string|null} content null: only a new reply
 * @property {string|null} [parentId] null: a new beginning; absent: below the last message
 * @property {string|null} model
 * @property {string|null} [continues] the reply whose text goes on in the new one
 */

/**
 * Show a sent message and its pending reply before the live stream brings the rows.
 * @param {string} conversationId
 * @param {MessageAnswer} answer
 * @param {Sent} sent
 */
export function showSent(conversationId, answer, sent) {
  const blank = { conversation_id: conversationId, at: new Date().toISOString(), version: answer.version ?? 0 };
  queryClient.setQueryData(keys.transcript(conversationId), (/** @type {Transcript|undefined} */ cached) => {
    if (!cached) return cached;
    let rows = cached.rows;
    let parentId = sent.parentId === undefined ? (rows.at(-1)?.id ?? null) : sent.parentId;
    if (sent.content !== null && answer.message_id) {
      const message = { ...blank, id: answer.message_id, parent_id: parentId, content: sent.content };
      rows = withLocalRow(rows, { ...message, role: 'user', outcome: null, call_id: null, model: null, continues: null });
      parentId = message.id;
    }
    const reply = { ...blank, id: answer.reply_id, parent_id: parentId, content: '', call_id: answer.call_id };
    const continues = answer.message_id ? null : (sent.continues ?? null);
    rows = withLocalRow(rows, { ...reply, role: 'assistant', outcome: 'pending', model: sent.model, continues });
    return rows === cached.rows ? cached : withRows(cached, rows);
  });
}

/**
 * @typedef {'conversation_id'|'at'|'version'|'id'|'parent_id'|'content'|'role'|'outcome'|'call_id'|'model'|'continues'} KnownAtOnce
 */

/**
 * @param {TranscriptRow[]} rows
 * @param {Pick<TranscriptRow, KnownAtOnce>} known
 * @returns {TranscriptRow[]} the same array where the row has come on the live stream already
 */
function withLocalRow(rows, known) {
  if (rows.some((row) => row.id === known.id)) return rows;
  const beside = rows.find((row) => row.parent_id === known.parent_id)?.sibling_ids ?? [];
  const sibling_ids = [...beside, known.id];
  /** @type {TranscriptRow} */
  const row = {
    error: null,
    inherited: false,
    hidden: false,
    omitted_count: null,
    replay: null,
    sibling_ids,
    sibling_index: beside.length,
    sibling_count: sibling_ids.length,
    local: true,
    ...known,
  };
  return placeRow(rows, row, true) ?? rows;
}

/**
 * The branch on screen becomes the one this tab shows as selected: something was sent below it, or it was chosen.
 * @param {string} conversationId
 * @param {Transcript} transcript
 */
export async function adoptBranch(conversationId, transcript) {
  // A page of the branch selected before must not arrive after this.
  await queryClient.cancelQueries({ queryKey: keys.transcript(conversationId), exact: true });
  queryClient.setQueryData(keys.transcript(conversationId), transcript);
}

/** Somebody else logs in, or nobody: nothing of what was cached may stay. */
export function forgetEverything() {
  recent = [];
  forgetSelections();
  queryClient.clear();
}
