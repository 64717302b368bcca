/** A conversation as of a version, page by page. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';

import { fetchAt, fetchEarlier } from '../../api/time.js';

/** @typedef {import('../../api/time.js').PastPage} PastPage */

/**
 * @param {string} conversationId
 * @param {number} version
 * @param {string|null} leafId null: the branch that was selected then
 */
export function usePast(conversationId, version, leafId) {
  return useInfiniteQuery({
    queryKey: ['at', conversationId, version, leafId],
    /** @param {{pageParam: string|null, signal: AbortSignal}} context */
    queryFn: ({ pageParam, signal }) =>
      pageParam === null ? fetchAt(conversationId, version, leafId, signal) : fetchEarlier(pageParam, signal),
    initialPageParam: /** @type {string|null} */ (null),
    getNextPageParam: (/** @type {PastPage} */ page) => page.next ?? undefined,
    // What was is not taken away before something else is there to be looked at.
    placeholderData: keepPreviousData,
  });
}
