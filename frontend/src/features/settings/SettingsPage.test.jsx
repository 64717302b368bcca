import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
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
  setUser({ id: 'u1', email: 'ada@example.org', display_name: 'Ada', is_staff: true, is_auditor: false });
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
