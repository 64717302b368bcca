import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { createMemoryRouter, RouterProvider } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as access from '../api/access.js';
import * as account from '../api/account.js';
import { Problem } from '../api/problems.js';
import { queryClient } from '../app/queryClient.js';
import NewPasswordPage from './NewPasswordPage.jsx';

vi.mock('../api/access.js');
vi.mock('../api/account.js');

const WORN_OUT = new Problem({ status: 400, code: 'invalid_password_reset', message: 'Invalid.', fields: { key: ['Invalid.'] } });

beforeEach(() => {
  queryClient.clear();
  vi.mocked(account.fetchMe).mockResolvedValue(null);
  vi.mocked(access.fetchPasswordLink).mockReset().mockResolvedValue({ email: 'ada@example.org' });
  vi.mocked(access.setPasswordByLink).mockReset().mockResolvedValue(undefined);
});

function open() {
  const routes = [
    { path: '/account/password/reset/key/:key', element: <NewPasswordPage /> },
    { path: '/login', element: <h1>Welcome back</h1> },
  ];
  const router = createMemoryRouter(routes, { initialEntries: ['/account/password/reset/key/abc-d1-e2'] });
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
}
async function choose() {
  await userEvent.type(await screen.findByLabelText('New password'), 'another horse');
  await userEvent.click(screen.getByRole('button', { name: 'Set password' }));
}

describe('a link for a new password', () => {
  test('says whose it is, sets it, and leads to the log-in', async () => {
    open();
    expect(await screen.findByText(/For ada@example.org/)).toBeInTheDocument();
    await choose();
    expect(access.setPasswordByLink).toHaveBeenCalledWith({ key: 'abc-d1-e2', password: 'another horse' });
    expect(await screen.findByRole('heading', { name: 'Welcome back' })).toBeInTheDocument();
  });

  test('that is used up says so instead of asking for anything', async () => {
    vi.mocked(access.fetchPasswordLink).mockRejectedValue(WORN_OUT);
    open();
    expect(await screen.findByRole('alert')).toHaveTextContent('This link does not work any more');
    expect(screen.queryByLabelText('New password')).toBeNull();
  });

  test('that wears out meanwhile says so too', async () => {
    vi.mocked(access.setPasswordByLink).mockRejectedValue(WORN_OUT);
    open();
    await choose();
    expect(await screen.findByRole('alert')).toHaveTextContent('Ask for a new one');
  });

  test('shows beside the field what is wrong with the password', async () => {
    const fields = { password: ['This password is too common.'] };
    vi.mocked(access.setPasswordByLink).mockRejectedValue(new Problem({ status: 400, code: 'x', message: 'x', fields }));
    open();
    await choose();
    expect(await screen.findByText('This password is too common.')).toBeInTheDocument();
    expect(screen.getByLabelText('New password')).toHaveFocus();
  });
});
