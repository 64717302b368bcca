/**
 * Getting in by other ways than a password that is known, over the account service: a link for a new password.
 * Kept apart from account.js, which the first page loads.
 */
import { checkAccountAnswer } from './account.js';
import { ALLAUTH, refreshCsrfToken, sendRaw } from './http.js';

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
