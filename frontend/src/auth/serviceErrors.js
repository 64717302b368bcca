/** What is said when logging in through another service did not work. The codes come in the address of the page. */

/** @type {Record<string, (service: string) => string>} */
const WORDS = {
  cancelled: () => 'You turned back at the other service. Nothing has changed.',
  signup_closed: () => 'You have no account here yet, and new accounts are closed. Ask the administrator to add you.',
  first_account: () => 'The first account here is the administrator’s and is made with an email address and a password. Create it first.',
  email_missing: (service) => `${service} did not tell your email address, and an account here needs one. Allow it there, or ask the administrator.`,
  email_taken: (service) =>
    `There is an account with your email address here already. Log in with its password; then connect ${service} under Settings → Log-in.`,
  permission_denied: () => 'This account has been deactivated, or new accounts are closed. Ask an administrator.',
  connected_other: (service) => `This account at ${service} belongs to another account here already. Disconnect it there first.`,
  reauthentication_required: () => 'That took too long. Try again.',
};

/**
 * @param {string} code
 * @param {string} service its name
 */
export function wordsOfServiceError(code, service) {
  return (
    (Object.hasOwn(WORDS, code) ? WORDS[code]?.(service) : undefined) ??
    `Log-in through ${service} did not work. Try again; if it stays like that, tell an administrator: the server’s log says why.`
  );
}
