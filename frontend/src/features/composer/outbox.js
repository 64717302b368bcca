/**
 * Messages on their way to the server, for the moment between Enter and the server's answer, and what went
 * wrong with the last one. The text itself stays in the draft until the server has accepted it.
 */
import { createStore, useStore } from '../../ui/store.js';

/** @typedef {import('../../api/problems.js').Problem} Problem */

/**
 * @typedef {object} Pending
 * @property {string} key the message's idempotency key
 * @property {string} conversationId or 'new' until the conversation exists
 * @property {string} content
 * @property {string|null} parentId the last message shown when it was sent
 */

/** @type {import('../../ui/store.js').Store<Pending[]>} */
const outbox = createStore(/** @type {Pending[]} */ ([]));
/** @type {import('../../ui/store.js').Store<Record<string, Problem|null>>} */
const problems = createStore(/** @type {Record<string, Problem|null>} */ ({}));

/** @param {Pending} pending */
export function putInOutbox(pending) {
  outbox.set((now) => [...now.filter((other) => other.key !== pending.key), pending]);
}

/** @param {string} key @param {string} conversationId */
export function readdress(key, conversationId) {
  outbox.set((now) => now.map((pending) => (pending.key === key ? { ...pending, conversationId } : pending)));
}

/** @param {string} key */
export function takeFromOutbox(key) {
  outbox.set((now) => now.filter((pending) => pending.key !== key));
}

/** @returns {Pending[]} */
export const useOutbox = () => useStore(outbox);

/** @param {string} conversationId @param {Problem|null} problem */
export function setSendProblem(conversationId, problem) {
  problems.set((now) => (now[conversationId] === problem ? now : { ...now, [conversationId]: problem }));
}

/** @param {string} conversationId */
export const useSendProblem = (conversationId) => useStore(problems)[conversationId] ?? null;

/**
 * Those still to be shown: not the ones whose row has come on the live stream before the answer did.
 * @param {Pending[]} pending
 * @param {string} conversationId
 * @param {import('../../api/types.js').TranscriptRow[]} rows
 */
export function stillPending(pending, conversationId, rows) {
  return pending.filter(
    (message) =>
      message.conversationId === conversationId &&
      !rows.some(
        (row) => row.role === 'user' && row.parent_id === message.parentId && row.content === message.content,
      ),
  );
}
