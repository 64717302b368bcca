import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as access from '../api/access.js';
import * as account from '../api/account.js';
import { Problem } from '../api/problems.js';
import { queryClient } from '../app/queryClient.js';
import AuthPage from './AuthPage.jsx';
import { setUser, useSession } from './session.js';

vi.mock('../api/access.js');
vi.mock('../api/account.js');
const me = { id: 'u1', email: 'ada@example.org', display_name: '', is_staff: true, is_auditor: false, has_password: true };

/** @param {Partial<import('../api/types.js').Setup>} setup */
function given(setup) {
  vi.mocked(account.fetchSetup).mockResolvedValue({ signup: 'open', first_account: false, setup_code_required: false, mail: false, ...setup });
}
/** @param {'login'|'signup'} mode @param {string} [address] */
function show(mode, address = `/${mode}`) {
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter initialEntries={[address]}>
        <AuthPage mode={mode} />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}
/** @param {string} button */
async function fillIn(button) {
  await userEvent.type(screen.getByLabelText('Email'), 'ada@example.org');
  await userEvent.type(screen.getByLabelText('Password'), 'correct horse');
  await userEvent.click(screen.getByRole('button', { name: button }));
}

beforeEach(() => {
  queryClient.clear();
  setUser(null);
  vi.mocked(account.fetchMe).mockResolvedValue(me);
  vi.mocked(access.fetchAccessConfig).mockReset().mockResolvedValue({ secondFactor: true, services: [] });
  vi.mocked(access.fetchPendingStep).mockReset().mockResolvedValue(null);
  vi.mocked(access.beginSignOn).mockReset();
  vi.mocked(account.logIn).mockResolvedValue(undefined);
  vi.mocked(account.logInWithCode).mockReset().mockResolvedValue(undefined);
  vi.mocked(account.signUp).mockResolvedValue(undefined);
});

describe('signing up', () => {
  test('tells the first person that they will be the administrator', async () => {
    given({ first_account: true });
    show('signup');
    expect(await screen.findByText('The first account becomes the administrator.')).toBeInTheDocument();
    await fillIn('Create account');
    expect(account.signUp).toHaveBeenCalledWith({ email: 'ada@example.org', password: 'correct horse', setupCode: '' });
    expect(useSession.getState()).toMatchObject({ status: 'in', user: me });
  });

  test('asks for the setup code where one is required', async () => {
    given({ first_account: true, setup_code_required: true });
    vi.mocked(account.signUp).mockRejectedValue(new Problem({ status: 403, code: 'http_403', message: 'No.' }));
    show('signup');
    await userEvent.type(await screen.findByLabelText('Setup code'), '1234');
    await fillIn('Create account');
    expect(await screen.findByText(/not the code/)).toBeInTheDocument();
    expect(useSession.getState().status).toBe('out');
  });

  test('says when it is closed', async () => {
    given({ signup: 'closed' });
    show('signup');
    expect(await screen.findByText(/New accounts are closed/)).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Create account' })).toBeNull();
  });

  test('shows the server’s complaint beside the field', async () => {
    given({});
    const fields = { password: ['This password is too common.'] };
    vi.mocked(account.signUp).mockRejectedValue(new Problem({ status: 400, code: 'x', message: 'x', fields }));
    show('signup');
    await fillIn('Create account');
    expect(await screen.findByText('This password is too common.')).toBeInTheDocument();
    expect(screen.getByLabelText('Password')).toBeInvalid();
    expect(screen.getByLabelText('Email')).toHaveValue('ada@example.org');
  });
});

describe('logging in', () => {
  test('remembers who it is', async () => {
    given({});
    show('login');
    await fillIn('Log in');
    expect(useSession.getState()).toMatchObject({ status: 'in', user: me });
  });

  test('says how long to wait after too many attempts', async () => {
    given({});
    const tooMany = new Problem({ status: 429, code: 'x', message: 'Too many attempts.', retryAfterSeconds: 20 });
    vi.mocked(account.logIn).mockRejectedValue(tooMany);
    show('login');
    await fillIn('Log in');
    expect(await screen.findByRole('alert')).toHaveTextContent('Too many attempts. Try again in 20 s.');
  });

  test('offers no sign-up where it is closed', async () => {
    given({ signup: 'closed' });
    show('login');
    expect(await screen.findByRole('button', { name: 'Log in' })).toBeInTheDocument();
    await vi.waitFor(() => expect(screen.queryByRole('link', { name: 'Create an account' })).toBeNull());
  });
});

describe('logging in with a second factor', () => {
  const CODE_ASKED = new Problem({ status: 401, code: 'second_factor', message: 'x' });

  async function untilTheCode() {
    given({});
    vi.mocked(account.logIn).mockRejectedValue(CODE_ASKED);
    show('login');
    await fillIn('Log in');
    return screen.findByLabelText('Code');
  }

  test('asks for a code after the password', async () => {
    const field = await untilTheCode();
    expect(field).toHaveFocus();
    expect(useSession.getState().status).toBe('out');
    await userEvent.type(field, '123 456{Enter}');
    expect(account.logInWithCode).toHaveBeenCalledWith('123456');
    await vi.waitFor(() => expect(useSession.getState()).toMatchObject({ status: 'in', user: me }));
  });

  test('says beside the field that a code is wrong', async () => {
    const fields = { code: ['Incorrect code.'] };
    vi.mocked(account.logInWithCode).mockRejectedValue(new Problem({ status: 400, code: 'incorrect_code', message: 'x', fields }));
    await userEvent.type(await untilTheCode(), '000000{Enter}');
    expect(await screen.findByText('Incorrect code.')).toBeInTheDocument();
    expect(useSession.getState().status).toBe('out');
  });

  test('begins again where the first step has worn out', async () => {
    vi.mocked(account.logInWithCode).mockRejectedValue(new Problem({ status: 401, code: 'http_401', message: 'x' }));
    await userEvent.type(await untilTheCode(), '123456{Enter}');
    expect(await screen.findByLabelText('Password')).toBeInTheDocument();
  });
});

describe('logging in through another service', () => {
  const STAFF = { secondFactor: true, services: [{ id: 'oidc', name: 'Our staff' }] };

  test('is offered where there is one, and not otherwise', async () => {
    given({});
    show('login');
    await screen.findByRole('button', { name: 'Log in' });
    await vi.waitFor(() => expect(access.fetchAccessConfig).toHaveBeenCalled());
    expect(screen.queryByRole('button', { name: /Continue with/ })).toBeNull();
    expect(access.fetchPendingStep).not.toHaveBeenCalled();
  });

  test('leads there, or says why not', async () => {
    given({});
    vi.mocked(access.fetchAccessConfig).mockResolvedValue(STAFF);
    vi.mocked(access.beginSignOn).mockRejectedValue(new Problem({ status: 503, code: 'other_service_away', message: 'Our staff does not answer.' }));
    show('login');
    await userEvent.click(await screen.findByRole('button', { name: 'Continue with Our staff' }));
    expect(access.beginSignOn).toHaveBeenCalledWith('login');
    expect(await screen.findByRole('alert')).toHaveTextContent('Our staff does not answer.');
    expect(screen.getByRole('button', { name: 'Continue with Our staff' })).toBeInTheDocument();
  });

  test('is not offered for the first account', async () => {
    given({ first_account: true });
    vi.mocked(access.fetchAccessConfig).mockResolvedValue(STAFF);
    show('signup');
    await screen.findByText('The first account becomes the administrator.');
    expect(screen.queryByRole('button', { name: /Continue with/ })).toBeNull();
  });

  test('says in plain words what went wrong there', async () => {
    given({});
    vi.mocked(access.fetchAccessConfig).mockResolvedValue(STAFF);
    show('login', '/login?from=service&error=email_taken&error_process=login');
    await vi.waitFor(() => expect(screen.getByRole('alert')).toHaveTextContent('then connect Our staff under Settings → Log-in'));
  });

  test('has words for what nobody has foreseen', async () => {
    given({});
    show('login', '/login?from=service&error=constructor');
    expect(await screen.findByRole('alert')).toHaveTextContent('did not work');
  });

  test('asks for the second factor when the browser comes back', async () => {
    given({});
    vi.mocked(access.fetchPendingStep).mockResolvedValue('code');
    show('login', '/login?from=service');
    await userEvent.type(await screen.findByLabelText('Code'), '123456{Enter}');
    expect(account.logInWithCode).toHaveBeenCalledWith('123456');
    await vi.waitFor(() => expect(useSession.getState().status).toBe('in'));
  });
});
