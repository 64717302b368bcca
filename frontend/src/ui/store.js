/** A value outside React that components can read: for small things that belong to the page, not to the server. */
import { useSyncExternalStore } from 'react';

/**
 * @template T
 * @typedef {object} Store
 * @property {() => T} get
 * @property {(next: T | ((now: T) => T)) => void} set
 * @property {(listener: () => void) => () => void} subscribe
 */

/**
 * @template T
 * @param {T} initial
 * @returns {Store<T>}
 */
export function createStore(initial) {
  let value = initial;
  /** @type {Set<() => void>} */
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      const result = typeof next === 'function' ? /** @type {(now: T) => T} */ (next)(value) : next;
      if (Object.is(result, value)) return;
      value = result;
      listeners.forEach((listener) => listener());
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/**
 * @template T
 * @param {Store<T>} store
 * @returns {T}
 */
export function useStore(store) {
  return useSyncExternalStore(store.subscribe, store.get);
}
