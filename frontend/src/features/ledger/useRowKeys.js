/**
 * The keys of a list of links: the Tab key goes to one of them, the arrows from one to the next, Enter follows it.
 * Each link names its row in `data-row`.
 */
import { useCallback, useState } from 'react';

const ROW = '[data-row]';

/**
 * @param {string[]} ids of the rows, in order
 * @param {string|null} first which one the Tab key goes to before any was reached
 */
export function useRowKeys(ids, first) {
  const [reached, setReached] = useState(first);
  const current = reached !== null && ids.includes(reached) ? reached : (ids[0] ?? null);

  /** @type {import('react').KeyboardEventHandler<HTMLElement>} */
  const onKeyDown = useCallback((event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const links = /** @type {HTMLElement[]} */ ([...event.currentTarget.querySelectorAll(ROW)]);
    const index = links.indexOf(/** @type {HTMLElement} */ (event.target));
    const next = index < 0 ? -1 : nextIndex(event.key, index, links.length);
    if (next < 0) return;
    event.preventDefault();
    links[next]?.focus();
  }, []);

  /** @type {import('react').FocusEventHandler<HTMLElement>} */
  const onFocus = useCallback((event) => {
    const row = /** @type {HTMLElement} */ (event.target).dataset.row;
    if (row) setReached(row);
  }, []);

  return {
    /** For the element around the links. */
    around: { onKeyDown, onFocus },
    /** For each link. @param {string} id */
    link: (id) => ({ 'data-row': id, tabIndex: id === current ? 0 : -1 }),
  };
}

/**
 * @param {string} key
 * @param {number} index
 * @param {number} count
 * @returns {number} -1: not a key for this
 */
function nextIndex(key, index, count) {
  if (key === 'ArrowDown') return Math.min(count - 1, index + 1);
  if (key === 'ArrowUp') return Math.max(0, index - 1);
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  return -1;
}
