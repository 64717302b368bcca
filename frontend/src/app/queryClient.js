/** The one cache of what the server said, and how failed queries are repeated: never in a storm. */
import { QueryClient } from '@tanstack/react-query';

import { Problem } from '../api/problems.js';

/**
 * Only what may pass by itself is tried again: no answer, too many requests, not ready yet.
 * @param {number} failures
 * @param {unknown} error
 */
export function shouldRetry(failures, error) {
  if (!(error instanceof Problem)) return false;
  const passing = error.status === 0 || error.status === 429 || error.status === 502 || error.status === 503;
  return passing && failures < 4;
}

/**
 * @param {number} failures
 * @param {unknown} error
 * @returns {number} milliseconds
 */
export function retryDelay(failures, error) {
  const asked = error instanceof Problem ? error.retryAfterSeconds : null;
  return asked !== null ? Math.max(250, asked * 1000) : Math.min(8000, 500 * 2 ** failures);
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Committed changes arrive on the live stream; refetching on a clock would only repeat them.
      staleTime: Infinity,
      gcTime: 30 * 60_000,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: shouldRetry,
      retryDelay,
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
});
