/**
 * The one door to the server. It adds the CSRF token, repeats a request once after a CSRF failure, turns
 * every failure into a Problem, and tells the session when the server no longer knows us.
 * It may not know any screen.
 */
import axios from 'axios';

import { Problem, toProblem } from './problems.js';

export const ALLAUTH = '/_allauth/browser/v1';

const client = axios.create({
  timeout: 30_000,
  xsrfCookieName: 'csrftoken',
  xsrfHeaderName: 'X-CSRFToken',
  withXSRFToken: true,
  headers: { Accept: 'application/json' },
  validateStatus: () => true,
});

/** @type {() => void} */
let onLoggedOut = () => undefined;

/** @param {() => void} listener called when an answer says that nobody is logged in */
export function whenLoggedOut(listener) {
  onLoggedOut = listener;
}

/** For callers who look at a 401 themselves, and find that it means what it usually means. */
export function tellLoggedOut() {
  onLoggedOut();
}

/** Fetch the configuration: the answer sets the csrftoken cookie. */
export async function refreshCsrfToken() {
  await exchange({ method: 'GET', url: `${ALLAUTH}/config` });
}

/**
 * @param {import('axios').AxiosRequestConfig} config
 * @returns {Promise<import('axios').AxiosResponse>}
 */
async function exchange(config) {
  try {
    return await client.request(config);
  } catch (error) {
    if (axios.isCancel(error)) throw error;
    throw Problem.noAnswer();
  }
}

/**
 * Send one request and return the answer whatever its status: for callers to whom 401 is no failure.
 * @param {import('axios').AxiosRequestConfig} config
 */
export async function sendRaw(config) {
  const answer = await exchange(config);
  if (answer.status !== 403 || answer.data?.code !== 'csrf_failed') return answer;
  await refreshCsrfToken();
  return exchange(config);
}

/**
 * Send one request and return the body of a 2xx answer. Throws Problem.
 * @param {import('axios').AxiosRequestConfig} config
 * @returns {Promise<any>}
 */
export async function send(config) {
  const answer = await sendRaw(config);
  if (answer.status >= 200 && answer.status < 300) return answer.data;
  if (answer.status === 401) onLoggedOut();
  throw toProblem(answer.status, answer.data, answer.headers?.['retry-after']);
}

/**
 * @param {string} url
 * @param {{params?: Record<string, unknown>, signal?: AbortSignal}} [options]
 */
export function get(url, { params, signal } = {}) {
  return send({ method: 'GET', url, params, signal });
}

/**
 * A command: the same key makes a repeat of the same intent harmless.
 * @param {'POST'|'PATCH'|'DELETE'} method
 * @param {string} url
 * @param {unknown} body
 * @param {string} [key]
 */
export function command(method, url, body, key = crypto.randomUUID()) {
  return send({ method, url, data: body, headers: { 'Idempotency-Key': key } });
}

/**
 * Page addresses come as full URLs; behind a proxy their host may not be the one the browser uses.
 * @param {string} url
 */
export function samePath(url) {
  const parsed = new URL(url, window.location.origin);
  return parsed.pathname + parsed.search;
}
