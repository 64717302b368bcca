/** Which call was looked at last: who comes back to the ledger goes on where they were. */
import { createStore } from '../../ui/store.js';

const opened = createStore(/** @type {string|null} */ (null));

/** @param {string} callId */
export const noteOpened = (callId) => opened.set(callId);
export const lastOpened = () => opened.get();
