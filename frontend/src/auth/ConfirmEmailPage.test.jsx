import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { createMemoryRouter, RouterProvider } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as access from '../api/access.js';
import * as account from '../api/account.js';
import { Problem } from '../api/problems.js';
import { queryClient } from '../app/queryClient.js';
import ConfirmEmailPage from './ConfirmEmailPage.jsx';

vi.mock('../api/access.js');
vi.mock('../api/account.js');

const WORN_OUT = new Problem({ status: 400, code: 'invalid', message: 'Invalid.', fields: { key: ['Invalid.'] } });
const me = { id: 'u1', email: 'ada@example.org', display_name: '', is_staff: false, is_auditor: false, has_password: true };

beforeEach(() => {
  queryClient.clear();
  vi.mocked(account.fetchMe).mockReset().mockResolvedValue(null);
  vi.mocked(access.fetchEmailLink).mockReset().mockResolvedValue({ email: 'ada@example.org' });
  vi.mocked(access.confirmEmail).mockReset().mockResolvedValue(undefined);
});

function open() {
  const routes = [
    { path: '/account/verify-email/:key', element: <ConfirmEmailPage /> },
    { path: '/login', element: <h1>Welcome back</h1> },
    { path: '/', element: <h1>Conversations</h1> },
  ];
  const router = createMemoryRouter(routes, { initialEntries: ['/account/verify-email/MQ%3A1abc%3Ad2'] });
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
}
const press = async () => userEvent.click(await screen.findByRole('button', { name: 'This is my address' }));

describe('a link that confirms an address', () => {
  test('says which one, and confirms nothing by being opened', async () => {
    open();
    expect(await screen.findByText('ada@example.org')).toBeInTheDocument();
    expect(access.fetchEmailLink).toHaveBeenCalledWith('MQ:1abc:d2');
    expect(access.confirmEmail).not.toHaveBeenCalled();
  });

  test('leads to the log-in', async () => {
    open();
    await press();
    expect(access.confirmEmail).toHaveBeenCalledWith('MQ:1abc:d2');
    expect(await screen.findByRole('heading', { name: 'Welcome back' })).toBeInTheDocument();
  });

  test('leads on where that logs in', async () => {
    open();
    vi.mocked(account.fetchMe).mockResolvedValue(me);
    await press();
    expect(await screen.findByRole('heading', { name: 'Conversations' })).toBeInTheDocument();
  });

  test('that is used up says so instead of asking for anything', async () => {
    vi.mocked(access.fetchEmailLink).mockRejectedValue(WORN_OUT);
    open();
    expect(await screen.findByRole('alert')).toHaveTextContent('This link does not work any more');
    expect(screen.queryByRole('button')).toBeNull();
  });

  test('that wears out meanwhile says so too', async () => {
    vi.mocked(access.confirmEmail).mockRejectedValue(WORN_OUT);
    open();
    await press();
    expect(await screen.findByRole('alert')).toHaveTextContent('another link is sent');
    expect(screen.queryByRole('button')).toBeNull();
  });

  test('can be pressed again after trouble on the way', async () => {
    vi.mocked(access.confirmEmail).mockRejectedValueOnce(new Problem({ status: 0, code: 'network', message: 'No connection.' }));
    open();
    await press();
    expect(await screen.findByRole('alert')).toHaveTextContent('No connection.');
    await press();
    expect(await screen.findByRole('heading', { name: 'Welcome back' })).toBeInTheDocument();
  });
});
