/**
 * Who is logged in. The only Zustand store of the application; it is not persisted and holds no secret:
 * the session itself is a cookie that scripts cannot read.
 */
import { create } from 'zustand';

import { fetchMe } from '../api/account.js';
import { whenLoggedOut } from '../api/http.js';

/** @typedef {import('../api/types.js').Me} Me */

/**
 * unknown: not asked yet · out: nobody · in: `user` · expired: `user` was logged in, and the server no longer
 * knows the session; the page stays as it is under a log-in dialog.
 * @typedef {object} Session
 * @property {'unknown'|'out'|'in'|'expired'} status
 * @property {Me|null} user
 * @property {boolean} leftElsewhere nobody is logged in because somebody logged out in another window
 */

export const useSession = create(/** @returns {Session} */ () => ({ status: 'unknown', user: null, leftElsewhere: false }));

/** @param {Me|null} user */
export function setUser(user) {
  useSession.setState({ status: user ? 'in' : 'out', user, leftElsewhere: false });
}

/** Somebody logged out in another window: nothing of theirs stays on this screen either. */
export function leaveElsewhere() {
  useSession.setState({ status: 'out', user: null, leftElsewhere: true });
}

export function expireSession() {
  if (useSession.getState().status === 'in') useSession.setState({ status: 'expired' });
}

/**
 * Ask the server who we are and remember the answer.
 * @returns {Promise<Me|null>}
 */
export async function loadSession() {
  const user = await fetchMe();
  setUser(user);
  return user;
}

whenLoggedOut(expireSession);
