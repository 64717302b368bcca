import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as access from './access.js';
import * as http from './http.js';
import { Problem } from './problems.js';

vi.mock(import('./http.js'), async (original) => ({ ...(await original()), sendRaw: vi.fn(), refreshCsrfToken: vi.fn(), tellLoggedOut: vi.fn() }));

/** @param {number} status @param {unknown} data */
const answers = (status, data = {}) =>
  vi.mocked(http.sendRaw).mockResolvedValue(/** @type {any} */ ({ status, data, headers: {} }));
/** @param {string[]} flows */
const provesFirst = (flows) => answers(401, { meta: { is_authenticated: true }, data: { flows: flows.map((id) => ({ id })) } });

beforeEach(() => {
  vi.resetAllMocks();
});

describe('what is done to one’s own account', () => {
  test('may first need a proof, and says which ones will do', async () => {
    provesFirst(['reauthenticate', 'mfa_reauthenticate']);
    const refused = await access.turnOffSecondFactor().catch((error) => error);
    expect(refused).toBeInstanceOf(access.ProofNeeded);
    expect(refused.ways).toEqual(['password', 'code']);
    expect(http.tellLoggedOut).not.toHaveBeenCalled();
  });

  test('is told apart from being logged out', async () => {
    answers(401, { meta: { is_authenticated: false }, data: { flows: [{ id: 'login' }] } });
    const refused = await access.fetchRecoveryCodes().catch((error) => error);
    expect(refused).not.toBeInstanceOf(access.ProofNeeded);
    expect(refused).toBeInstanceOf(Problem);
    expect(http.tellLoggedOut).toHaveBeenCalledOnce();
  });

  test('reads what there is', async () => {
    answers(200, { data: [{ type: 'totp', created_at: 1773133200 }, { type: 'recovery_codes', created_at: 1, unused_code_count: 7 }] });
    expect(await access.fetchSecondFactor()).toEqual({ on: true, since: new Date(1773133200 * 1000), codesLeft: 7 });
    answers(200, { data: [] });
    expect(await access.fetchSecondFactor()).toEqual({ on: false, since: null, codesLeft: 0 });
  });

  test('takes a secret from the answer that there is none yet', async () => {
    answers(404, { meta: { secret: 'ABC', totp_url: 'otpauth://x' } });
    expect(await access.offerSecondFactor()).toEqual({ secret: 'ABC', link: 'otpauth://x' });
    answers(200, { data: { type: 'totp' } });
    await expect(access.offerSecondFactor()).rejects.toMatchObject({ code: 'on_already' });
  });
});

describe('a link for a new password', () => {
  test('is good when the account service says that nobody is logged in by it', async () => {
    answers(401, { data: { flows: [{ id: 'login' }] } });
    await expect(access.setPasswordByLink({ key: 'k', password: 'p' })).resolves.toBeUndefined();
    answers(400, { errors: [{ code: 'invalid_password_reset', param: 'key', message: 'Invalid.' }] });
    await expect(access.setPasswordByLink({ key: 'k', password: 'p' })).rejects.toMatchObject({ code: 'invalid_password_reset' });
  });
});

test('what is switched on here is read from the configuration', async () => {
  answers(200, { data: { mfa: { supported_types: ['totp', 'recovery_codes'] }, socialaccount: { providers: [{ id: 'oidc', name: 'Staff', flows: [] }] } } });
  expect(await access.fetchAccessConfig()).toEqual({ secondFactor: true, services: [{ id: 'oidc', name: 'Staff' }] });
  answers(200, { data: { mfa: { supported_types: [] } } });
  expect(await access.fetchAccessConfig()).toEqual({ secondFactor: false, services: [] });
});

describe('another service', () => {
  test('tells where to go, or what has to be shown first', async () => {
    answers(200, { url: 'https://login.example.org/authorize' });
    expect(await access.beginSignOn('login')).toBe('https://login.example.org/authorize');
    answers(409, { code: 'proof_needed', errors: { proof: ['mfa_reauthenticate'] } });
    await expect(access.beginSignOn('connect')).rejects.toMatchObject({ ways: ['code'] });
    answers(503, { code: 'other_service_away', detail: 'Away.' });
    await expect(access.beginSignOn('login')).rejects.toMatchObject({ message: 'Away.' });
  });

  test('may leave a step to do', async () => {
    answers(401, { data: { flows: [{ id: 'login' }, { id: 'mfa_authenticate', is_pending: true }] } });
    expect(await access.fetchPendingStep()).toBe('code');
    answers(401, { data: { flows: [{ id: 'login' }] } });
    expect(await access.fetchPendingStep()).toBeNull();
  });

  test('is told by the account’s id there', async () => {
    answers(200, { data: [{ uid: 'u', display: 'grace@example.org', provider: { id: 'oidc', name: 'Staff' } }] });
    expect(await access.fetchLinkedAccounts()).toEqual([{ service: 'oidc', account: 'u', display: 'grace@example.org' }]);
  });
});

describe('what comes by mail', () => {
  test('confirms an address, also where that logs nobody in', async () => {
    answers(200, { data: { email: 'ada@example.org' } });
    expect(await access.fetchEmailLink('a:b')).toEqual({ email: 'ada@example.org' });
    expect(http.sendRaw).toHaveBeenCalledWith(expect.objectContaining({ method: 'GET', headers: { 'X-Email-Verification-Key': 'a:b' } }));
    answers(401, { meta: { is_authenticated: false }, data: { flows: [{ id: 'login' }] } });
    await access.confirmEmail('a:b');
    expect(http.sendRaw).toHaveBeenCalledWith(expect.objectContaining({ method: 'POST', data: { key: 'a:b' } }));
  });

  test('is refused by the field when the link is worn out', async () => {
    answers(400, { status: 400, errors: [{ param: 'key', code: 'invalid', message: 'Invalid or expired key.' }] });
    await expect(access.fetchEmailLink('a:b')).rejects.toMatchObject({ fields: { key: ['Invalid or expired key.'] } });
    await expect(access.confirmEmail('a:b')).rejects.toMatchObject({ fields: { key: ['Invalid or expired key.'] } });
  });

  test('is told when it cannot be sent', async () => {
    answers(503, { code: 'mail_not_sent', detail: 'The email could not be sent.' });
    await expect(access.requestPasswordLink('ada@example.org')).rejects.toMatchObject({ code: 'mail_not_sent' });
  });
});
