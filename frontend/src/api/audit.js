/**
 * The ledger of all model calls, what was answered in one of them, the proofs about it, and who has read whose words.
 * Reading somebody else's words here is recorded by the server before it answers.
 */
import { get, samePath, send } from './http.js';
import { knownPosition, notePosition } from './positions.js';

/** @typedef {import('./types.js').Schemas} Schemas */
/** @typedef {import('./types.js').Outcome} Outcome */
/**
 * @template T
 * @typedef {import('./types.js').Page<T>} Page
 */

/**
 * Somebody, as auditors and administrators see them. Of a deleted account only the id is left.
 * @typedef {{id: string, email: string|null, display_name: string|null}} Somebody
 *
 * @typedef {Omit<Schemas['ModelCallRowOutput'], 'error'> & {
 *   error: {code: string, message: string}|null,
 *   user?: Somebody|null,
 * }} LedgerRow user: whose call it is; only auditors and administrators are told
 *
 * @typedef {object} RecordedReply
 * @property {string} content
 * @property {string|null} reasoning
 * @property {unknown[]|null} tool_calls
 * @property {Outcome} outcome
 *
 * @typedef {object} AuditReading somebody has read this person's words through the audit
 * @property {string} id
 * @property {Somebody} reader
 * @property {string} at
 * @property {string} what
 * @property {string|null} conversation_id
 * @property {string|null} call_id
 *
 * @typedef {'requested'|'terminal'|'reply'} ProvenEvent
 * @typedef {'jsonl'|'csv'|'bundle'} LedgerExport
 */

const fresh = () => (knownPosition() === null ? {} : { after: knownPosition() });

/**
 * @template {{position?: string}} T
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
async function noted(answer) {
  const body = await answer;
  notePosition(body?.position);
  return body;
}

/**
 * A page of the ledger, newest first.
 * @param {Record<string, string>} filters as the server names them
 * @param {{next?: string|null, signal?: AbortSignal}} [options] next: a page's own, for the calls after it
 * @returns {Promise<Page<LedgerRow>>}
 */
export function fetchLedger(filters, { next = null, signal } = {}) {
  if (next !== null) return get(samePath(next), { signal });
  return noted(get('/api/model-calls/', { params: { ...filters, ...fresh() }, signal }));
}

/**
 * What the model answered, as it lies in the record.
 * @param {string} callId
 * @param {AbortSignal} [signal]
 * @returns {Promise<RecordedReply>}
 */
export function fetchReply(callId, signal) {
  return get(`/api/model-calls/${callId}/reply/`, { signal });
}

/**
 * A text that proves, to anybody who has the log's key, that an event stands in the log where it stands.
 * @param {string} callId
 * @param {ProvenEvent} event
 * @returns {Promise<string>}
 */
export function fetchProof(callId, event) {
  return send({
    method: 'GET',
    url: `/api/model-calls/${callId}/proof/`,
    params: { event },
    // A refusal comes as JSON.
    headers: { Accept: 'text/plain, application/json' },
  });
}

/**
 * Where the exact bytes of a request can be had as a file: the browser saves them by itself.
 * @param {string} callId
 */
export function rawAddress(callId) {
  return `/api/model-calls/${callId}/raw/`;
}

/**
 * Where the calls that fit can be had as a file.
 * @param {LedgerExport} format
 * @param {Record<string, string>} filters
 */
export function ledgerExportAddress(format, filters) {
  return `/api/audit/export/?${new URLSearchParams({ format, ...filters })}`;
}

/**
 * Who has read this person's words through the audit, newest first.
 * @param {{next?: string|null, signal?: AbortSignal}} [options]
 * @returns {Promise<Page<AuditReading>>}
 */
export function fetchAuditReads({ next = null, signal } = {}) {
  if (next !== null) return get(samePath(next), { signal });
  return noted(get('/api/me/audit-reads/', { params: fresh(), signal }));
}
