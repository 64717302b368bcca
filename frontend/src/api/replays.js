/** Replays: running the user messages of a branch again, as a new branch. */
import { command, get } from './http.js';
import { knownPosition, notePosition } from './positions.js';

/**
 * @typedef {Record<string, string|number|string[]>} Params numbers come as decimal texts and may be sent as either
 *
 * @typedef {object} Replay
 * @property {string} id
 * @property {string} conversation_id
 * @property {string} source_leaf_id the end of the branch that is run again
 * @property {string} model
 * @property {Params} params
 * @property {string|null} system_prompt null: the one in force
 * @property {'running'|'finished'|'failed'|'cancelled'} state
 * @property {number} turns_done
 * @property {number} turns_total
 * @property {string|null} leaf_id the newest message of the new branch
 * @property {string[]} call_ids one per turn: the latest try
 * @property {{code: string, message: string}|null} error
 * @property {string} requested_at
 * @property {string|null} ended_at
 *
 * @typedef {object} ReplayWish what differs from the branch as it stands; at least one field
 * @property {string} [model]
 * @property {Params} [params]
 * @property {string} [system_prompt]
 * @property {string} [leaf_id]
 *
 * @typedef {{replay_id: string, turns_total: number, version: number, position: string}} ReplayAnswer
 */

const fresh = () => (knownPosition() === null ? {} : { after: knownPosition() });

/**
 * @template {{position?: string}} T
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
async function noted(answer) {
  const body = await answer;
  notePosition(body?.position);
  return body;
}

/**
 * @param {string} conversationId
 * @param {ReplayWish} wish
 * @param {string} key the same for a repeat of the same intent
 * @returns {Promise<ReplayAnswer>}
 */
export function requestReplay(conversationId, wish, key) {
  return noted(command('POST', `/api/conversations/${conversationId}/replay/`, wish, key));
}

/**
 * @param {string} replayId
 * @returns {Promise<{position: string}>}
 */
export function cancelReplay(replayId) {
  return noted(command('POST', `/api/replays/${replayId}/cancel/`, {}));
}

/**
 * Goes on at the turn that did not come to a reply.
 * @param {string} replayId
 * @returns {Promise<{reply_id: string, call_id: string, position: string}>}
 */
export function resumeReplay(replayId) {
  return noted(command('POST', `/api/replays/${replayId}/resume/`, {}));
}

/**
 * The replays of a conversation, newest first.
 * @param {string} conversationId
 * @param {AbortSignal} [signal]
 * @returns {Promise<Replay[]>}
 */
export async function fetchReplays(conversationId, signal) {
  const url = `/api/conversations/${conversationId}/replays/`;
  /** @type {{results: Replay[], position: string}} */
  const answer = await noted(get(url, { params: fresh(), signal }));
  return answer.results;
}
