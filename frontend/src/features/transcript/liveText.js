/**
 * The text of replies while they are being written: plain JavaScript outside React Query and Zustand, because
 * tokens arrive far more often than anything else. Components read it through `useLiveText`.
 *
 * Chunks are numbered from 0 within a call. A chunk may come twice (after a reconnect) or early: text is the
 * concatenation of the unbroken run of numbers, so nothing is lost, doubled or shown out of order.
 * Readers are told at most once per 50 ms, on an animation frame; in a hidden tab, where no frames come, by a timer.
 */
import { useCallback, useSyncExternalStore } from 'react';

/** @typedef {import('../../api/types.js').LiveChunk} LiveChunk */
/** @typedef {import('../../api/types.js').LiveCall} LiveCall */

/**
 * @typedef {object} LiveText
 * @property {string} text
 * @property {string} reasoning
 * @property {LiveCall['state']|null} state
 * @property {boolean} stopping the person pressed Stop: nothing more is shown until the reply is recorded
 */

const BETWEEN_RENDERS_MS = 50;
/** @type {LiveText} */
const EMPTY = Object.freeze({ text: '', reasoning: '', state: null, stopping: false });

class ReplyBuffer {
  /** @type {Map<number, LiveChunk>} */
  early = new Map();
  nextSeq = 0;
  text = '';
  reasoning = '';
  /** @type {LiveCall['state']|null} */
  state = null;
  stopping = false;
  /** @type {LiveText} */
  snapshot = EMPTY;
  /** @type {Set<() => void>} */
  listeners = new Set();

  /**
   * @param {LiveChunk} chunk
   * @returns {boolean} whether the text grew
   */
  add(chunk) {
    if (chunk.seq < this.nextSeq) return false;
    this.early.set(chunk.seq, chunk);
    let grew = false;
    for (let next = this.early.get(this.nextSeq); next; next = this.early.get(this.nextSeq)) {
      this.early.delete(this.nextSeq);
      this.nextSeq += 1;
      this.text += next.text ?? '';
      this.reasoning += next.reasoning ?? '';
      grew = true;
    }
    return grew;
  }

  publish() {
    this.snapshot = this.stopping
      ? { ...this.snapshot, stopping: true }
      : { text: this.text, reasoning: this.reasoning, state: this.state, stopping: false };
    this.listeners.forEach((listener) => listener());
  }
}

export class LiveTextStore {
  /** @type {Map<string, ReplyBuffer>} */
  #replies = new Map();
  /** @type {Set<ReplyBuffer>} */
  #dirty = new Set();
  #lastFlush = 0;
  #scheduled = false;

  /** @param {string} replyId */
  #buffer(replyId) {
    let buffer = this.#replies.get(replyId);
    if (!buffer) this.#replies.set(replyId, (buffer = new ReplyBuffer()));
    return buffer;
  }

  /** Calls without a reply, such as those for titles, have no place here. @param {LiveChunk} chunk */
  addChunk(chunk) {
    if (chunk.reply_id === null) return;
    const buffer = this.#buffer(chunk.reply_id);
    if (buffer.add(chunk)) this.#schedule(buffer);
  }

  /** @param {LiveCall} call */
  setCallState(call) {
    if (call.reply_id === null) return;
    const buffer = this.#buffer(call.reply_id);
    buffer.state = call.state;
    this.#schedule(buffer);
  }

  /** Freeze what is shown at once; the recorded reply will take over. @param {string} replyId */
  stop(replyId) {
    const buffer = this.#buffer(replyId);
    if (buffer.stopping) return;
    buffer.publish();
    buffer.stopping = true;
    buffer.publish();
  }

  /** Stopping did not work: show the text again. @param {string} replyId */
  resume(replyId) {
    const buffer = this.#buffer(replyId);
    buffer.stopping = false;
    buffer.publish();
  }

  /** The reply is recorded: its row holds the text from now on. @param {string} replyId */
  forget(replyId) {
    const buffer = this.#replies.get(replyId);
    if (!buffer) return;
    this.#replies.delete(replyId);
    this.#dirty.delete(buffer);
  }

  clear() {
    this.#replies.clear();
    this.#dirty.clear();
  }

  /**
   * @param {string} replyId
   * @returns {LiveText}
   */
  read(replyId) {
    return this.#replies.get(replyId)?.snapshot ?? EMPTY;
  }

  /**
   * @param {string} replyId
   * @param {() => void} listener
   */
  subscribe(replyId, listener) {
    const buffer = this.#buffer(replyId);
    buffer.listeners.add(listener);
    return () => {
      buffer.listeners.delete(listener);
    };
  }

  /** @param {ReplyBuffer} buffer */
  #schedule(buffer) {
    this.#dirty.add(buffer);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = Math.max(0, BETWEEN_RENDERS_MS - (performance.now() - this.#lastFlush));
    setTimeout(() => {
      if (document.hidden) this.#flush();
      else requestAnimationFrame(() => this.#flush());
    }, wait);
  }

  #flush() {
    this.#scheduled = false;
    this.#lastFlush = performance.now();
    const ready = [...this.#dirty];
    this.#dirty.clear();
    ready.forEach((buffer) => buffer.publish());
  }
}

export const liveText = new LiveTextStore();

/**
 * @param {string} replyId
 * @returns {LiveText}
 */
export function useLiveText(replyId) {
  const subscribe = useCallback(
    /** @param {() => void} listener */ (listener) => liveText.subscribe(replyId, listener),
    [replyId],
  );
  return useSyncExternalStore(subscribe, () => liveText.read(replyId));
}
