/** Whether the list of conversations is shown: beside the page on wide screens, as a drawer on narrow ones. */
import { createStore, useStore } from '../ui/store.js';
import { useMedia } from '../ui/useMedia.js';

const KEY = 'verbatim:sidebar';
const WIDE = '(min-width: 48rem)';

function storedChoice() {
  try {
    return localStorage.getItem(KEY) !== 'hidden';
  } catch {
    // No storage: shown, as on a first visit.
    return true;
  }
}

const beside = createStore(storedChoice());
const drawer = createStore(false);

/** @param {boolean} shown */
function rememberBeside(shown) {
  beside.set(shown);
  try {
    localStorage.setItem(KEY, shown ? 'shown' : 'hidden');
  } catch {
    // No storage: the choice lasts until the page is left.
  }
}

export function toggleSidebar() {
  if (window.matchMedia(WIDE).matches) rememberBeside(!beside.get());
  else drawer.set((open) => !open);
}

/** @param {boolean} open */
export const setDrawer = (open) => drawer.set(open);

export function useSidebar() {
  const wide = useMedia(WIDE);
  const shownBeside = useStore(beside);
  const drawerOpen = useStore(drawer);
  return { wide, drawerOpen: drawerOpen && !wide, visible: wide && shownBeside };
}
