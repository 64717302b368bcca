/**
 * Puts committed changes, and the answers to this tab's own commands, into the cache, with the pure rules of
 * reduceChange.js. It also remembers the last changes for a while: a page that was on its way when a change
 * arrived gets the change applied on arrival.
 */
import { comparePositions, noteLivePosition } from '../api/positions.js';
import { applyToConversation, applyToList, applyToTranscript, placeRow } from './reduceChange.js';
import { queryClient } from './queryClient.js';

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
  models: ['models'],
  setup: ['setup'],
  /** @param {string} callId */
  prompt: (callId) => ['prompt', callId],
  /** @param {string} id */
  tree: (id) => ['tree', id],
  /** @param {string} id */
  replays: (id) => ['replays', id],
};

const REMEMBERED = 200;
/** @type {LiveChange[]} */
let recent = [];

/**
 * @template T
 * @param {readonly unknown[]} key
 * @param {(cached: T) => import('./reduceChange.js').Reduced<T>} reduce
 */
function reduceCached(key, reduce) {
  const cached = /** @type {T|undefined} */ (queryClient.getQueryData(key));
  if (cached === undefined) return;
  const { next, stale } = reduce(cached);
  if (next !== cached) queryClient.setQueryData(key, next);
  if (stale) void queryClient.invalidateQueries({ queryKey: key });
}

/** @param {LiveChange} change */
function applyToCaches(change) {
  for (const view of VIEWS) {
    reduceCached(keys.list(view), (/** @type {ConversationList} */ list) => applyToList(list, change, view));
  }
  reduceCached(keys.conversation(change.conversation_id), (/** @type {Conversation} */ conversation) =>
    applyToConversation(conversation, change),
  );
  reduceCached(keys.transcript(change.conversation_id), (/** @type {Transcript} */ transcript) =>
    applyToTranscript(transcript, change),
  );
}

/** What is not worked out from a change is fetched again: at once where it is on screen, else when it is next asked for. */
const CHANGES_TREE = /^(user_message|reply|branch)_/;
const CHANGES_REPLAYS = /^(replay|reply)_/;

/** @param {LiveChange} change */
function refetchWhatItTouches(change) {
  const id = change.conversation_id;
  if (CHANGES_TREE.test(change.kind)) void queryClient.invalidateQueries({ queryKey: keys.tree(id) });
  if (CHANGES_REPLAYS.test(change.kind)) void queryClient.invalidateQueries({ queryKey: keys.replays(id) });
}

/** @param {LiveChange} change a frame of the live stream */
export function receiveChange(change) {
  recent = [...recent.slice(1 - REMEMBERED), change];
  noteLivePosition(change.position);
  applyToCaches(change);
  refetchWhatItTouches(change);
}

/**
 * @param {ConversationList} list just fetched
 * @param {View} view
 */
export function catchUpList(list, view) {
  return recent
    .filter((change) => change.data?.conversation)
    .reduce((now, change) => applyToList(now, change, view).next, list);
}

/**
 * @param {string} conversationId
 * @param {Transcript} transcript just fetched
 */
export function catchUpTranscript(conversationId, transcript) {
  return recent
    .filter((change) => change.conversation_id === conversationId)
    .filter((change) => comparePositions(change.position, transcript.position) > 0)
    .reduce((now, change) => applyToTranscript(now, change).next, transcript);
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
 * Show a sent message and its pending reply before the live stream brings the rows.
 * @param {string} conversationId
 * @param {MessageAnswer} answer
 * @param {{content: string|null, parentId?: string|null, model: string|null}} sent content null: only a new reply
 */
export function showSent(conversationId, answer, sent) {
  const at = new Date().toISOString();
  const blank = { error: null, sibling_index: 0, sibling_count: 1, at, version: answer.version ?? 0, local: true };
  queryClient.setQueryData(keys.transcript(conversationId), (/** @type {Transcript|undefined} */ cached) => {
    if (!cached) return cached;
    let rows = cached.rows;
    let parentId = sent.parentId ?? rows.at(-1)?.id ?? null;
    if (sent.content !== null && answer.message_id) {
      /** @type {TranscriptRow} */
      const message = {
        ...blank,
        id: answer.message_id,
        parent_id: parentId,
        role: 'user',
        content: sent.content,
        outcome: null,
        call_id: null,
        model: null,
        sibling_ids: [answer.message_id],
      };
      if (!rows.some((row) => row.id === message.id)) rows = placeRow(rows, message, true) ?? rows;
      parentId = message.id;
    }
    /** @type {TranscriptRow} */
    const reply = {
      ...blank,
      id: answer.reply_id,
      parent_id: parentId,
      role: 'assistant',
      content: '',
      outcome: 'pending',
      call_id: answer.call_id,
      model: sent.model,
      sibling_ids: [answer.reply_id],
    };
    if (!rows.some((row) => row.id === reply.id)) rows = placeRow(rows, reply, true) ?? rows;
    return rows === cached.rows ? cached : { ...cached, rows };
  });
}

/** Somebody else logs in, or nobody: nothing of what was cached may stay. */
export function forgetEverything() {
  recent = [];
  queryClient.clear();
}
