/**
 * One error class for everything that can go wrong between browser and server, so that screens can say
 * what happened in the server's own words. It knows both problem+json and the account service's shape.
 */

export class Problem extends Error {
  /**
   * @param {object} facts
   * @param {number} facts.status 0 when no answer arrived at all
   * @param {string} facts.code
   * @param {string} facts.message what a person should read
   * @param {Record<string, string[]>} [facts.fields] per field
   * @param {number|null} [facts.retryAfterSeconds]
   */
  constructor({ status, code, message, fields = {}, retryAfterSeconds = null }) {
    super(message);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** No answer: the request may or may not have arrived. Only an idempotency key makes a repeat safe. */
  static noAnswer() {
    return new Problem({
      status: 0,
      code: 'no_answer',
      message: 'Verbatim cannot be reached. Check your connection and that it is running, then retry.',
    });
  }
}

/**
 * @param {string|undefined} header seconds, or an HTTP date
 * @param {number} now milliseconds
 * @returns {number|null}
 */
export function parseRetryAfter(header, now = Date.now()) {
  if (!header) return null;
  if (/^\d+$/.test(header.trim())) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1000));
}

/** @type {Record<number, string>} */
const BY_STATUS = {
  400: 'The server could not accept this. Check what you entered.',
  401: 'You are logged out. Log in again.',
  403: 'This is not allowed for your account.',
  404: 'This does not exist, or it is not yours.',
  409: 'Something changed in the meantime. Reload and try again.',
  413: 'This is too large to send.',
  429: 'Too many requests in a short time. Wait a little, then retry.',
  503: 'Verbatim is busy for a moment. Retry shortly.',
};

/**
 * @param {number} status
 * @param {unknown} body
 * @param {string|undefined} retryAfter
 * @returns {Problem}
 */
export function toProblem(status, body, retryAfter) {
  const data = /** @type {Record<string, any>} */ (body && typeof body === 'object' ? body : {});
  /** @type {Record<string, string[]>} */
  const fields = {};
  /** @type {string[]} */
  const general = [];
  let code = typeof data.code === 'string' ? data.code : '';
  if (Array.isArray(data.errors)) {
    for (const error of data.errors) {
      const text = String(error?.message ?? '');
      if (!code) code = String(error?.code ?? '');
      if (error?.param) (fields[error.param] ??= []).push(text);
      else if (text) general.push(text);
    }
  } else if (data.errors && typeof data.errors === 'object') {
    for (const [field, texts] of Object.entries(data.errors)) {
      fields[field] = Array.isArray(texts) ? texts.map(String) : [String(texts)];
    }
  }
  const fallback = BY_STATUS[status] ?? `The server answered ${status}. Retry; if it stays, look at its log.`;
  const firstField = Object.values(fields)[0]?.[0];
  const message = data.detail || general.join(' ') || firstField || data.title || fallback;
  return new Problem({
    status,
    code: code || `http_${status}`,
    message: String(message),
    fields,
    retryAfterSeconds: parseRetryAfter(retryAfter),
  });
}

/**
 * @param {unknown} error
 * @returns {Problem}
 */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  return new Problem({
    status: 0,
    code: 'unexpected',
    message: `Something unexpected happened in the page: ${error instanceof Error ? error.message : String(error)}`,
  });
}

/**
 * What to say of a refusal, with how long to wait where there were too many tries.
 * @param {Problem} problem
 */
export function messageWithWait(problem) {
  const wait = problem.status === 429 && problem.retryAfterSeconds ? ` Try again in ${problem.retryAfterSeconds} s.` : '';
  return problem.message + wait;
}
