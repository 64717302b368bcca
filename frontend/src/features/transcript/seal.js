/** Pure: what the quiet line under a reply says, and which seal stands beside it. */

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../../api/types.js').Outcome} Outcome */
/** @typedef {import('../../ui/Marks.jsx').SealState} SealState */

/** @type {Record<Outcome, SealState>} */
const SEALS = {
  pending: 'pending',
  complete: 'whole',
  truncated: 'cut',
  interrupted: 'cut',
  cancelled: 'cut',
  failed: 'broken',
};

/**
 * @param {Outcome|null} outcome
 * @returns {SealState}
 */
export function sealState(outcome) {
  return SEALS[outcome ?? 'complete'];
}

/** @param {number} milliseconds */
export function seconds(milliseconds) {
  if (milliseconds < 100) return `${Math.round(milliseconds)} ms`;
  const value = milliseconds / 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
}

/** @param {number} count */
function tokens(count) {
  return `${count.toLocaleString('en')} ${count === 1 ? 'token' : 'tokens'}`;
}

/**
 * @param {TranscriptRow} row
 * @param {string} model its display name
 */
export function sealLine(row, model) {
  if (row.call_id === null) return 'Brought along by another program';
  const parts = [model];
  const completion = row.usage?.completion_tokens;
  if (typeof completion === 'number' && completion > 0) parts.push(tokens(completion));
  // One that was stopped before it was begun took no time.
  if (row.duration_ms) parts.push(seconds(row.duration_ms));
  return parts.join(' · ');
}

/**
 * One sentence where a reply is not simply complete; null where it is.
 * @param {TranscriptRow} row
 * @returns {{title: string, detail: string}|null}
 */
export function outcomeNote(row) {
  const kept = row.content ? ' The text is kept.' : '';
  const count = row.usage?.completion_tokens;
  const after = typeof count === 'number' && count > 0 ? ` after ${tokens(count)}` : '';
  switch (row.outcome) {
    case 'cancelled':
      return { title: 'Stopped', detail: row.content ? `Stopped${after}.${kept}` : 'Stopped before the first word.' };
    case 'truncated':
      return {
        title: 'Cut off',
        detail:
          row.finish_reason === 'content_filter'
            ? `Cut off by the model's content filter${after}.${kept}`
            : `Cut off at the length limit${after}.${kept}`,
      };
    case 'interrupted':
      return { title: 'Interrupted', detail: row.error?.message || `Interrupted: the connection to the model was cut${after}.${kept}` };
    case 'failed':
      return { title: 'No reply', detail: row.error?.message || 'The model call failed, and the runner gave no reason.' };
    default:
      return null;
  }
}

/**
 * @param {string} text Markdown
 * @returns {string} its first sentence, for the announcement that a reply has ended
 */
export function firstSentence(text) {
  const plain = text.replace(/```[\s\S]*?(```|$)/g, ' ').replace(/[#*_`>|]/g, '').replace(/\s+/g, ' ').trim();
  const sentence = /^.*?[.!?…](?=\s|$)/.exec(plain)?.[0] ?? plain;
  return sentence.length > 160 ? `${sentence.slice(0, 159)}…` : sentence;
}
