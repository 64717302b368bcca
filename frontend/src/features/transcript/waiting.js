/**
 * Pure: what is known of a reply that has no words yet, and what is said about it. One short line and one below it,
 * so that nothing on the page moves while one state follows another.
 *
 *   sent ── queued ── asked ── reading ── (words)
 *              ▲         │
 *              └ pausing ┘   an attempt failed and is made again
 */

/** @typedef {import('../../api/types.js').LiveCall} LiveCall */

/**
 * @typedef {object} Wait
 * @property {'sent'|'queued'|'asked'|'reading'|'pausing'} stage
 * @property {number|null} place in the queue; 1 is the next
 * @property {string|null} runner what it is queued for
 * @property {string|null} retryAt when it is tried again, RFC 3339
 * @property {{code: string, message: string, attempt: number}|null} failed the attempt before this one
 * @property {number|null} percent how much of the prompt has been read
 * @property {boolean} long nothing has happened for a while
 *
 * @typedef {'thinking'|'queued'|'loading'|'retrying'|'reading'|'long'} WaitKind
 *
 * @typedef {object} WaitWords
 * @property {WaitKind} kind
 * @property {string} title
 * @property {string} detail
 * @property {string} spoken for screen readers, without what changes every second
 */

/** @type {Readonly<Wait>} */
export const NOTHING_KNOWN = Object.freeze({
  stage: 'sent', place: null, runner: null, retryAt: null, failed: null, percent: null, long: false,
});

const NOT_QUEUED = { place: null, runner: null, retryAt: null, percent: null, long: false };

/**
 * @param {Wait} wait
 * @param {LiveCall} call
 * @returns {Wait}
 */
export function afterFrame(wait, call) {
  switch (call.state) {
    case 'queued': {
      const { place = null, runner = null, retry_at: retryAt = null } = call;
      return { ...wait, ...NOT_QUEUED, stage: 'queued', place, runner, retryAt };
    }
    case 'started':
      // What lasts is told after it is stored: reading may have been told of before.
      return wait.stage === 'reading' ? wait : { ...wait, ...NOT_QUEUED, stage: 'asked' };
    case 'retrying':
      return { ...wait, ...NOT_QUEUED, stage: 'pausing', failed: failureOf(call, wait) };
    case 'prefill':
      return { ...NOTHING_KNOWN, stage: 'reading', percent: percentOf(call) };
    default:
      return wait;
  }
}

/** @param {LiveCall} call @param {Wait} wait */
function failureOf(call, wait) {
  const { code = '', message = '' } = call.error ?? {};
  return { code, message, attempt: call.attempt ?? (wait.failed?.attempt ?? 0) + 1 };
}

/** @param {LiveCall} call */
function percentOf({ processed = 0, total = 0 }) {
  return total > 0 ? Math.min(100, Math.floor((processed * 100) / total)) : null;
}

/** Whether this may last long without anything being said about it. @param {Wait} wait */
export const isSilent = (wait) => wait.stage === 'sent' || wait.stage === 'asked';

/** No pause is longer than this; a browser whose clock is wrong says nothing rather than nonsense. */
const LONGEST_PAUSE_S = 60;

/**
 * @param {string|null} retryAt
 * @param {number} now milliseconds
 * @returns {number|null} whole seconds until then; null where there is nothing to count
 */
export function secondsUntil(retryAt, now) {
  const left = Math.ceil((Date.parse(retryAt ?? '') - now) / 1000);
  return left > 0 && left <= LONGEST_PAUSE_S ? left : null;
}

/**
 * @param {Wait} wait
 * @param {object} around
 * @param {boolean} around.severalRunners then it is said which one is waited for
 * @param {number} around.now milliseconds
 * @returns {WaitWords}
 */
export function waitWords(wait, { severalRunners, now }) {
  const { stage, failed } = wait;
  const again = secondsUntil(wait.retryAt, now);
  if (stage === 'queued' && wait.retryAt === null) return queueWords(wait, severalRunners);
  if (failed?.code === 'runner_loading' && stage !== 'reading') return loadingWords(again);
  if (stage === 'pausing' || stage === 'queued') return retryWords(failed, again);
  if (wait.long) return LONG;
  if (stage === 'reading') return readingWords(wait.percent);
  return stage === 'asked' && failed ? retryWords(failed, null) : THINKING;
}

/** @type {WaitWords} */
const THINKING = { kind: 'thinking', title: 'Thinking…', detail: '', spoken: '' };

/** @type {WaitWords} */
const LONG = {
  kind: 'long',
  title: 'Still waiting for the first word.',
  detail: 'Loading a large model can take minutes.',
  spoken: 'Still waiting for the first word. Loading a large model can take minutes.',
};

/**
 * @param {Wait} wait
 * @param {boolean} severalRunners
 * @returns {WaitWords}
 */
function queueWords({ place, runner }, severalRunners) {
  const what = severalRunners && runner ? `Waiting for ${runner}` : 'Waiting';
  const before = (place ?? 1) - 1;
  const turn = before < 1 ? 'you are next' : `${before.toLocaleString('en')} ${before === 1 ? 'reply' : 'replies'} before yours`;
  const title = `${what} · ${turn}`;
  return { kind: 'queued', title, detail: 'It begins by itself.', spoken: `${what}, ${turn}` };
}

/**
 * @param {number|null} again
 * @returns {WaitWords}
 */
function loadingWords(again) {
  const next = again === null ? '' : ` Asking again in ${again} s.`;
  const spoken = 'Loading the model. A large one can take minutes.';
  return { kind: 'loading', title: 'Loading the model…', detail: `A large one can take minutes.${next}`, spoken };
}

/**
 * @param {Wait['failed']} failed null where this tab came too late to hear why
 * @param {number|null} again
 * @returns {WaitWords}
 */
function retryWords(failed, again) {
  const attempt = failed ? ` (attempt ${failed.attempt + 1})` : '';
  const title = `Trying again${attempt}${again === null ? '' : ` in ${again} s`}…`;
  const detail = failed?.message ?? '';
  return { kind: 'retrying', title, detail, spoken: `${detail} Trying again${attempt}`.trim() };
}

/**
 * @param {number|null} percent
 * @returns {WaitWords}
 */
function readingWords(percent) {
  const title = percent === null ? 'Reading the conversation…' : `Reading the conversation… ${percent} %`;
  return { kind: 'reading', title, detail: '', spoken: 'The model is reading the conversation' };
}
