/**
 * Pure: conversations in the order of the list, under the headings a person expects, in their own time zone.
 */

/** @typedef {import('../../api/types.js').Conversation} Conversation */

/**
 * @typedef {object} Group
 * @property {string} label
 * @property {Conversation[]} rows
 */

const DAY_MS = 86_400_000;

/** @param {Date} date */
const dayStart = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/**
 * Whole days between two local dates; rounding absorbs the 23- and 25-hour days of clock changes.
 * @param {Date} date
 * @param {Date} now
 */
const daysAgo = (date, now) => Math.round((dayStart(now) - dayStart(date)) / DAY_MS);

/**
 * @param {Date} date
 * @param {Date} now
 */
export function dateLabel(date, now) {
  const days = daysAgo(date, now);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days <= 7) return 'Previous 7 days';
  if (days <= 30) return 'Previous 30 days';
  return date.toLocaleDateString('en', { month: 'long', year: 'numeric' });
}

/**
 * Pinned ones first, then the most recent first.
 * @param {Conversation[]} rows
 * @param {Date} now
 * @returns {Group[]}
 */
export function groupByDate(rows, now) {
  const sorted = rows.toSorted((a, b) => b.updated_at.localeCompare(a.updated_at) || b.id.localeCompare(a.id));
  /** @type {Map<string, Conversation[]>} */
  const groups = new Map();
  const pinned = sorted.filter((row) => row.pinned);
  if (pinned.length > 0) groups.set('Pinned', pinned);
  for (const row of sorted) {
    if (row.pinned) continue;
    const label = dateLabel(new Date(row.updated_at), now);
    const group = groups.get(label);
    if (group) group.push(row);
    else groups.set(label, [row]);
  }
  return [...groups].map(([label, members]) => ({ label, rows: members }));
}
