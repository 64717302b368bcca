/** Sign-up, log-in, log-out, password and "who am I", over the account service and our own endpoints. */
import { ALLAUTH, refreshCsrfToken, send, sendRaw } from './http.js';
import { Problem, toProblem } from './problems.js';

/** @typedef {import('./types.js').Me} Me */
/** @typedef {import('./types.js').Setup} Setup */

/**
 * @returns {Promise<Me|null>} null when nobody is logged in
 */
export async function fetchMe() {
  const answer = await sendRaw({ method: 'GET', url: '/api/me/' });
  if (answer.status === 401) return null;
  if (answer.status === 200) return answer.data;
  throw toProblem(answer.status, answer.data, answer.headers?.['retry-after']);
}

/** @returns {Promise<Setup>} */
export function fetchSetup() {
  return send({ method: 'GET', url: '/api/setup/' });
}

/**
 * The account service answers 401 with a list of open steps when more than a password is needed.
 * @param {import('axios').AxiosResponse} answer
 */
export function checkAccountAnswer(answer) {
  if (answer.status >= 200 && answer.status < 300) return;
  /** @type {{id: string, is_pending?: boolean}[]} */
  const flows = answer.data?.data?.flows ?? [];
  if (answer.status === 401 && flows.some((flow) => flow.id === 'verify_email' && flow.is_pending)) {
    throw new Problem({
      status: 401,
      code: 'verify_email',
      message: 'Almost done: open the link in the email we have sent you, then log in.',
    });
  }
  if (answer.status === 401 && flows.some((flow) => flow.id === 'mfa_authenticate' && flow.is_pending)) {
    throw new Problem({ status: 401, code: 'second_factor', message: 'Your account asks for a code as well.' });
  }
  throw toProblem(answer.status, answer.data, answer.headers?.['retry-after']);
}

/**
 * @param {{email: string, password: string, setupCode?: string}} form
 * @returns {Promise<void>}
 */
export async function signUp({ email, password, setupCode }) {
  await refreshCsrfToken();
  const answer = await sendRaw({
    method: 'POST',
    url: `${ALLAUTH}/auth/signup`,
    data: { email, password },
    headers: setupCode ? { 'X-Setup-Code': setupCode } : {},
  });
  checkAccountAnswer(answer);
}

/**
 * @param {{email: string, password: string}} form
 * @returns {Promise<void>}
 */
export async function logIn({ email, password }) {
  await refreshCsrfToken();
  const answer = await sendRaw({ method: 'POST', url: `${ALLAUTH}/auth/login`, data: { email, password } });
  // 409: this browser is logged in already, for example in another tab.
  if (answer.status !== 409) checkAccountAnswer(answer);
}

/**
 * The second step of logging in, where the first one was answered with the code "second_factor".
 * @param {string} code of the app, or a recovery code
 * @returns {Promise<void>}
 */
export async function logInWithCode(code) {
  const answer = await sendRaw({ method: 'POST', url: `${ALLAUTH}/auth/2fa/authenticate`, data: { code } });
  // 409: another tab was quicker.
  if (answer.status !== 409) checkAccountAnswer(answer);
}

/** @returns {Promise<void>} */
export async function logOut() {
  const answer = await sendRaw({ method: 'DELETE', url: `${ALLAUTH}/auth/session` });
  // 401 is how the account service confirms that the session is over.
  if (answer.status !== 401) checkAccountAnswer(answer);
}

/**
 * @param {{currentPassword: string, newPassword: string}} form
 * @returns {Promise<void>}
 */
export async function changePassword({ currentPassword, newPassword }) {
  const answer = await sendRaw({
    method: 'POST',
    url: `${ALLAUTH}/account/password/change`,
    data: { current_password: currentPassword, new_password: newPassword },
  });
  checkAccountAnswer(answer);
}

/**
 * Delete my account for good. Who has no password gives their email address instead.
 * @param {{password?: string, confirm?: string}} proof
 * @returns {Promise<void>}
 */
export async function deleteMyAccount(proof) {
  await send({ method: 'DELETE', url: '/api/me/', data: proof });
}
