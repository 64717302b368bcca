/**
 * Fetches as much of a branch as is asked for, and joins it with what is on screen already. Several screens need a
 * branch up to one certain message, however far up that is.
 */
import { fetchPage, fetchTranscript } from '../../api/conversations.js';
import { adoptBranch, catchUpTranscript, keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../../app/reduceChange.js').Transcript} Transcript */
/** @typedef {Transcript & {leafId: string|null, selectedLeafId: string|null}} Branch */

/** The largest page there is: a message far up is reached in few steps. */
const ROWS_PER_PAGE = 200;

/**
 * The end of a branch, and further up as long as it is not enough.
 * @param {string} conversationId
 * @param {{leaf?: string, through?: string}} which
 * @param {(rows: TranscriptRow[]) => boolean} enough
 * @param {AbortSignal} [signal]
 * @returns {Promise<Branch>}
 */
async function fetchUntil(conversationId, which, enough, signal) {
  const page = await fetchTranscript(conversationId, { ...which, limit: ROWS_PER_PAGE }, signal);
  let { results: rows, next: older } = page;
  while (older !== null && !enough(rows)) {
    /** @type {import('../../api/types.js').Page<TranscriptRow>} */
    const above = await fetchPage(older, signal);
    if (above.results.length === 0) break;
    rows = [...above.results, ...rows];
    older = above.next;
  }
  return { rows, older, position: page.position, leafId: page.leaf_id, selectedLeafId: page.selected_leaf_id };
}

/**
 * Put the branch of a message into the cache, up to that message at least.
 * @param {string} conversationId
 * @param {string} messageId
 * @param {string|null} leafId the end of the branch; null: the selected one if the message is on it
 * @param {AbortSignal} [signal]
 * @returns {Promise<{leafId: string|null}>} the end of the branch to look at; null: the selected one
 */
export async function openThrough(conversationId, messageId, leafId, signal) {
  const has = (/** @type {TranscriptRow[]} */ rows) => rows.some((row) => row.id === messageId);
  const key = leafId === null ? keys.transcript(conversationId) : keys.branch(conversationId, leafId);
  /** @type {Transcript|undefined} */
  const cached = queryClient.getQueryData(key);
  if (cached && has(cached.rows)) return { leafId };
  const which = leafId === null ? { through: messageId } : { leaf: leafId };
  const branch = await fetchUntil(conversationId, which, has, signal);
  const transcript = { rows: branch.rows, older: branch.older, position: branch.position };
  if (leafId === null && branch.leafId === branch.selectedLeafId) {
    await adoptBranch(conversationId, catchUpTranscript(conversationId, transcript));
    return { leafId: null };
  }
  const end = leafId ?? /** @type {string} */ (branch.leafId);
  queryClient.setQueryData(keys.branch(conversationId, end), catchUpTranscript(conversationId, transcript, false));
  return { leafId: end };
}

/**
 * The branch through another version of a message, below what is on screen above that message.
 * @param {string} conversationId
 * @param {{leaf?: string, through?: string}} which
 * @param {Transcript|undefined} shown
 * @returns {Promise<Branch>}
 */
export async function fetchBeside(conversationId, which, shown) {
  const known = new Set(shown?.rows.map((row) => row.id));
  const meets = (/** @type {TranscriptRow|undefined} */ first) =>
    first !== undefined && (known.has(first.id) || (first.parent_id !== null && known.has(first.parent_id)));
  const branch = await fetchUntil(conversationId, which, (rows) => meets(rows[0]));
  return shown && meets(branch.rows[0]) ? { ...branch, ...joinAbove(shown, branch) } : branch;
}

/**
 * @param {Transcript} shown
 * @param {Transcript} branch begins below a message that is shown, or with one
 * @returns {Transcript}
 */
export function joinAbove(shown, branch) {
  const first = branch.rows[0];
  const same = shown.rows.findIndex((row) => row.id === first?.id);
  const above = same >= 0 ? same : shown.rows.findIndex((row) => row.id === first?.parent_id) + 1;
  return { rows: [...shown.rows.slice(0, above), ...branch.rows], older: shown.older, position: branch.position };
}
