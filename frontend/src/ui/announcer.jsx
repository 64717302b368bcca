/**
 * The page's one polite live region. Everything a screen reader should hear without asking goes through
 * `announce`; streamed words never do.
 */
import { createStore, useStore } from './store.js';

const message = createStore('');

/** @param {string} text */
export function announce(text) {
  message.set(text);
}

export function Announcer() {
  return (
    <div role="status" aria-live="polite" className="visually-hidden">
      {useStore(message)}
    </div>
  );
}
