/**
 * Pure: how one committed change alters what the browser has cached. State from changes must equal state
 * fetched again, and applying a change twice must alter nothing the second time.
 * Where a change does not carry what is needed, the cached part is called stale and is fetched again.
 */
import { comparePositions } from '../api/positions.js';

/** @typedef {import('../api/types.js').Conversation} Conversation */
/** @typedef {import('../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../api/types.js').LiveChange} LiveChange */

/**
 * @typedef {object} ConversationList
 * @property {Conversation[]} rows pinned and recent ones, in no particular order
 * @property {string} position highest position applied
 * @property {string|null} next where the next page is
 *
 * @typedef {object} Transcript
 * @property {TranscriptRow[]} rows one branch, oldest first
 * @property {string} position highest position applied
 * @property {string|null} older where the page before these rows is
 *
 * @typedef {'active'|'archived'} View
 */

/**
 * @template T
 * @typedef {object} Reduced
 * @property {T} next the same object when nothing changed
 * @property {boolean} stale
 */

/** After these a conversation is in no list any more. */
export const TAKES_AWAY = new Set(['conversation_deleted', 'conversation_erased']);

/**
 * @param {Conversation} row
 * @param {View} view
 */
export function belongsTo(row, view) {
  return !row.deleted && row.archived === (view === 'archived');
}

/**
 * @param {string} a
 * @param {string} b
 */
const later = (a, b) => (comparePositions(a, b) > 0 ? a : b);

/**
 * @param {ConversationList} list
 * @param {LiveChange} change
 * @param {View} view
 * @returns {Reduced<ConversationList>}
 */
export function applyToList(list, change, view) {
  const position = later(change.position, list.position);
  const row = change.data?.conversation;
  if (!row) {
    if (TAKES_AWAY.has(change.kind)) {
      const rows = list.rows.filter((known) => known.id !== change.conversation_id);
      return { next: { ...list, rows, position }, stale: false };
    }
    return { next: list, stale: true };
  }
  const known = list.rows.find((candidate) => candidate.id === row.id);
  if (known && known.version > row.version) return { next: list, stale: false };
  const others = list.rows.filter((candidate) => candidate.id !== row.id);
  if (!belongsTo(row, view)) {
    return { next: known ? { ...list, rows: others, position } : list, stale: false };
  }
  const rows = known ? list.rows.map((candidate) => (candidate === known ? row : candidate)) : [row, ...others];
  return { next: { ...list, rows, position }, stale: false };
}

/**
 * @param {Conversation} conversation
 * @param {LiveChange} change
 * @returns {Reduced<Conversation>}
 */
export function applyToConversation(conversation, change) {
  const row = change.data?.conversation;
  if (change.conversation_id !== conversation.id) return { next: withSource(conversation, row), stale: false };
  if (!row) return { next: conversation, stale: true };
  if (row.version < conversation.version) return { next: conversation, stale: false };
  // Where a fork comes from never changes, and only the detail says all of it.
  const next = { ...conversation, ...row, forked_from: conversation.forked_from ?? row.forked_from };
  return { next, stale: changesBranchCounts(conversation, change) };
}

/**
 * A fork names its source as that is named now.
 * @param {Conversation} fork
 * @param {Conversation|undefined} source
 * @returns {Conversation}
 */
function withSource(fork, source) {
  const origin = fork.forked_from;
  if (!source || origin?.conversation_id !== source.id) return fork;
  if (origin.title === source.title && origin.deleted === source.deleted) return fork;
  return { ...fork, forked_from: { ...origin, title: source.title, deleted: source.deleted } };
}

/**
 * The counts are only in the detail. A message below a hidden branch brings that branch back into sight.
 * @param {Conversation} conversation
 * @param {LiveChange} change
 */
function changesBranchCounts(conversation, change) {
  if (HIDES_OR_SHOWS.has(change.kind)) return true;
  return Boolean(conversation.hidden_branch_count) && CHANGES_TRANSCRIPT.has(change.kind);
}

const CHANGES_TRANSCRIPT = new Set(['user_message_sent', 'message_imported', 'reply_requested', 'reply_recorded']);
const HIDES_OR_SHOWS = new Set(['branch_hidden', 'branch_shown']);

/**
 * @param {Transcript} transcript
 * @param {LiveChange} change of this conversation
 * @returns {Reduced<Transcript>}
 */
export function applyToTranscript(transcript, change) {
  if (change.kind === 'branch_selected') {
    const known = change.data?.leaf_id !== undefined && change.data.leaf_id === transcript.rows.at(-1)?.id;
    return { next: transcript, stale: !known };
  }
  return applyRows(transcript, change, (rows, row) => placeRow(rows, row, change.kind !== 'reply_recorded'));
}

/**
 * A branch that was asked for by its end is that branch, whatever is selected or said elsewhere: only its own
 * messages change, and which versions there are of them.
 * @param {Transcript} transcript
 * @param {LiveChange} change of this conversation
 * @returns {Reduced<Transcript>}
 */
export function applyToBranch(transcript, change) {
  return applyRows(transcript, change, (rows, row) => placeRow(rows, row, false));
}

/**
 * @param {Transcript} transcript
 * @param {LiveChange} change
 * @param {(rows: TranscriptRow[], row: TranscriptRow) => TranscriptRow[]|null} place
 * @returns {Reduced<Transcript>}
 */
function applyRows(transcript, change, place) {
  if (HIDES_OR_SHOWS.has(change.kind)) return { next: transcript, stale: true };
  if (!CHANGES_TRANSCRIPT.has(change.kind)) return { next: transcript, stale: false };
  const row = change.data?.message;
  if (!row) return { next: transcript, stale: true };
  const placed = place(transcript.rows, row);
  if (placed === null) return { next: transcript, stale: true };
  const rows = withVersion(placed, row);
  if (rows === transcript.rows) return { next: transcript, stale: false };
  return { next: { ...withRows(transcript, rows), position: later(change.position, transcript.position) }, stale: false };
}

/**
 * Nothing is above a first message: what was above the rows before belonged to another branch.
 * @param {Transcript} transcript
 * @param {TranscriptRow[]} rows
 * @returns {Transcript}
 */
export function withRows(transcript, rows) {
  return { ...transcript, rows, older: rows[0]?.parent_id === null ? null : transcript.older };
}

/**
 * A message has one more version: the one that is shown counts it.
 * @param {TranscriptRow[]} rows
 * @param {TranscriptRow} version below the same message as one of the rows, or not
 * @returns {TranscriptRow[]} the same array when nothing changes
 */
function withVersion(rows, version) {
  const index = rows.findIndex((known) => known.parent_id === version.parent_id && known.id !== version.id);
  const shown = rows[index];
  if (!shown || version.sibling_ids.length <= shown.sibling_count) return rows;
  const place = version.sibling_ids.indexOf(shown.id);
  if (place < 0) return rows;
  const { sibling_ids, sibling_count } = version;
  return rows.with(index, { ...shown, sibling_ids, sibling_count, sibling_index: place });
}

/**
 * Put a row where it belongs on the branch shown.
 *
 *   rows:  m1 ── r1 ── m2 ── r2          a new row with parent r1 becomes a sibling of m2 and, because new
 *                 └─── m2'               messages select themselves, the branch shown is m1 ── r1 ── m2'
 *
 * @param {TranscriptRow[]} rows
 * @param {TranscriptRow} row
 * @param {boolean} selectsItself false for a recorded reply: it never moves the selection
 * @returns {TranscriptRow[]|null} the same array when nothing changes; null when its place is not known here
 */
export function placeRow(rows, row, selectsItself) {
  const index = rows.findIndex((known) => known.id === row.id);
  if (index >= 0) {
    const known = /** @type {TranscriptRow} */ (rows[index]);
    return isNewer(row, known) ? rows.with(index, row) : rows;
  }
  if (!selectsItself) return rows;
  if (row.parent_id === null) return [row];
  const parent = rows.findIndex((known) => known.id === row.parent_id);
  if (parent < 0) return null;
  return [...rows.slice(0, parent + 1), row];
}

/**
 * @param {TranscriptRow} row
 * @param {TranscriptRow} known
 */
function isNewer(row, known) {
  if (known.local) return true;
  if (known.outcome !== 'pending' && row.outcome === 'pending') return false;
  if (known.outcome === 'pending' && row.outcome !== 'pending') return true;
  return row.version >= known.version;
}

/**
 * Merge a freshly fetched last page into what is cached, keeping older pages that join up with it.
 * @param {Transcript|undefined} cached
 * @param {Transcript} page
 * @returns {Transcript}
 */
export function mergeLatestPage(cached, page) {
  if (!cached || cached.rows.length === 0) return page;
  if (comparePositions(page.position, cached.position) < 0) return cached;
  const first = page.rows[0];
  const joint = first ? cached.rows.findIndex((row) => row.id === first.id) : -1;
  if (joint <= 0) return page;
  return { ...page, rows: [...cached.rows.slice(0, joint), ...page.rows], older: cached.older };
}

/**
 * @param {Transcript} transcript
 * @param {{results: TranscriptRow[], next: string|null}} page
 * @returns {Transcript}
 */
export function prependOlderPage(transcript, page) {
  const known = new Set(transcript.rows.map((row) => row.id));
  const older = page.results.filter((row) => !known.has(row.id));
  return { ...transcript, rows: [...older, ...transcript.rows], older: older.length > 0 ? page.next : null };
}

/**
 * @param {ConversationList} list
 * @param {{results: Conversation[], next: string|null}} page
 * @returns {ConversationList}
 */
export function appendPage(list, page) {
  const known = new Set(list.rows.map((row) => row.id));
  return { ...list, rows: [...list.rows, ...page.results.filter((row) => !known.has(row.id))], next: page.next };
}

/**
 * @param {{results: Conversation[], next: string|null, position: string}} page
 * @returns {ConversationList}
 */
export function toList(page) {
  return appendPage({ rows: [], position: page.position, next: page.next }, { results: dedupe(page.results), next: page.next });
}

/** @param {Conversation[]} rows */
function dedupe(rows) {
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}
