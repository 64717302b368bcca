/**
 * "Show more" below a list that comes page by page. It goes when there is no more, so the focus goes to the first entry
 * that has come: who reads on with the keyboard reads on there.
 */
import { useEffect, useRef } from 'react';

import { Button } from './Button.jsx';

/**
 * @param {{
 *   query: {hasNextPage: boolean, isFetchingNextPage: boolean, fetchNextPage: () => Promise<{isError: boolean}>},
 *   label: string,
 *   entries: string,
 *   className?: string,
 * }} props entries: which elements beside it (below the same parent) are the list's entries, as a selector
 */
export function MoreButton({ query, label, entries, className }) {
  /** @type {import('react').RefObject<HTMLButtonElement|null>} */
  const button = useRef(null);
  /** @type {import('react').RefObject<{around: HTMLElement, shown: number}|null>} */
  const awaited = useRef(null);

  // The list grows in the same turn in which this is drawn anew, however much later than the answer that is.
  useEffect(() => {
    if (awaited.current === null) return;
    const { around, shown } = awaited.current;
    const first = around.querySelectorAll(entries)[shown];
    if (!(first instanceof HTMLElement)) return;
    awaited.current = null;
    if (!first.hasAttribute('tabindex')) first.tabIndex = -1;
    first.focus({ preventScroll: true });
  });

  if (!query.hasNextPage) return null;

  const more = async () => {
    const around = button.current?.parentElement;
    if (query.isFetchingNextPage || !around) return;
    awaited.current = { around, shown: around.querySelectorAll(entries).length };
    const { isError } = await query.fetchNextPage();
    if (isError) awaited.current = null;
  };
  // Never disabled: a button that is disabled loses the focus.
  return (
    <Button ref={button} className={className} aria-disabled={query.isFetchingNextPage || undefined} onClick={() => void more()}>
      {query.isFetchingNextPage ? 'Reading…' : label}
    </Button>
  );
}
