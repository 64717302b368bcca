/**
 * When another version of a message is chosen, the reader stays at it: its first line where it was if that was in
 * view, else the buttons that were pressed. What is below may be shorter or longer on the other branch; where it is
 * too short for that, the list stays as high as it was until the reader goes to its end.
 */
import { useCallback, useLayoutEffect, useRef } from 'react';

/** @typedef {import('./items.js').Item} Item */

const AT_END_PX = 2;
/** By then everything on the branch has been drawn and measured. */
const SETTLED_FRAMES = 3;

/**
 * @typedef {object} Kept
 * @property {string} versionId the version that is going to be shown
 * @property {HTMLElement} element what should stay where it is; it is used again for the other version
 * @property {HTMLElement} button
 * @property {Element} scroller
 * @property {number} top
 */

/**
 * @param {object} view
 * @param {Item[]} view.items
 * @param {boolean} view.pinned
 * @param {() => void} view.pin
 * @param {() => void} view.unpin
 * @returns {(versionId: string, button: HTMLElement) => void} to be called when a version is chosen
 */
export function useKeepVersionInPlace({ items, pinned, pin, unpin }) {
  /** @type {import('react').RefObject<Kept|null>} */
  const kept = useRef(null);
  /** All messages together, held as high as they were. */
  const held = useRef(/** @type {HTMLElement|null} */ (null));

  const keep = useCallback(
    /** @param {string} versionId @param {HTMLElement} button */ (versionId, button) => {
      const message = button.closest('article');
      const scroller = button.closest('[role="region"]');
      if (!message || !scroller) return;
      const inView = message.getBoundingClientRect().top >= scroller.getBoundingClientRect().top;
      const element = inView ? message : button;
      held.current = button.closest('[role="feed"]');
      held.current?.style.setProperty('min-height', `${scroller.scrollTop + scroller.clientHeight}px`);
      kept.current = { versionId, element, button, scroller, top: element.getBoundingClientRect().top };
    },
    [],
  );

  useLayoutEffect(() => {
    if (pinned) held.current?.style.removeProperty('min-height');
  }, [pinned]);

  useLayoutEffect(() => {
    const now = kept.current;
    if (!now || !items.some((item) => item.rows.some((row) => row.id === now.versionId))) return undefined;
    kept.current = null;
    const { scroller } = now;
    // The end of this branch is elsewhere: nobody is taken there.
    unpin();
    let frames = SETTLED_FRAMES;
    let frame = 0;
    const settle = () => {
      if (now.element.isConnected) scroller.scrollTop += now.element.getBoundingClientRect().top - now.top;
      frames -= 1;
      if (frames > 0) {
        frame = requestAnimationFrame(settle);
        return;
      }
      const atEnd = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop <= AT_END_PX;
      if (atEnd && !isHeldHigher(held.current)) pin();
    };
    settle();
    return () => cancelAnimationFrame(frame);
  }, [items, pin, unpin]);

  return keep;
}

/** @param {HTMLElement|null} content */
function isHeldHigher(content) {
  if (!content) return false;
  return parseFloat(content.style.minHeight) > parseFloat(content.style.height) + AT_END_PX;
}
