/**
 * The text of replies while they are being written, and what they wait for before: plain JavaScript outside React Query and Zustand, because
 * tokens arrive far more often than anything else. Components read it through `useLiveText`.
 *
 * Chunks are numbered from 0 within a call. A chunk may come twice (after a reconnect) or early: text is the
 * concatenation of the unbroken run of numbers, so nothing is lost, doubled or shown out of order.
 * Readers are told at most once per 50 ms, on an animation frame; in a hidden tab, where no frames come, by a timer.
 */
import { useCallback, useSyncExternalStore } from 'react';

import { NOTHING_KNOWN, afterFrame, isSilent } from './waiting.js';

/** @typedef {import('../../api/types.js').LiveChunk} LiveChunk */
/** @typedef {import('../../api/types.js').LiveCall} LiveCall */
/** @typedef {import('./waiting.js').Wait} Wait */

/**
 * @typedef {object} LiveText
 * @property {string} text
 * @property {string} reasoning
 * @property {Wait} wait
 * @property {boolean} told something has been said about the wait: its place on the page is kept until the first word
 * @property {boolean} stopping the person pressed Stop: nothing more is shown until the reply is recorded
 */

const BETWEEN_RENDERS_MS = 50;
/** A first word that takes longer than this is worth a word. */
const LONG_MS = 8_000;
/** What is over sooner than this is not worth one: it would only flicker. */
const WORTH_SAYING_MS = 600;
/** @type {LiveText} */
const EMPTY = Object.freeze({ text: '', reasoning: '', wait: NOTHING_KNOWN, told: false, stopping: false });

class ReplyBuffer {
  /** @type {Map<number, LiveChunk>} */
  early = new Map();
  nextSeq = 0;
  text = '';
  reasoning = '';
  /** What was told last, and what of it is shown. @type {Wait} */
  heard = NOTHING_KNOWN;
  /** @type {Wait} */
  wait = NOTHING_KNOWN;
  told = false;
  askedAt = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  waitTimer;
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
      : { text: this.text, reasoning: this.reasoning, wait: this.wait, told: this.told, stopping: false };
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
    clearTimeout(buffer.waitTimer);
    if (buffer.add(chunk)) this.#schedule(buffer);
  }

  /** @param {LiveCall} call */
  setCallState(call) {
    // What has ended is shown by its recorded row.
    if (call.reply_id === null || call.state === 'finished') return;
    const buffer = this.#buffer(call.reply_id);
    // Words that are there are not waited for, whatever is told late.
    if (buffer.nextSeq > 0) return;
    const { heard } = buffer;
    if (heard.stage !== 'reading' && (call.state === 'started' || buffer.askedAt === 0)) buffer.askedAt = performance.now();
    buffer.heard = afterFrame(heard, call);
    if (buffer.heard === heard) return;
    const early = buffer.heard.stage === 'reading' ? buffer.askedAt + WORTH_SAYING_MS - performance.now() : 0;
    clearTimeout(buffer.waitTimer);
    if (early > 0) buffer.waitTimer = setTimeout(() => this.#setWait(buffer, buffer.heard), early);
    else this.#setWait(buffer, buffer.heard);
  }

  /**
   * @param {ReplyBuffer} buffer
   * @param {Wait} wait
   */
  #setWait(buffer, wait) {
    buffer.heard = wait;
    buffer.wait = wait;
    buffer.told ||= wait.long || !isSilent(wait);
    if (isSilent(wait) && !wait.long) {
      buffer.waitTimer = setTimeout(() => this.#setWait(buffer, { ...buffer.wait, long: true }), LONG_MS);
    }
    this.#schedule(buffer);
  }

  /**
   * Somebody looks at a reply that has no words yet, perhaps without having heard anything of it.
   * @param {string} replyId
   */
  watch(replyId) {
    const buffer = this.#buffer(replyId);
    if (buffer.nextSeq === 0 && buffer.waitTimer === undefined) this.#setWait(buffer, buffer.wait);
  }

  /**
   * What this tab came too late to hear: why the attempt before failed.
   * @param {string} replyId
   * @param {NonNullable<Wait['failed']>} failed
   */
  noteFailure(replyId, failed) {
    const buffer = this.#replies.get(replyId);
    if (!buffer || buffer.wait.failed || buffer.wait.stage !== 'queued') return;
    this.#setWait(buffer, { ...buffer.wait, failed });
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
    clearTimeout(buffer.waitTimer);
    this.#replies.delete(replyId);
    this.#dirty.delete(buffer);
  }

  clear() {
    this.#replies.forEach((buffer) => clearTimeout(buffer.waitTimer));
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
