/** Which ended replays a person has seen and put away, remembered in this browser. */
import { createStore, useStore } from '../../ui/store.js';

const STORED_AT = 'verbatim:replays-put-away';
const REMEMBERED = 50;

/** @returns {string[]} */
function read() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORED_AT) ?? '[]');
    return Array.isArray(stored) ? stored.map(String) : [];
  } catch {
    // Not readable, or storage is not allowed here: then every ended replay is simply shown again.
    return [];
  }
}

const putAwayIds = createStore(read());

export const usePutAway = () => useStore(putAwayIds);

/** @param {string} replayId */
export function putAway(replayId) {
  const ids = [...putAwayIds.get(), replayId].slice(-REMEMBERED);
  putAwayIds.set(ids);
  try {
    localStorage.setItem(STORED_AT, JSON.stringify(ids));
  } catch {
    // Without storage it stays away until the page is loaded again.
  }
}
