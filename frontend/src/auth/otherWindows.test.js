import { beforeEach, expect, test, vi } from 'vitest';

import * as account from '../api/account.js';
import { listenToOtherWindows, tellOtherWindows } from './otherWindows.js';
import { setUser, useSession } from './session.js';

vi.mock('../api/account.js');

const ada = { id: 'ada', email: 'ada@example.org', display_name: '', is_staff: false, is_auditor: false, has_password: true };

/** Another window is another end of the same channel. @type {Map<string, Set<Channel>>} */
const ends = new Map();
class Channel {
  /** @type {((event: {data: unknown}) => void)|null} */
  onmessage = null;
  /** @param {string} name */
  constructor(name) {
    this.all = ends.get(name) ?? new Set();
    ends.set(name, this.all.add(this));
  }
  /** @param {unknown} data */
  postMessage(data) {
    for (const end of this.all) if (end !== this) end.onmessage?.({ data });
  }
  close() {
    this.all.delete(this);
  }
}

beforeEach(() => {
  ends.clear();
  vi.stubGlobal('BroadcastChannel', Channel);
  vi.mocked(account.fetchMe).mockResolvedValue(ada);
});

test('logging out in one window takes the person out of the others, and says why', () => {
  const other = new Channel('verbatim-session');
  const stop = listenToOtherWindows();
  setUser(ada);
  other.postMessage('out');
  expect(useSession.getState()).toEqual({ status: 'out', user: null, leftElsewhere: true });
  stop();
  setUser(ada);
  other.postMessage('out');
  expect(useSession.getState().status).toBe('in');
});

test('logging in in one window lets the others in', async () => {
  const other = new Channel('verbatim-session');
  listenToOtherWindows();
  setUser(null);
  other.postMessage('in');
  await vi.waitFor(() => expect(useSession.getState()).toMatchObject({ status: 'in', user: ada, leftElsewhere: false }));
});

test('a window tells the others, and stays as it is itself', () => {
  const other = new Channel('verbatim-session');
  const heard = vi.fn();
  other.onmessage = ({ data }) => heard(data);
  listenToOtherWindows();
  setUser(ada);
  tellOtherWindows('out');
  expect(heard).toHaveBeenCalledWith('out');
  expect(useSession.getState().status).toBe('in');
});
