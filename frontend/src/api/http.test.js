import axios from 'axios';
import { beforeEach, describe, expect, test, vi } from 'vitest';

/** @type {{config: import('axios').InternalAxiosRequestConfig}[]} */
let sent = [];
/** @type {{status: number, data?: unknown, headers?: Record<string, string>}[]} */
let answers = [];

axios.defaults.adapter = async (config) => {
  sent.push({ config });
  const answer = answers.shift();
  if (!answer) throw new axios.AxiosError('Network Error', 'ERR_NETWORK', config);
  return { statusText: '', headers: {}, data: undefined, config, ...answer };
};
const { command, get, samePath, whenLoggedOut } = await import('./http.js');

beforeEach(() => {
  sent = [];
  answers = [];
});
const urls = () => sent.map(({ config }) => `${config.method} ${config.url}`);

describe('a request', () => {
  test('that fails the CSRF check is repeated once with a new token', async () => {
    answers = [{ status: 403, data: { code: 'csrf_failed' } }, { status: 200 }, { status: 201, data: { id: 'c1' } }];
    await expect(command('POST', '/api/conversations/', {}, 'k1')).resolves.toEqual({ id: 'c1' });
    expect(urls()).toEqual([
      'post /api/conversations/',
      'get /_allauth/browser/v1/config',
      'post /api/conversations/',
    ]);
    expect(sent[2]?.config.headers['Idempotency-Key']).toBe('k1');
  });

  test('that fails the CSRF check twice is not repeated again', async () => {
    answers = [{ status: 403, data: { code: 'csrf_failed' } }, { status: 200 }, { status: 403, data: { code: 'csrf_failed' } }];
    await expect(command('POST', '/x/', {})).rejects.toMatchObject({ status: 403, code: 'csrf_failed' });
    expect(sent).toHaveLength(3);
  });

  test('that is refused for another reason is not repeated', async () => {
    answers = [{ status: 403, data: { code: 'forbidden', detail: 'No.' } }];
    await expect(get('/x/')).rejects.toMatchObject({ message: 'No.' });
    expect(sent).toHaveLength(1);
  });

  test('tells the session when nobody is logged in any more', async () => {
    const listener = vi.fn();
    whenLoggedOut(listener);
    answers = [{ status: 401, data: { detail: 'Log in.' } }];
    await expect(get('/x/')).rejects.toMatchObject({ status: 401 });
    expect(listener).toHaveBeenCalledOnce();
  });

  test('without an answer says so', async () => {
    await expect(get('/x/')).rejects.toMatchObject({ status: 0, code: 'no_answer' });
  });

  test('keeps the time the server asks to wait', async () => {
    answers = [{ status: 503, data: {}, headers: { 'retry-after': '2' } }];
    await expect(get('/x/')).rejects.toMatchObject({ retryAfterSeconds: 2 });
  });
});

test('a command makes a key of its own when it gets none', async () => {
  answers = [{ status: 202 }, { status: 202 }];
  await command('DELETE', '/x/', undefined);
  await command('DELETE', '/x/', undefined);
  const [a, b] = sent.map(({ config }) => config.headers['Idempotency-Key']);
  expect(a).toMatch(/^[0-9a-f-]{36}$/);
  expect(a).not.toBe(b);
});

test('a page address is used on the host this page came from', () => {
  expect(samePath('http://internal:8000/api/conversations/?cursor=abc')).toBe('/api/conversations/?cursor=abc');
});
