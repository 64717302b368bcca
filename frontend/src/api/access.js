/**
 * Everything about getting in beyond email and password, over the account service: links for a new password, second
 * factors, other services. Kept apart from account.js, which the first page loads.
 */
import { checkAccountAnswer } from './account.js';
import { ALLAUTH, refreshCsrfToken, sendRaw, tellLoggedOut } from './http.js';
import { Problem, toProblem } from './problems.js';

/** @typedef {'password'|'code'} Proof */

/** The server wants to know that it is still the same person who sits there. */
export class ProofNeeded extends Problem {
  /** @param {Proof[]} ways by what they can show it */
  constructor(ways) {
    super({ status: 401, code: 'proof_needed', message: 'Show that it is you first.' });
    this.ways = ways;
  }
}

/**
 * Something done to one's own account. Throws ProofNeeded where it has to be shown anew who sits there.
 * @param {import('axios').AxiosRequestConfig} config
 * @returns {Promise<import('axios').AxiosResponse>}
 */
async function sendAsMyself(config) {
  const answer = await sendRaw(config);
  if (answer.status !== 401) return answer;
  if (!answer.data?.meta?.is_authenticated) {
    tellLoggedOut();
    throw toProblem(401, {}, undefined);
  }
  /** @type {{id: string}[]} */
  const flows = answer.data.data?.flows ?? [];
  throw new ProofNeeded(waysOf(flows.map(({ id }) => id)));
}

/** @param {string[]} flows as the account service calls them @returns {Proof[]} */
function waysOf(flows) {
  /** @type {Proof[]} */
  const ways = [];
  if (flows.includes('reauthenticate')) ways.push('password');
  if (flows.includes('mfa_reauthenticate')) ways.push('code');
  return ways;
}

/** @param {import('axios').AxiosRequestConfig} config */
async function changeMyself(config) {
  const answer = await sendAsMyself(config);
  checkAccountAnswer(answer);
  return answer.data?.data;
}

/**
 * @typedef {object} AccessConfig
 * @property {boolean} secondFactor whether people may set one up here
 * @property {{id: string, name: string}[]} services through which one may log in
 */

/** @returns {Promise<AccessConfig>} */
export async function fetchAccessConfig() {
  const answer = await sendRaw({ method: 'GET', url: `${ALLAUTH}/config` });
  checkAccountAnswer(answer);
  const { mfa, socialaccount } = answer.data?.data ?? {};
  return {
    secondFactor: Boolean(mfa?.supported_types?.includes('totp')),
    services: (socialaccount?.providers ?? []).map((/** @type {{id: string, name: string}} */ { id, name }) => ({ id, name })),
  };
}

/** @param {Proof} way @param {string} text the password, or a code */
export async function prove(way, text) {
  const url = way === 'password' ? `${ALLAUTH}/auth/reauthenticate` : `${ALLAUTH}/auth/2fa/reauthenticate`;
  const answer = await sendRaw({ method: 'POST', url, data: way === 'password' ? { password: text } : { code: text } });
  checkAccountAnswer(answer);
}

const FACTORS = `${ALLAUTH}/account/authenticators`;
const TOTP = `${FACTORS}/totp`;
const CODES = `${FACTORS}/recovery-codes`;

/**
 * @typedef {object} SecondFactor
 * @property {boolean} on
 * @property {Date|null} since
 * @property {number} codesLeft recovery codes that were not used yet
 */

/** @returns {Promise<SecondFactor>} */
export async function fetchSecondFactor() {
  /** @type {{type: string, created_at: number, unused_code_count?: number}[]} */
  const found = (await changeMyself({ method: 'GET', url: FACTORS })) ?? [];
  const app = found.find(({ type }) => type === 'totp');
  return {
    on: Boolean(app),
    since: app ? new Date(app.created_at * 1000) : null,
    codesLeft: found.find(({ type }) => type === 'recovery_codes')?.unused_code_count ?? 0,
  };
}

/** @returns {Promise<{secret: string, link: string}>} a new secret, which nothing depends on until a code of it is sent */
export async function offerSecondFactor() {
  const answer = await sendAsMyself({ method: 'GET', url: TOTP });
  // 404 is how the account service says that there is none yet, with one to take.
  if (answer.status !== 404) {
    checkAccountAnswer(answer);
    throw new Problem({ status: 409, code: 'on_already', message: 'Your second factor is on already. Reload this page.' });
  }
  return { secret: answer.data.meta.secret, link: answer.data.meta.totp_url };
}

/** Of the secret that was offered last, for an <img>. */
export const PICTURE = '/api/me/second-factor/picture/';

/** @param {string} code of the app that has taken the secret */
export function turnOnSecondFactor(code) {
  return changeMyself({ method: 'POST', url: TOTP, data: { code } });
}

export function turnOffSecondFactor() {
  return changeMyself({ method: 'DELETE', url: TOTP });
}

/** @returns {Promise<string[]>} those that were not used yet */
export async function fetchRecoveryCodes() {
  return (await changeMyself({ method: 'GET', url: CODES }))?.unused_codes ?? [];
}

/** @returns {Promise<string[]>} new ones; the earlier ones are worth nothing any more */
export async function renewRecoveryCodes() {
  return (await changeMyself({ method: 'POST', url: CODES, data: {} }))?.unused_codes ?? [];
}

/**
 * Whose password the link sets. Throws Problem where the link is used up, too old, or not complete.
 * @param {string} key
 * @returns {Promise<{email: string}>}
 */
export async function fetchPasswordLink(key) {
  const answer = await sendRaw({ method: 'GET', url: `${ALLAUTH}/auth/password/reset`, headers: { 'X-Password-Reset-Key': key } });
  checkAccountAnswer(answer);
  return { email: String(answer.data?.data?.user?.email ?? '') };
}

/**
 * @param {{key: string, password: string}} form
 * @returns {Promise<void>}
 */
export async function setPasswordByLink({ key, password }) {
  await refreshCsrfToken();
  const answer = await sendRaw({ method: 'POST', url: `${ALLAUTH}/auth/password/reset`, data: { key, password } });
  // 401 is how the account service says that the password is set and nobody is logged in by that.
  if (answer.status !== 401) checkAccountAnswer(answer);
}

/**
 * Ask for a mail with a link for a new password. The answer is the same whether there is such an account or not.
 * @param {string} email
 * @returns {Promise<void>}
 */
export async function requestPasswordLink(email) {
  await refreshCsrfToken();
  checkAccountAnswer(await sendRaw({ method: 'POST', url: `${ALLAUTH}/auth/password/request`, data: { email } }));
}

const CONFIRMATION = `${ALLAUTH}/auth/email/verify`;

/**
 * Which address the link in a mail confirms. Throws Problem where it is used up, too old, or not complete.
 * @param {string} key
 * @returns {Promise<{email: string}>}
 */
export async function fetchEmailLink(key) {
  const answer = await sendRaw({ method: 'GET', url: CONFIRMATION, headers: { 'X-Email-Verification-Key': key } });
  checkAccountAnswer(answer);
  return { email: String(answer.data?.data?.email ?? '') };
}

/**
 * @param {string} key
 * @returns {Promise<void>}
 */
export async function confirmEmail(key) {
  await refreshCsrfToken();
  const answer = await sendRaw({ method: 'POST', url: CONFIRMATION, data: { key } });
  // 401 is how the account service says that the address is confirmed and nobody is logged in by that.
  if (answer.status !== 401) checkAccountAnswer(answer);
}

/**
 * Begin to log in through the other service, or to connect it with the account that is logged in.
 * @param {'login'|'connect'} process
 * @returns {Promise<string>} where the browser has to go
 */
export async function beginSignOn(process) {
  await refreshCsrfToken();
  const answer = await sendRaw({ method: 'POST', url: '/api/sign-on/', data: { process } });
  if (answer.status === 200) return answer.data.url;
  if (answer.data?.code === 'proof_needed') throw new ProofNeeded(waysOf(answer.data.errors?.proof ?? []));
  if (answer.status === 401) tellLoggedOut();
  throw toProblem(answer.status, answer.data, answer.headers?.['retry-after']);
}

/**
 * What is left to do after coming back from the other service without being logged in.
 * @returns {Promise<'code'|'verify_email'|null>}
 */
export async function fetchPendingStep() {
  const answer = await sendRaw({ method: 'GET', url: `${ALLAUTH}/auth/session` });
  /** @type {{id: string, is_pending?: boolean}[]} */
  const flows = answer.data?.data?.flows ?? [];
  const pending = flows.find((flow) => flow.is_pending)?.id;
  if (pending === 'mfa_authenticate') return 'code';
  return pending === 'verify_email' ? 'verify_email' : null;
}

/**
 * @typedef {object} LinkedAccount
 * @property {string} service its id
 * @property {string} account its id there
 * @property {string} display how it is called there
 */

/** @param {{uid: string, display: string, provider: {id: string}}[]} found @returns {LinkedAccount[]} */
const linked = (found) => found.map(({ uid, display, provider }) => ({ service: provider.id, account: uid, display }));

/** @returns {Promise<LinkedAccount[]>} */
export async function fetchLinkedAccounts() {
  return linked((await changeMyself({ method: 'GET', url: `${ALLAUTH}/account/providers` })) ?? []);
}

/** @param {LinkedAccount} one @returns {Promise<LinkedAccount[]>} those that are left */
export async function disconnectAccount({ service, account }) {
  return linked((await changeMyself({ method: 'DELETE', url: `${ALLAUTH}/account/providers`, data: { provider: service, account } })) ?? []);
}
