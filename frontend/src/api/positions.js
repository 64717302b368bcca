/**
 * What this tab knows about places in the event store. Positions are opaque and increasing; numbers are
 * compared as numbers, anything else counts as "not comparable", which callers treat as newer.
 *
 * `known`: the highest position seen in any answer. Queries ask for `after=known`, so that no list can be
 * older than something this tab has already shown.
 * `live`: the position of the last change received from the live stream: where to resume it.
 */

/** @type {string|null} */
let known = null;
/** @type {string|null} */
let live = null;

/**
 * @param {string|null|undefined} a
 * @param {string|null|undefined} b
 * @returns {number} negative when a is before b; positive also when the two cannot be compared
 */
export function comparePositions(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return 1;
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** @param {string|number|null|undefined} position */
export function notePosition(position) {
  if (position === null || position === undefined) return;
  if (comparePositions(String(position), known) > 0) known = String(position);
}

export function knownPosition() {
  return known;
}

/** @param {string|number|null|undefined} position */
export function noteLivePosition(position) {
  if (position === null || position === undefined) return;
  if (comparePositions(String(position), live) > 0) live = String(position);
  notePosition(position);
}

export function livePosition() {
  return live;
}

export function forgetLivePosition() {
  live = null;
}

export function forgetPositions() {
  known = null;
  live = null;
}
