import { beforeEach, describe, expect, test, vi } from 'vitest';

import { changePassword, fetchMe, logIn, logOut, signUp } from './account.js';
import { refreshCsrfToken, sendRaw } from './http.js';

vi.mock('./http.js', async (original) => ({
  .../** @type {object} */ (await original()),
  sendRaw: vi.fn(),
  refreshCsrfToken: vi.fn(),
}));

/** @param {number} status @param {unknown} [data] */
function answering(status, data) {
  vi.mocked(sendRaw).mockResolvedValue(/** @type {any} */ ({ status, data, headers: {} }));
}

beforeEach(() => {
  vi.mocked(sendRaw).mockReset();
  vi.mocked(refreshCsrfToken).mockReset().mockResolvedValue(undefined);
});

describe('the account service', () => {
  test('nobody is logged in: that is an answer, not a failure', async () => {
    answering(401);
    await expect(fetchMe()).resolves.toBeNull();
    answering(500);
    await expect(fetchMe()).rejects.toMatchObject({ status: 500 });
  });

  test('gets a token before it is asked for anything', async () => {
    answering(200);
    await logIn({ email: 'ada@example.org', password: 'pw' });
    expect(refreshCsrfToken).toHaveBeenCalledBefore(vi.mocked(sendRaw));
  });

  test('confirms a log-out with 401', async () => {
    answering(401);
    await expect(logOut()).resolves.toBeUndefined();
    answering(500);
    await expect(logOut()).rejects.toMatchObject({ status: 500 });
  });

  test('a browser that is logged in already may go on', async () => {
    answering(409);
    await expect(logIn({ email: 'a', password: 'b' })).resolves.toBeUndefined();
  });

  test('sends the setup code only when there is one', async () => {
    answering(200);
    await signUp({ email: 'a', password: 'b', setupCode: '1234' });
    await signUp({ email: 'a', password: 'b', setupCode: '' });
    const [withCode, without] = vi.mocked(sendRaw).mock.calls.map(([config]) => config.headers);
    expect(withCode).toEqual({ 'X-Setup-Code': '1234' });
    expect(without).toEqual({});
  });

  test('says when the address has to be confirmed first', async () => {
    answering(401, { data: { flows: [{ id: 'verify_email', is_pending: true }] } });
    await expect(signUp({ email: 'a', password: 'b' })).rejects.toMatchObject({ code: 'verify_email' });
  });

  test('refusals come with their field', async () => {
    answering(400, { errors: [{ message: 'Wrong.', code: 'x', param: 'current_password' }] });
    await expect(changePassword({ currentPassword: 'a', newPassword: 'b' })).rejects.toMatchObject({
      fields: { current_password: ['Wrong.'] },
    });
  });
});
