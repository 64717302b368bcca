/** What is found for a text that is still being typed: asked for after a short rest, given up when it has changed. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

import { searchFor } from '../../api/search.js';

const REST_MS = 180;
const KEPT_MS = 60_000;

/**
 * @template T
 * @param {T} value
 * @returns {T} the value as it was when it had last rested
 */
function useRested(value) {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), REST_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return rested;
}

/**
 * @param {string} text
 * @param {string|null} conversationId null: everywhere
 */
export function useSearch(text, conversationId) {
  const wanted = text.trim();
  const query = useRested(wanted);
  const found = useInfiniteQuery({
    queryKey: ['search', query, conversationId],
    enabled: query !== '' && wanted !== '',
    initialPageParam: /** @type {string|null} */ (null),
    queryFn: ({ pageParam, signal }) => searchFor(query, { conversationId, next: pageParam, signal }),
    getNextPageParam: (page) => page.next,
    // What was found stays in place until there is something to put there: the list does not flicker at each letter.
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: KEPT_MS,
  });
  const hits = wanted === '' ? [] : (found.data?.pages.flatMap((page) => page.results) ?? []);
  const behind = wanted !== query || found.isPlaceholderData;
  return { ...found, query, hits, behind };
}
