/** What screens read about replays. */
import { useQuery } from '@tanstack/react-query';

import { fetchReplays } from '../../api/replays.js';
import { keys } from '../../app/cache.js';

/** @typedef {import('../../api/replays.js').Replay} Replay */

/** An end older than this is no news any more; it is found on the page that compares branches. */
const NEWS_FOR_MS = 24 * 60 * 60_000;

/** @param {string} conversationId */
export function useReplays(conversationId) {
  return useQuery({
    queryKey: keys.replays(conversationId),
    queryFn: ({ signal }) => fetchReplays(conversationId, signal),
  });
}

/**
 * @param {Replay} replay
 * @param {string[]} away ids of those that were put away
 * @param {number} now milliseconds
 */
export function isNews(replay, away, now) {
  if (replay.state === 'running') return true;
  if (away.includes(replay.id)) return false;
  return replay.ended_at === null || now - Date.parse(replay.ended_at) < NEWS_FOR_MS;
}

/**
 * @param {string} conversationId
 * @param {Replay} replay
 */
export function comparePath(conversationId, replay) {
  return `/c/${conversationId}/compare?left=${replay.source_leaf_id}&right=${replay.leaf_id}`;
}
