/**
 * The shapes of the JSON that the server and the browser exchange, as JSDoc types. What the server's schema says
 * comes from schema.d.ts, which `npm run types` makes; the frames of the live stream are written down here.
 * This module holds no code: it exists so that `tsc` can check every place that reads an answer.
 */

/**
 * @typedef {import('./schema.js').components['schemas']} Schemas
 *
 * @typedef {Schemas['OutcomeEnum']} Outcome
 * @typedef {Schemas['MeOutput']} Me
 * @typedef {Schemas['SetupOutput']} Setup
 * @typedef {Schemas['ModelOutput']} ModelInfo
 * @typedef {Schemas['RunnerOutput']} RunnerInfo
 * @typedef {{results: ModelInfo[], runners: RunnerInfo[]}} ModelList
 * @typedef {Schemas['SettingsOutput']} ConversationSettings
 * @typedef {Schemas['ConversationChangedOutput']} ConversationAnswer What a command about a conversation answers.
 */

/**
 * Where a fork goes on from; only the detail says what the source is named now, and which of its messages it is.
 * @typedef {Schemas['ForkOriginOutput'] & Partial<Schemas['ForkSourceOutput']>} ForkOrigin
 */

/**
 * A row of the list; the detail has the same fields, and the counts of branches.
 * @typedef {Omit<Schemas['ConversationRowOutput'], 'forked_from'> & {
 *   forked_from: ForkOrigin|null,
 *   branch_count?: number,
 *   hidden_branch_count?: number,
 *   position?: string,
 * }} Conversation
 */

/** @typedef {Record<string, string|number|string[]>} Params numbers come as decimal texts and may be sent as either */

/**
 * What is known of a reply only after it has ended.
 * @typedef {'reasoning'|'tool_calls'|'usage'|'duration_ms'|'first_token_ms'|'finish_reason'} KnownLate
 */

/**
 * A message or a reply. `local`: so far only this browser has written the row down. `role`: the last two only where
 * another program brought the message along.
 * @typedef {Omit<Schemas['TranscriptRowOutput'], KnownLate|'role'>
 *   & Partial<Pick<Schemas['TranscriptRowOutput'], KnownLate>>
 *   & {local?: boolean, role: 'user'|'assistant'|'system'|'tool'}} TranscriptRow
 */

/**
 * A page of one branch. `leaf_id`: its end.
 * @typedef {Page<TranscriptRow> & {leaf_id: string|null, selected_leaf_id: string|null}} TranscriptPage
 */

/**
 * What sending, editing, regenerating or continuing answers. Only the first two always make a message; continuing
 * makes one where the runner has to be asked to go on.
 * @typedef {Schemas['ReplyRequestedOutput'] & {message_id?: string|null}} MessageAnswer
 */

/**
 * @typedef {object} LiveChange
 * @property {string} position
 * @property {string} kind
 * @property {string} conversation_id
 * @property {{conversation?: Conversation, message?: TranscriptRow, leaf_id?: string}} [data]
 *
 * @typedef {object} LiveChunk
 * @property {string} call_id
 * @property {string|null} reply_id
 * @property {number} seq counted from 0 within the call
 * @property {string} text
 * @property {string} [reasoning]
 *
 * A state that lasts, or one that is told only to those who have the conversation on screen: queued and prefill.
 * @typedef {object} LiveCall
 * @property {string} call_id
 * @property {string|null} reply_id null: a call that writes no reply, such as one for a title
 * @property {'requested'|'queued'|'started'|'prefill'|'retrying'|'finished'} state
 * @property {string|null} [conversation_id]
 * @property {Outcome} [outcome]
 * @property {{code: string, message: string}|null} [error]
 * @property {number} [attempt] retrying: which attempt has failed
 * @property {number|null} [place] queued: 1 is the next
 * @property {number} [waiting] queued: how many wait
 * @property {string|null} [runner] queued: what it waits for
 * @property {string|null} [retry_at] queued: when it is tried again, RFC 3339
 * @property {number} [processed] prefill: tokens read
 * @property {number} [total] prefill: tokens to read
 */

/**
 * @template T
 * @typedef {object} Page
 * @property {T[]} results
 * @property {string|null} next
 * @property {string|null} previous
 * @property {string} position
 */

export {};
