/**
 * Connects the live stream with the cache and the live texts, and tells the page how the connection is.
 */
import { useEffect } from 'react';

import { fetchMe } from '../api/account.js';
import { LiveConnection } from '../api/live.js';
import { fetchCall } from '../api/modelCalls.js';
import { asProblem } from '../api/problems.js';
import { forgetLivePosition, livePosition } from '../api/positions.js';
import { expireSession, useSession } from '../auth/session.js';
import { liveText } from '../features/transcript/liveText.js';
import { announce } from '../ui/announcer.jsx';
import { createStore, useStore } from '../ui/store.js';
import { keys, receiveChange } from './cache.js';
import { queryClient } from './queryClient.js';

/** @typedef {import('../api/types.js').LiveCall} LiveCall */
/** @typedef {import('../api/types.js').LiveChange} LiveChange */
/** @typedef {import('./reduceChange.js').Transcript} Transcript */

/** @type {import('../ui/store.js').Store<import('../api/live.js').LiveStatus>} */
const status = createStore(/** @type {import('../api/live.js').LiveStatus} */ ('closed'));
/** Shorter cuts are mended before anybody could read about them. */
const SAID_AFTER_MS = 1_200;
const reconnecting = createStore(false);

export const useReconnecting = () => useStore(reconnecting);

/** @type {ReturnType<typeof setTimeout>|undefined} */
let sayTimer;

/** @param {import('../api/live.js').LiveStatus} now */
function onStatus(now) {
  status.set(now);
  if (now === 'lost') {
    sayTimer ??= setTimeout(() => {
      reconnecting.set(true);
      announce('Reconnecting…');
    }, SAID_AFTER_MS);
    return;
  }
  clearTimeout(sayTimer);
  sayTimer = undefined;
  if (reconnecting.get()) announce(now === 'open' ? 'Connected again' : '');
  reconnecting.set(false);
}

/**
 * The reply is durable and readable: usually its row has come already as a change; if not, fetch it.
 * @param {LiveCall} call
 */
function onCall(call) {
  liveText.setCallState(call);
  if (call.state === 'queued' && call.retry_at) void learnWhyAgain(call);
  if (call.state !== 'finished') return;
  for (const [key, transcript] of queryClient.getQueriesData({ queryKey: ['transcript'] })) {
    const rows = /** @type {Transcript|undefined} */ (transcript)?.rows ?? [];
    if (rows.some((row) => row.id === call.reply_id && row.outcome === 'pending')) {
      void queryClient.invalidateQueries({ queryKey: key });
    }
  }
}

/** @type {Set<string>} */
const asking = new Set();

/**
 * A call is tried again, and this tab was not there when its last attempt failed: the record says why.
 * @param {LiveCall} call
 */
async function learnWhyAgain({ call_id, reply_id }) {
  if (reply_id === null || asking.has(call_id) || liveText.read(reply_id).wait.failed) return;
  asking.add(call_id);
  try {
    const last = (await fetchCall(call_id)).attempts.at(-1);
    const error = /** @type {{code: string, message: string}|null|undefined} */ (last?.error);
    if (last && error) liveText.noteFailure(reply_id, { ...error, attempt: last.attempt });
  } catch {
    // What is waited for is shown in any case; the next frame asks again.
  } finally {
    asking.delete(call_id);
  }
}

/** @param {LiveChange} change */
function onChange(change) {
  receiveChange(change);
  const message = change.data?.message;
  if (change.kind === 'reply_recorded' && message) liveText.forget(message.id);
  // Takes the place of what was announced last, which may be a reply that is gone.
  if (change.kind === 'conversation_erased') announce('A conversation was erased');
}

async function onReset() {
  forgetLivePosition();
  await queryClient.invalidateQueries();
  reopen();
}

/** What is not there, was erased or is somebody else's has no words to listen to; without it the stream opens. */
function leaveWhatIsMissing() {
  if (shownConversation === null) return;
  const { error } = queryClient.getQueryState(keys.conversation(shownConversation)) ?? {};
  if (error && asProblem(error).status === 404) shownConversation = null;
}

/** @returns {Promise<boolean>} */
async function mayReopen() {
  leaveWhatIsMissing();
  try {
    if (await fetchMe()) return true;
  } catch {
    // The server does not answer at all: trying again is right, the banner says so meanwhile.
    return true;
  }
  expireSession();
  return false;
}

const connection = new LiveConnection({
  onChange,
  onChunk: (chunk) => liveText.addChunk(chunk),
  onCall,
  onReset: () => void onReset(),
  onStatus,
  mayReopen,
});

/** @type {string|null} */
let shownConversation = null;

function reopen() {
  connection.open({ cursor: livePosition, conversationId: () => shownConversation });
}

/**
 * Keep one stream open while somebody is logged in and the list is there; anew for each conversation on screen.
 * @param {boolean} ready the first page of the list has been fetched: its position is where the stream starts
 * @param {string|null} conversationId
 */
export function useLiveStream(ready, conversationId) {
  // A stream that ended with the session begins again when the person has logged in over the page.
  const listening = useSession((session) => session.status === 'in') && ready;
  useEffect(() => {
    if (!listening) return;
    shownConversation = conversationId;
    reopen();
  }, [listening, conversationId]);
  useEffect(() => {
    if (!listening) return undefined;
    return () => connection.close();
  }, [listening]);
}

/** @param {string} conversationId */
export function refreshTranscript(conversationId) {
  return queryClient.invalidateQueries({ queryKey: keys.transcript(conversationId) });
}
