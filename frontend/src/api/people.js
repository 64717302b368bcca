/** The people of this installation, for its administrators: who they are, what they may do, whether they may come in. */
import { command, get, samePath } from './http.js';

/**
 * @template T
 * @typedef {import('./types.js').Page<T>} Page
 */

/**
 * @typedef {object} Person
 * @property {string} id
 * @property {string} email
 * @property {string} display_name
 * @property {boolean} is_active false: cannot log in, and no token of theirs works
 * @property {boolean} is_auditor
 * @property {boolean} is_staff an administrator
 * @property {boolean} has_second_factor log-in also asks for a code of an app
 * @property {string|null} [last_login]
 * @property {string} [date_joined]
 *
 * @typedef {Partial<Pick<Person, 'is_active'|'is_auditor'|'is_staff'>>} PersonChange
 */

const BASE = '/api/users/';

/**
 * @param {string} search a part of the name or of the email; empty: everybody
 * @param {{next?: string|null, signal?: AbortSignal}} [options] next: a page's own, for the people after it
 * @returns {Promise<Page<Person>>}
 */
export function fetchPeople(search, { next = null, signal } = {}) {
  if (next !== null) return get(samePath(next), { signal });
  return get(BASE, { params: search ? { search } : {}, signal });
}

/**
 * @param {string} id
 * @param {PersonChange} change
 * @returns {Promise<Person>}
 */
export function changePerson(id, change) {
  return command('PATCH', `${BASE}${id}/`, change);
}

/**
 * A link with which somebody else sets a new password; it works once. Recorded, and they see it.
 * @param {string} id
 * @returns {Promise<{path: string, expires_at: string}>}
 */
export function makePasswordLink(id) {
  return command('POST', `${BASE}${id}/reset-password/`, {});
}

/**
 * Take the second factor off somebody who lost it. Recorded, and they see it.
 * @param {string} id
 * @returns {Promise<Person>}
 */
export function removeSecondFactor(id) {
  return command('POST', `${BASE}${id}/remove-second-factor/`, {});
}
