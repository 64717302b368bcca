/** Pure: what stands in the list of messages, from the rows of a branch and from what is on its way. */

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../composer/outbox.js').Pending} Pending */

/**
 * @typedef {object} Item
 * @property {string} key names the place below its parent, not the message: another version of a message takes the
 *   same place, so that neither the focus nor the view moves when it is chosen
 * @property {TranscriptRow[]} rows a message; or a reply with the replies that continue it; empty for one on its way
 * @property {Pending|null} pending
 * @property {boolean} lastInherited the last message that a fork has from its source
 */

/** @param {string|null|undefined} parentId */
const placeBelow = (parentId) => `below ${parentId ?? 'nothing'}`;

/**
 * @param {TranscriptRow[]} rows one branch, oldest first
 * @param {Pending[]} pending
 * @returns {Item[]}
 */
export function itemsOf(rows, pending) {
  /** @type {Item[]} */
  const items = [];
  rows.forEach((row, index) => {
    const before = items.at(-1);
    const lastInherited = row.inherited && !rows[index + 1]?.inherited;
    if (before && row.continues !== null && row.continues === before.rows.at(-1)?.id) {
      before.rows.push(row);
      before.lastInherited = lastInherited;
      return;
    }
    items.push({ key: placeBelow(row.parent_id), rows: [row], pending: null, lastInherited });
  });
  pending.forEach((message, index) => {
    // The message keeps its place when the server has accepted it; only the first one can have it.
    const key = index === 0 && message.parentId === (rows.at(-1)?.id ?? null) ? placeBelow(message.parentId) : message.key;
    items.push({ key, rows: [], pending: message, lastInherited: false });
  });
  return items;
}

/** @param {TranscriptRow[]} rows a reply and what continues it */
export function joinedText(rows) {
  return rows.map((row) => row.content).join('');
}
