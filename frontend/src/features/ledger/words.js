/** Pure: the words of the ledger, short enough for a table. */

/** @typedef {import('../../api/audit.js').LedgerRow} LedgerRow */
/** @typedef {import('../../api/audit.js').Somebody} Somebody */

/** @type {Record<string, string>} */
export const OUTCOMES = {
  pending: 'Running',
  complete: 'Complete',
  truncated: 'Cut off',
  cancelled: 'Stopped',
  interrupted: 'Interrupted',
  failed: 'Failed',
};

/** @type {Record<string, string>} */
export const PURPOSES = { reply: 'Reply', replay: 'Replay', title: 'Title', external: 'External' };

/** @type {Record<string, string>} */
export const SOURCES = { browser: 'Browser', api: 'API', openai: 'OpenAI endpoint' };

/** The first part of an id is enough to tell two things on one page apart. @param {string} id */
export const shortId = (id) => id.slice(0, 8);

/**
 * @param {Somebody|null|undefined} somebody
 * @param {string} id
 */
export function nameOfSomebody(somebody, id) {
  return somebody?.display_name || somebody?.email || shortId(id);
}

/**
 * @param {string} at RFC 3339
 * @returns {{day: string, clock: string}}
 */
export function momentOf(at) {
  const time = new Date(at);
  const thisYear = time.getFullYear() === new Date().getFullYear();
  return {
    day: time.toLocaleDateString([], { day: 'numeric', month: 'short', year: thisYear ? undefined : 'numeric' }),
    clock: time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }),
  };
}

/** @param {number|null|undefined} count */
export const grouped = (count) => (count === null || count === undefined ? '–' : count.toLocaleString('en'));
