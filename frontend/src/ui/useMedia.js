/** Whether a media query matches, kept current. */
import { useCallback, useSyncExternalStore } from 'react';

/**
 * @param {string} query
 * @returns {boolean}
 */
export function useMedia(query) {
  const subscribe = useCallback(
    /** @param {() => void} listener */ (listener) => {
      const media = window.matchMedia(query);
      media.addEventListener('change', listener);
      return () => media.removeEventListener('change', listener);
    },
    [query],
  );
  return useSyncExternalStore(subscribe, () => window.matchMedia(query).matches);
}
