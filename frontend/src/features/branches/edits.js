/**
 * Messages that are being edited in place, in this tab. What is typed stays here until the server has accepted it,
 * also while the message is scrolled out of the page. It may not change a message: it only holds another text for it.
 */
import { useCallback, useSyncExternalStore } from 'react';

import { createStore } from '../../ui/store.js';

/** @typedef {import('../../api/problems.js').Problem} Problem */

/**
 * @typedef {object} Edit
 * @property {string} text
 * @property {boolean} sending
 * @property {Problem|null} problem why it was not accepted
 * @property {{text: string, key: string}|null} tried the same text is sent again under the same key
 */

/** @type {import('../../ui/store.js').Store<Record<string, Edit>>} */
const edits = createStore(/** @type {Record<string, Edit>} */ ({}));

/**
 * @param {string} messageId
 * @returns {Edit|null} null: it is not being edited
 */
export function useEdit(messageId) {
  const read = useCallback(() => edits.get()[messageId] ?? null, [messageId]);
  return useSyncExternalStore(edits.subscribe, read);
}

/** @param {string} messageId @param {Partial<Edit>} fields */
function put(messageId, fields) {
  edits.set((now) => {
    const edit = now[messageId];
    return edit ? { ...now, [messageId]: { ...edit, ...fields } } : now;
  });
}

/** @param {string} messageId @param {string} text */
export function beginEdit(messageId, text) {
  edits.set((now) => ({ ...now, [messageId]: { text, sending: false, problem: null, tried: null } }));
}

/** @param {string} messageId @param {string} text */
export function changeEdit(messageId, text) {
  put(messageId, { text, problem: null });
}

/** It was accepted, or given up. @param {string} messageId */
export function endEdit(messageId) {
  edits.set((now) => {
    const others = { ...now };
    delete others[messageId];
    return others;
  });
}

/**
 * @param {string} messageId
 * @returns {{text: string, key: string}|null} null: nothing to send, or it is on its way already
 */
export function beginSendingEdit(messageId) {
  const edit = edits.get()[messageId];
  if (!edit || edit.sending || edit.text.trim() === '') return null;
  const tried = edit.tried?.text === edit.text ? edit.tried : { text: edit.text, key: crypto.randomUUID() };
  put(messageId, { sending: true, problem: null, tried });
  return tried;
}

/** @param {string} messageId @param {Problem} problem */
export function sendingEditFailed(messageId, problem) {
  put(messageId, { sending: false, problem });
}

/** Somebody else logs in, or nobody. */
export function forgetEdits() {
  edits.set({});
}
