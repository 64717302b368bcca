/** What the panel about a model call reads: anew each time it is opened, since a proof is only as good as it is fresh. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

import { fetchCall, fetchPrompt, fetchReplyEvents } from '../../api/modelCalls.js';
import { keys } from '../../app/cache.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */

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
  });
}

/** @param {ModelCall} call */
export function useReplyEvents(call) {
  return useQuery({
    queryKey: [...keys.call(call.id), 'events', call.version],
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
