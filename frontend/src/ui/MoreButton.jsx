/**
 * "Show more" below a list that comes page by page. It goes when there is no more, so the focus goes to the first entry
 * that has come: who reads on with the keyboard reads on there.
 */
import { useRef } from 'react';

import { Button } from './Button.jsx';

/**
 * @param {{
 *   query: {hasNextPage: boolean, isFetchingNextPage: boolean, fetchNextPage: () => Promise<unknown>},
 *   label: string,
 *   entries: string,
 *   className?: string,
 * }} props entries: which elements beside it (below the same parent) are the list's entries, as a selector
 */
export function MoreButton({ query, label, entries, className }) {
  /** @type {import('react').RefObject<HTMLButtonElement|null>} */
  const button = useRef(null);
  if (!query.hasNextPage) return null;

  const more = async () => {
    const around = button.current?.parentElement;
    if (query.isFetchingNextPage || !around) return;
    const found = () => /** @type {NodeListOf<HTMLElement>} */ (around.querySelectorAll(entries));
    const before = found().length;
    await query.fetchNextPage();
    requestAnimationFrame(() => {
      const first = found()[before];
      if (!first) return;
      if (!first.hasAttribute('tabindex')) first.tabIndex = -1;
      first.focus({ preventScroll: true });
    });
  };
  // Never disabled: a button that is disabled loses the focus.
  return (
    <Button ref={button} className={className} aria-disabled={query.isFetchingNextPage || undefined} onClick={() => void more()}>
      {query.isFetchingNextPage ? 'Reading…' : label}
    </Button>
  );
}
