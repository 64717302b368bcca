/** What the panel and the page about a model call read: anew each time it is opened, since a proof is only as good as it is fresh. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

import { fetchReply } from '../../api/audit.js';
import { fetchCall, fetchPrompt, fetchReplyEvents } from '../../api/modelCalls.js';
import { keys } from '../../app/cache.js';
import { useSession } from '../../auth/session.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */

const RUNNING_MS = 2_000;

/** @param {string|null} callId */
export function usePrompt(callId) {
  return useQuery({
    queryKey: keys.prompt(callId ?? ''),
    enabled: callId !== null,
    staleTime: 0,
    queryFn: ({ signal }) => fetchPrompt(/** @type {string} */ (callId), signal),
  });
}

/** @param {string} callId */
export function useCall(callId) {
  return useQuery({
    queryKey: keys.call(callId),
    staleTime: 0,
    queryFn: ({ signal }) => fetchCall(callId, signal),
    // How it goes on is not told on the live stream to everybody who may look at it.
    refetchInterval: (query) => (query.state.data?.outcome === 'pending' ? RUNNING_MS : false),
  });
}

/**
 * @param {string} callId
 * @param {number|undefined} version of the call: with each of its events there may be more of the reply
 */
export function useReply(callId, version) {
  return useQuery({
    queryKey: [...keys.call(callId), 'reply', version],
    staleTime: 0,
    queryFn: ({ signal }) => fetchReply(callId, signal),
  });
}

/** Whether a call was made for the person who is logged in: then its words are theirs. @param {ModelCall} call */
export function useIsOwn(call) {
  return useSession((session) => session.user?.id === call.owner_id);
}

/**
 * Only of one's own conversations: these events hold what was said.
 * @param {ModelCall} call
 */
export function useReplyEvents(call) {
  const own = useIsOwn(call);
  return useQuery({
    queryKey: [...keys.call(call.id), 'events', call.version],
    enabled: own,
    queryFn: ({ signal }) => fetchReplyEvents(call, signal),
  });
}

/**
 * The digest as this browser computes it, so that nobody's word has to be taken for it. Browsers compute digests on
 * pages that came by HTTPS or from the same machine only.
 * @param {string} text
 * @returns {string|null} hexadecimal; null until it is known, and where it cannot be
 */
export function useSha256(text) {
  const [known, setKnown] = useState(/** @type {{text: string, digest: string}|null} */ (null));
  useEffect(() => {
    if (!globalThis.crypto?.subtle) return undefined;
    let wanted = true;
    void crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)).then((bytes) => {
      const digest = Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
      if (wanted) setKnown({ text, digest });
    });
    return () => {
      wanted = false;
    };
  }, [text]);
  return known?.text === text ? known.digest : null;
}
