import { QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as account from '../../api/account.js';
import * as audit from '../../api/audit.js';
import * as calls from '../../api/modelCalls.js';
import * as presets from '../../api/presets.js';
import { Problem } from '../../api/problems.js';
import { queryClient } from '../../app/queryClient.js';
import { setUser, useSession } from '../../auth/session.js';
import { Toasts } from '../../ui/toasts.jsx';
import SettingsPage from './SettingsPage.jsx';

vi.mock('../../api/account.js');
vi.mock('../../api/audit.js');
vi.mock('../../api/modelCalls.js');
vi.mock('../../api/presets.js');

beforeEach(() => {
  queryClient.clear();
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [], runners: [] });
  vi.mocked(presets.fetchPresets).mockResolvedValue([]);
  vi.mocked(audit.fetchAuditReads).mockResolvedValue({ results: [], next: null, previous: null, position: '1' });
  setUser({ id: 'u1', email: 'ada@example.org', display_name: 'Ada', is_staff: true, is_auditor: false, has_password: true });
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter>
        <SettingsPage />
        <Toasts />
      </MemoryRouter>
    </QueryClientProvider>,
  );
});

async function changePassword() {
  await userEvent.type(screen.getByLabelText('Current password'), 'old password');
  await userEvent.type(screen.getByLabelText('New password'), 'new password');
  await userEvent.click(screen.getByRole('button', { name: 'Change password' }));
}

describe('the settings', () => {
  test('say who is logged in', () => {
    expect(screen.getByText('ada@example.org')).toBeInTheDocument();
    expect(screen.getByText('Administrator')).toBeInTheDocument();
  });

  test('lead administrators to the people', () => {
    expect(screen.getByRole('link', { name: 'Manage people' })).toHaveAttribute('href', '/settings/people');
  });

  test('change the theme at once and keep the choice', async () => {
    await userEvent.click(screen.getByRole('radio', { name: 'Dark' }));
    expect(document.documentElement.dataset.theme).toBe('dark');
    expect(localStorage.getItem('verbatim:theme')).toBe('dark');
    await userEvent.click(screen.getByRole('radio', { name: 'Light' }));
    expect(document.documentElement.dataset.theme).toBe('light');
  });

  test('change the password', async () => {
    vi.mocked(account.changePassword).mockResolvedValue(undefined);
    await changePassword();
    expect(account.changePassword).toHaveBeenCalledWith({ currentPassword: 'old password', newPassword: 'new password' });
    expect(await screen.findByText('Your password is changed.')).toBeInTheDocument();
    expect(screen.getByLabelText('New password')).toHaveValue('');
  });

  test('say which password was wrong, and go there', async () => {
    const fields = { current_password: ['This is not your current password.'] };
    vi.mocked(account.changePassword).mockRejectedValue(new Problem({ status: 400, code: 'x', message: 'x', fields }));
    await changePassword();
    expect(await screen.findByText('This is not your current password.')).toBeInTheDocument();
    expect(screen.getByLabelText('Current password')).toHaveFocus();
  });

  test('end the session only when the server has ended it', async () => {
    vi.mocked(account.logOut).mockRejectedValueOnce(Problem.noAnswer());
    await userEvent.click(screen.getByRole('button', { name: 'Log out' }));
    expect(await screen.findByText(/You are still logged in/)).toBeInTheDocument();
    expect(useSession.getState().status).toBe('in');
    vi.mocked(account.logOut).mockResolvedValue(undefined);
    await userEvent.click(screen.getByRole('button', { name: 'Log out' }));
    await vi.waitFor(() => expect(useSession.getState().status).toBe('out'));
  });
});

describe('leaving for good', () => {
  async function ask() {
    await userEvent.click(screen.getByRole('button', { name: 'Delete my account…' }));
    return screen.findByRole('dialog', { name: 'Delete your account?' });
  }

  test('says what goes and what stays, and asks for the password', async () => {
    vi.mocked(account.deleteMyAccount).mockResolvedValue(undefined);
    const dialog = await ask();
    expect(dialog).toHaveTextContent('All sessions, API tokens, presets');
    expect(dialog).toHaveTextContent('What was said, and every model call, under a number instead of your name');
    await userEvent.type(screen.getByLabelText('Your password'), 'correct horse');
    await userEvent.click(screen.getByRole('button', { name: 'Delete my account' }));
    expect(account.deleteMyAccount).toHaveBeenCalledWith({ password: 'correct horse' });
    expect(useSession.getState()).toMatchObject({ status: 'out', user: null });
    expect(await screen.findByText('Your account is deleted.')).toBeInTheDocument();
  });

  test('says beside the field that the password is wrong, and nothing else happens', async () => {
    const message = 'This is not your password. Nothing was deleted; try again.';
    vi.mocked(account.deleteMyAccount).mockRejectedValue(new Problem({ status: 400, code: 'wrong_password', message, fields: { password: [message] } }));
    await ask();
    await userEvent.type(screen.getByLabelText('Your password'), 'wrong');
    await userEvent.click(screen.getByRole('button', { name: 'Delete my account' }));
    expect(await screen.findByText(message)).toBeInTheDocument();
    expect(screen.getByLabelText('Your password')).toBeInvalid();
    expect(useSession.getState().status).toBe('in');
  });

  test('is refused to the last administrator with the next step', async () => {
    const refused = new Problem({ status: 409, code: 'last_administrator', message: 'Make somebody else an administrator first.' });
    vi.mocked(account.deleteMyAccount).mockRejectedValue(refused);
    await ask();
    await userEvent.type(screen.getByLabelText('Your password'), 'correct horse');
    await userEvent.click(screen.getByRole('button', { name: 'Delete my account' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Make somebody else an administrator first.');
  });

  test('is confirmed with the address where there is no password', async () => {
    vi.mocked(account.deleteMyAccount).mockResolvedValue(undefined);
    act(() => setUser({ id: 'u1', email: 'ada@example.org', display_name: 'Ada', is_staff: false, is_auditor: false, has_password: false }));
    await ask();
    await userEvent.type(screen.getByLabelText('Type ada@example.org to confirm'), 'ada@example.org');
    await userEvent.click(screen.getByRole('button', { name: 'Delete my account' }));
    expect(account.deleteMyAccount).toHaveBeenCalledWith({ confirm: 'ada@example.org' });
  });
});

test('somebody without a password sets one', async () => {
  const me = { id: 'u1', email: 'ada@example.org', display_name: 'Ada', is_staff: false, is_auditor: false, has_password: false };
  vi.mocked(account.changePassword).mockResolvedValue(undefined);
  vi.mocked(account.fetchMe).mockResolvedValue({ ...me, has_password: true });
  act(() => setUser(me));
  expect(screen.queryByLabelText('Current password')).toBeNull();
  await userEvent.type(screen.getByLabelText('New password'), 'new password');
  await userEvent.click(screen.getByRole('button', { name: 'Set a password' }));
  expect(account.changePassword).toHaveBeenCalledWith({ currentPassword: '', newPassword: 'new password' });
  expect(await screen.findByText('You have a password now.')).toBeInTheDocument();
  expect(await screen.findByLabelText('Current password')).toBeInTheDocument();
});
