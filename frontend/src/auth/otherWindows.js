/**
 * Logging in and out reaches the other windows of this browser at once: they share the session. Windows elsewhere have
 * sessions of their own. What is told is only that something happened; each window asks the server who is logged in.
 */
import { queryClient } from '../app/queryClient.js';
import { leaveElsewhere, loadSession, useSession } from './session.js';

/** @typedef {'in'|'out'} Happened */

const NAME = 'verbatim-session';
/** @type {BroadcastChannel|null} */
let channel = null;

/** @param {Happened} happened */
export function tellOtherWindows(happened) {
  channel?.postMessage(happened);
}

/** @param {Happened} happened */
async function onTold(happened) {
  if (happened === 'out') {
    if (useSession.getState().status !== 'out') leaveElsewhere();
    return;
  }
  const before = useSession.getState();
  try {
    const user = await loadSession();
    // What was refused while nobody was logged in is asked for again.
    if (before.status === 'expired' && before.user?.id === user?.id) void queryClient.invalidateQueries();
  } catch {
    // The server does not answer: this window stays as it is, and finds out with its next request.
  }
}

/** @returns {() => void} */
export function listenToOtherWindows() {
  // A browser without channels learns of it from the server, a little later.
  if (typeof BroadcastChannel === 'undefined') return () => undefined;
  const opened = new BroadcastChannel(NAME);
  opened.onmessage = (event) => void onTold(event.data);
  channel = opened;
  return () => {
    opened.close();
    if (channel === opened) channel = null;
  };
}
