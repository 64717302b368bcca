/** Small makers of rows for the tests: every field has a plain value unless the test says otherwise. */

/** @typedef {import('./api/types.js').Conversation} Conversation */
/** @typedef {import('./api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('./api/types.js').LiveChange} LiveChange */

/**
 * @param {Partial<Conversation> & {id: string}} fields
 * @returns {Conversation}
 */
export function conversation(fields) {
  return {
    title: `Title of ${fields.id}`,
    owner: { id: 'owner', display_name: '' },
    settings: { system_prompt: '', model: 'small', params: {} },
    version: 1,
    selected_leaf_id: null,
    pinned: false,
    archived: false,
    deleted: false,
    created_at: '2026-03-10T09:00:00Z',
    updated_at: '2026-03-10T09:00:00Z',
    message_count: 0,
    pending_reply: false,
    forked_from: null,
    ...fields,
  };
}

/**
 * @param {Partial<TranscriptRow> & {id: string}} fields
 * @returns {TranscriptRow}
 */
export function row(fields) {
  return {
    parent_id: null,
    conversation_id: 'c1',
    inherited: false,
    continues: null,
    hidden: false,
    omitted_count: null,
    replay: null,
    role: 'user',
    content: `Text of ${fields.id}`,
    reasoning: '',
    outcome: null,
    error: null,
    call_id: null,
    model: null,
    sibling_index: 0,
    sibling_count: 1,
    sibling_ids: [fields.id],
    at: '2026-03-10T09:00:00Z',
    version: 1,
    usage: null,
    duration_ms: null,
    first_token_ms: null,
    finish_reason: null,
    ...fields,
  };
}

/**
 * @param {Partial<TranscriptRow> & {id: string}} fields
 * @returns {TranscriptRow}
 */
export function reply(fields) {
  return row({ role: 'assistant', outcome: 'complete', call_id: `call of ${fields.id}`, model: 'small', ...fields });
}

/**
 * @param {string} kind
 * @param {string} position
 * @param {{conversation?: Conversation, message?: TranscriptRow, leaf_id?: string, conversationId?: string}} [data]
 * @returns {LiveChange}
 */
export function change(kind, position, { conversationId = 'c1', ...data } = {}) {
  return { kind, position, conversation_id: data.conversation?.id ?? conversationId, data };
}

/**
 * A message of the tree. minute: when it was written; without one, at the beginning.
 * @param {Partial<import('./api/tree.js').TreeNode> & {id: string, minute?: number}} fields
 * @returns {import('./api/tree.js').TreeNode}
 */
export function node({ minute = 0, ...fields }) {
  const role = fields.role ?? (fields.id.startsWith('r') ? 'assistant' : 'user');
  return {
    parent_id: null,
    role,
    at: `2026-03-10T09:${String(minute).padStart(2, '0')}:00Z`,
    outcome: role === 'assistant' ? 'complete' : null,
    excerpt: `Text of ${fields.id}`,
    model: role === 'assistant' ? 'small' : null,
    call_id: role === 'assistant' ? `call of ${fields.id}` : null,
    continues: null,
    hidden: false,
    inherited: false,
    conversation_id: 'c1',
    replay: null,
    version: 1,
    ...fields,
  };
}

/**
 * @param {Partial<import('./api/replays.js').Replay> & {id: string}} fields
 * @returns {import('./api/replays.js').Replay}
 */
export function replay(fields) {
  return {
    conversation_id: 'c1',
    source_leaf_id: 'r2',
    model: 'small',
    params: {},
    system_prompt: null,
    state: 'running',
    turns_done: 0,
    turns_total: 3,
    leaf_id: null,
    call_ids: [],
    error: null,
    requested_at: '2026-03-10T09:00:00Z',
    ended_at: null,
    ...fields,
  };
}

/**
 * @param {Partial<import('./api/presets.js').Preset> & {id: string}} fields
 * @returns {import('./api/presets.js').Preset}
 */
export function preset(fields) {
  return {
    name: `Name of ${fields.id}`,
    system_prompt: '',
    model: '',
    params: {},
    created_at: '2026-03-10T09:00:00Z',
    updated_at: '2026-03-10T09:00:00Z',
    ...fields,
  };
}

/**
 * @param {Partial<import('./api/types.js').ModelInfo> & {id: string}} fields
 * @returns {import('./api/types.js').ModelInfo}
 */
export function model(fields) {
  return {
    name: fields.id.toUpperCase(),
    runner: 'built-in',
    context_tokens: 8192,
    size_bytes: null,
    loaded: null,
    reachable: true,
    error: null,
    demonstration: false,
    default: false,
    ...fields,
  };
}

/**
 * @param {Partial<import('./api/types.js').RunnerInfo>} fields
 * @returns {import('./api/types.js').RunnerInfo}
 */
export function runner(fields) {
  return {
    name: 'built-in',
    url: 'http://127.0.0.1:4000/v1',
    kind: 'built-in',
    limit: null,
    reachable: true,
    error: null,
    models: 1,
    ...fields,
  };
}

/**
 * @param {Partial<import('./api/audit.js').LedgerRow> & {id: string}} fields
 * @returns {import('./api/audit.js').LedgerRow}
 */
export function ledgerRow(fields) {
  return {
    owner_id: 'ada',
    user: null,
    conversation_id: 'c1',
    reply_id: `reply of ${fields.id}`,
    purpose: 'reply',
    source: 'browser',
    model: 'small',
    runner: 'built-in',
    requested_at: '2026-03-10T09:00:00Z',
    started_at: '2026-03-10T09:00:01Z',
    ended_at: '2026-03-10T09:00:04Z',
    outcome: 'complete',
    cancel_requested: false,
    duration_ms: 3000,
    first_token_ms: 1000,
    usage: { prompt_tokens: 1200, completion_tokens: 40 },
    usage_source: 'runner',
    finish_reason: 'stop',
    error: null,
    erased: null,
    ...fields,
  };
}

/**
 * @param {Partial<import('./api/modelCalls.js').ModelCall['attempts'][number]>} [fields]
 * @returns {import('./api/modelCalls.js').ModelCall['attempts'][number]}
 */
export function attempt(fields) {
  return {
    attempt: 1,
    runner: 'built-in',
    runner_version: 'b100',
    worker: 'w1',
    started_at: '2026-03-10T09:00:01Z',
    ended_at: '2026-03-10T09:00:04Z',
    outcome: 'complete',
    duration_ms: 3000,
    first_token_ms: 1000,
    chunk_count: 12,
    finish_reason: 'stop',
    error: null,
    ...fields,
  };
}

/**
 * @param {Partial<import('./api/modelCalls.js').ModelCall> & {id: string}} fields
 * @returns {import('./api/modelCalls.js').ModelCall}
 */
export function modelCall(fields) {
  return {
    ...ledgerRow({ id: fields.id }),
    version: 3,
    params: {},
    leaf_id: 'm1',
    conversation_version: 6,
    builder: 'chat/1',
    serializer: 'jcs-rfc8785/1',
    trimming: null,
    body_sha256: 'digest',
    body_length: 321,
    chunk_count: 12,
    delivered_characters: 99,
    response_id: null,
    response_model: null,
    system_fingerprint: null,
    attempts: [attempt()],
    events: [{ event_id: `event of ${fields.id}`, version: 1, topic: 'ModelCallRequested.v2', position: '101', at: '2026-03-10T09:00:00Z' }],
    queue: null,
    position: '120',
    ...fields,
  };
}

/**
 * @param {Partial<import('./api/people.js').Person> & {id: string}} fields
 * @returns {import('./api/people.js').Person}
 */
export function somebody(fields) {
  return {
    email: `${fields.id}@example.org`,
    display_name: '',
    is_active: true,
    is_auditor: false,
    is_staff: false,
    has_second_factor: false,
    ...fields,
  };
}
