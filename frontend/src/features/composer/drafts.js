/**
 * What a person has written and not yet sent, per conversation, kept in this browser. A text that is being
 * sent stays here, with its idempotency keys, until the server has accepted it: a reload or a failure in
 * between loses nothing, and sending it again makes no second message.
 */
import { createStore, useStore } from '../../ui/store.js';

/**
 * @typedef {object} Intent One decision to send, however often it is tried.
 * @property {string} content
 * @property {string} messageKey
 * @property {string} conversationKey used when the conversation must be started first
 * @property {string|null} [parentId] the message it answers: the last one that was shown when it was first tried
 *
 * @typedef {object} Draft
 * @property {string} text what the composer shows
 * @property {Intent|null} sending on its way now
 * @property {Intent|null} last tried without a clear answer: the same text is sent under the same keys again
 */

/** @typedef {import('../../ui/store.js').Store<Draft>} DraftStore */

/** @type {Draft} */
const EMPTY = { text: '', sending: null, last: null };
export const NEW = 'new';
/** @type {Map<string, DraftStore>} */
const stores = new Map();

/**
 * @param {string} key
 * @returns {Draft}
 */
function readStored(key) {
  let stored = null;
  try {
    stored = localStorage.getItem(key);
  } catch {
    // The browser offers no storage: drafts live as long as the page.
  }
  if (!stored) return EMPTY;
  try {
    const { text = '', sending = null, last = null } = JSON.parse(stored);
    // Nothing is on its way right after a load: what was being sent is offered again.
    return { text: restoredText({ text, sending, last }), sending: null, last: sending ?? last };
  } catch {
    // Not ours, or cut off: a draft that cannot be read is no draft.
    return EMPTY;
  }
}

/**
 * @param {string} key
 * @param {Draft} draft
 */
function writeStored(key, draft) {
  try {
    if (draft.text === '' && draft.sending === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(draft));
  } catch {
    // No storage, or it is full: the draft still lives as long as the page.
  }
}

/**
 * @param {string} userId
 * @param {string} conversationId or NEW
 * @returns {DraftStore}
 */
export function draftOf(userId, conversationId) {
  const key = `verbatim:draft:${userId}:${conversationId}`;
  let store = stores.get(key);
  if (!store) {
    const created = createStore(readStored(key));
    created.subscribe(() => writeStored(key, created.get()));
    stores.set(key, (store = created));
  }
  return store;
}

/** @param {string} userId @param {string} conversationId */
export const useDraft = (userId, conversationId) => useStore(draftOf(userId, conversationId));

/** Read everything from storage again: for tests, which play a reload. */
export const forgetLoadedDrafts = () => stores.clear();

/**
 * Begin to send what is written. Null when there is nothing to send or a message is on its way already.
 * @param {DraftStore} store
 * @param {string|null} [parentId]
 * @returns {Intent|null}
 */
export function beginSending(store, parentId = null) {
  const draft = store.get();
  if (draft.sending || draft.text.trim() === '') return null;
  const intent =
    draft.last?.content === draft.text
      ? draft.last
      : { content: draft.text, messageKey: crypto.randomUUID(), conversationKey: crypto.randomUUID(), parentId };
  store.set({ text: '', sending: intent, last: null });
  return intent;
}

/** @param {DraftStore} store */
export function sendingAccepted(store) {
  store.set((draft) => ({ ...draft, sending: null, last: null }));
}

/** @param {DraftStore} store */
export function sendingFailed(store) {
  store.set((draft) => ({ text: restoredText(draft), sending: null, last: draft.sending }));
}

/**
 * The conversation exists now: what is on its way, and what was typed since, belongs to it.
 * @param {DraftStore} from
 * @param {DraftStore} to
 */
export function moveDraft(from, to) {
  to.set(from.get());
  from.set(EMPTY);
}

/**
 * What was being sent, followed by what has been typed since.
 * @param {Draft} draft
 * @returns {string}
 */
export function restoredText(draft) {
  if (!draft.sending) return draft.text;
  return draft.text ? `${draft.sending.content}\n\n${draft.text}` : draft.sending.content;
}
