/**
 * The one live stream of this tab: committed changes of the user's conversations, and the tokens of the
 * conversation on screen. The browser's EventSource resumes by itself after a cut; this module takes over
 * where EventSource gives up, and where a connection is silent for longer than the server's heartbeat allows.
 * It hands frames on and keeps none.
 */

/** @typedef {import('./types.js').LiveChange} LiveChange */
/** @typedef {import('./types.js').LiveChunk} LiveChunk */
/** @typedef {import('./types.js').LiveCall} LiveCall */

/** @typedef {'closed'|'connecting'|'open'|'lost'} LiveStatus */

/**
 * @typedef {object} LiveHandlers
 * @property {(frame: LiveChange) => void} onChange
 * @property {(frame: LiveChunk) => void} onChunk
 * @property {(frame: LiveCall) => void} onCall
 * @property {() => void} onReset the cursor is too old: fetch everything again, then open anew
 * @property {(status: LiveStatus) => void} onStatus
 * @property {() => Promise<boolean>} mayReopen asked after EventSource gave up: are we still logged in?
 */

const SILENCE_MS = 60_000;
const PAUSES_MS = [500, 1000, 2000, 5000];

export class LiveConnection {
  /** @type {EventSource|null} */
  #source = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #watchdog;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #reopenTimer;
  #failures = 0;

  /** @param {LiveHandlers} handlers */
  constructor(handlers) {
    this.handlers = handlers;
  }

  /**
   * Open the stream, replacing the one that is open.
   * @param {{cursor: () => string|null, conversationId: () => string|null}} from both are asked at every opening
   */
  open(from) {
    this.#stop();
    this.#start(from);
  }

  close() {
    this.#stop();
    this.handlers.onStatus('closed');
  }

  #stop() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#reopenTimer);
    this.#source?.close();
    this.#source = null;
  }

  /** @param {{cursor: () => string|null, conversationId: () => string|null}} from */
  #start(from) {
    const query = new URLSearchParams();
    const cursor = from.cursor();
    if (cursor !== null) query.set('cursor', cursor);
    const conversationId = from.conversationId();
    if (conversationId) query.set('conversation', conversationId);
    const source = new EventSource(`/api/live/?${query}`);
    this.#source = source;

    const alive = () => {
      clearTimeout(this.#watchdog);
      this.#watchdog = setTimeout(() => this.#lost(from), SILENCE_MS);
    };
    /**
     * @template T
     * @param {string} name
     * @param {(frame: T) => void} handle
     */
    const on = (name, handle) =>
      source.addEventListener(name, (event) => {
        if (source !== this.#source) return;
        alive();
        handle(JSON.parse(/** @type {MessageEvent<string>} */ (event).data));
      });

    source.addEventListener('open', () => {
      if (source !== this.#source) return;
      this.#failures = 0;
      alive();
      this.handlers.onStatus('open');
    });
    on('change', this.handlers.onChange);
    on('chunk', this.handlers.onChunk);
    on('call', this.handlers.onCall);
    source.addEventListener('ping', alive);
    source.addEventListener('reset', () => {
      if (source !== this.#source) return;
      this.#stop();
      this.handlers.onReset();
    });
    source.addEventListener('error', () => {
      if (source !== this.#source) return;
      this.handlers.onStatus('lost');
      if (source.readyState === EventSource.CLOSED) this.#lost(from);
    });
    alive();
  }

  /** @param {{cursor: () => string|null, conversationId: () => string|null}} from */
  #lost(from) {
    this.#stop();
    this.handlers.onStatus('lost');
    const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] ?? 5000;
    this.#failures += 1;
    this.#reopenTimer = setTimeout(async () => {
      const timer = this.#reopenTimer;
      const may = await this.handlers.mayReopen();
      if (timer !== this.#reopenTimer || this.#source) return;
      if (may) this.#start(from);
      else this.handlers.onStatus('closed');
    }, pause);
  }
}
