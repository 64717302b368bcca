/**
 * Keeps a scrolling element at its end while its content grows, until the reader scrolls up.
 * Any move up by the reader (wheel, touch, keys, scroll bar) lets go at once; reaching the end again, or
 * `pin()`, holds on again. Growth of the content alone never lets go.
 */
import { useCallback, useEffect, useRef, useState } from 'react';

const AT_END_PX = 2;

export function useStickToBottom() {
  /** @type {import('react').RefObject<HTMLDivElement|null>} */
  const scroller = useRef(null);
  /** @type {import('react').RefObject<HTMLDivElement|null>} */
  const content = useRef(null);
  const pinnedRef = useRef(true);
  const lastTop = useRef(0);
  const [pinned, setPinned] = useState(true);

  const setBoth = useCallback(/** @param {boolean} value */ (value) => {
    pinnedRef.current = value;
    setPinned(value);
  }, []);

  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    element.scrollTop = element.scrollHeight;
    lastTop.current = element.scrollTop;
  }, []);

  const pin = useCallback(() => {
    setBoth(true);
    toEnd();
  }, [setBoth, toEnd]);

  const unpin = useCallback(() => setBoth(false), [setBoth]);

  useEffect(() => {
    const element = scroller.current;
    const inner = content.current;
    if (!element || !inner) return undefined;
    let touchY = 0;
    const distance = () => element.scrollHeight - element.clientHeight - element.scrollTop;
    const canScroll = () => element.scrollHeight > element.clientHeight + AT_END_PX;

    /** @param {WheelEvent} event */
    const onWheel = (event) => {
      if (event.deltaY < 0 && canScroll()) unpin();
    };
    /** @param {TouchEvent} event */
    const onTouchStart = (event) => {
      touchY = event.touches[0]?.clientY ?? 0;
    };
    /** @param {TouchEvent} event */
    const onTouchMove = (event) => {
      if ((event.touches[0]?.clientY ?? 0) > touchY + 2 && canScroll()) unpin();
    };
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      if (['PageUp', 'ArrowUp', 'Home'].includes(event.key) && canScroll()) unpin();
    };
    let pressed = false;
    const onPress = () => {
      pressed = true;
    };
    const onRelease = () => {
      pressed = false;
    };
    const onScroll = () => {
      const wentUp = element.scrollTop < lastTop.current - 1;
      // An event of our own last move to the end may come after the reader has let go: it moves nothing.
      const wentDown = element.scrollTop > lastTop.current;
      lastTop.current = element.scrollTop;
      if (pinnedRef.current && pressed && wentUp && distance() > AT_END_PX) unpin();
      else if (!pinnedRef.current && wentDown && distance() <= AT_END_PX) setBoth(true);
    };
    const observer = new ResizeObserver(() => {
      if (pinnedRef.current) toEnd();
    });
    observer.observe(inner);
    observer.observe(element);
    element.addEventListener('wheel', onWheel, { passive: true });
    element.addEventListener('touchstart', onTouchStart, { passive: true });
    element.addEventListener('touchmove', onTouchMove, { passive: true });
    element.addEventListener('keydown', onKey);
    element.addEventListener('pointerdown', onPress);
    window.addEventListener('pointerup', onRelease);
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('wheel', onWheel);
      element.removeEventListener('touchstart', onTouchStart);
      element.removeEventListener('touchmove', onTouchMove);
      element.removeEventListener('keydown', onKey);
      element.removeEventListener('pointerdown', onPress);
      window.removeEventListener('pointerup', onRelease);
      element.removeEventListener('scroll', onScroll);
    };
  }, [setBoth, toEnd, unpin]);

  return { scroller, content, pinned, pin, unpin, toEnd };
}
