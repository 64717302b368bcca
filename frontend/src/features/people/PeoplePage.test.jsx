import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { createMemoryRouter, RouterProvider } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as account from '../../api/account.js';
import * as api from '../../api/people.js';
import { Problem } from '../../api/problems.js';
import { queryClient } from '../../app/queryClient.js';
import { setUser } from '../../auth/session.js';
import { somebody } from '../../test-data.js';
import PeoplePage from './PeoplePage.jsx';

vi.mock('../../api/account.js');
vi.mock('../../api/people.js');

const ROOT = somebody({ id: 'root', display_name: 'Root', is_staff: true });
const BOB = somebody({ id: 'bob', display_name: 'Bob' });
const GONE = somebody({ id: 'gone', is_active: false });
/** @param {import('../../api/people.js').Person[]} results @param {string|null} next */
const page = (results, next = null) => ({ results, next, previous: null, position: '9' });

beforeEach(() => {
  queryClient.clear();
  setUser({ id: 'root', email: ROOT.email, display_name: 'Root', is_staff: true, is_auditor: false, has_password: true });
  vi.mocked(api.fetchPeople).mockReset().mockResolvedValue(page([ROOT, BOB, GONE]));
  vi.mocked(api.changePerson).mockReset();
  vi.mocked(api.makePasswordLink).mockReset();
  vi.mocked(api.removeSecondFactor).mockReset();
});

/** @param {string} [address] */
function open(address = '/settings/people') {
  const router = createMemoryRouter([{ path: '/settings/people', element: <PeoplePage /> }], { initialEntries: [address] });
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  return { router, user: userEvent.setup() };
}
/** @param {string} name */
const rowOf = async (name) => {
  const row = (await screen.findByText(name, { selector: 'strong' })).closest('li');
  return within(/** @type {HTMLElement} */ (row));
};
const accepts = () => vi.mocked(api.changePerson).mockImplementation(async (id, change) => ({ ...somebody({ id }), ...(id === 'bob' ? BOB : ROOT), ...change }));

describe('the people', () => {
  test('are listed with what they may do', async () => {
    open();
    const root = await rowOf('Root (you)');
    expect(root.getByRole('checkbox', { name: 'Administrator' })).toBeChecked();
    expect(root.getByRole('checkbox', { name: 'Auditor' })).not.toBeChecked();
    expect((await rowOf('Bob')).getByText('bob@example.org')).toBeInTheDocument();
    expect((await rowOf('gone@example.org')).getByText('Deactivated')).toBeInTheDocument();
  });

  test('are nobody’s business but an administrator’s', () => {
    setUser({ id: 'bob', email: BOB.email, display_name: 'Bob', is_staff: false, is_auditor: true, has_password: true });
    open();
    expect(screen.getByRole('heading', { name: 'This page is not here' })).toBeInTheDocument();
    expect(api.fetchPeople).not.toHaveBeenCalled();
  });

  test('are made auditors with one press', async () => {
    accepts();
    const { user } = open();
    await user.click((await rowOf('Bob')).getByRole('checkbox', { name: 'Auditor' }));
    expect(api.changePerson).toHaveBeenCalledWith('bob', { is_auditor: true });
    await waitFor(async () => expect((await rowOf('Bob')).getByRole('checkbox', { name: 'Auditor' })).toBeChecked());
  });

  test('are deactivated after a question that says what it means', async () => {
    accepts();
    const { user } = open();
    await user.click((await rowOf('Bob')).getByRole('button', { name: 'Deactivate bob@example.org…' }));
    const question = await screen.findByRole('alertdialog', { name: 'Deactivate bob@example.org?' });
    expect(question).toHaveTextContent('API tokens stop working');
    expect(api.changePerson).not.toHaveBeenCalled();
    await user.click(within(question).getByRole('button', { name: 'Deactivate' }));
    expect(api.changePerson).toHaveBeenCalledWith('bob', { is_active: false });
    expect(await (await rowOf('Bob')).findByText('Deactivated')).toBeInTheDocument();
    await user.click((await rowOf('Bob')).getByRole('button', { name: 'Activate bob@example.org' }));
    expect(api.changePerson).toHaveBeenLastCalledWith('bob', { is_active: true });
  });

  test('keep what the server does not let go, with its reason beside them', async () => {
    const refused = new Problem({ status: 409, code: 'last_administrator', message: 'Root is the last administrator.' });
    vi.mocked(api.changePerson).mockRejectedValue(refused);
    const { user } = open();
    await user.click((await rowOf('Root (you)')).getByRole('checkbox', { name: 'Administrator' }));
    const question = await screen.findByRole('alertdialog', { name: 'Give up being an administrator?' });
    await user.click(within(question).getByRole('button', { name: 'Give it up' }));
    expect(await (await rowOf('Root (you)')).findByRole('alert')).toHaveTextContent('Root is the last administrator.');
    expect((await rowOf('Root (you)')).getByRole('checkbox', { name: 'Administrator' })).toBeChecked();
    expect((await rowOf('Bob')).queryByRole('alert')).toBeNull();
  });

  test('who give up their own role leave this page', async () => {
    accepts();
    vi.mocked(account.fetchMe).mockResolvedValue({ id: 'root', email: ROOT.email, display_name: 'Root', is_staff: false, is_auditor: false, has_password: true });
    const { user } = open();
    await user.click((await rowOf('Root (you)')).getByRole('checkbox', { name: 'Administrator' }));
    await user.click(await screen.findByRole('button', { name: 'Give it up' }));
    expect(await screen.findByRole('heading', { name: 'This page is not here' })).toBeInTheDocument();
  });

  test('are found by name or email, and the address keeps that', async () => {
    const { user, router } = open();
    await rowOf('Bob');
    vi.mocked(api.fetchPeople).mockResolvedValue(page([]));
    await user.type(screen.getByLabelText('Find by name or email'), 'zoe');
    expect(await screen.findByText('Nobody here has that in their name or email.')).toBeInTheDocument();
    expect(vi.mocked(api.fetchPeople).mock.lastCall?.[0]).toBe('zoe');
    expect(router.state.location.search).toBe('?search=zoe');
  });

  test('come page by page', async () => {
    vi.mocked(api.fetchPeople).mockImplementation(async (_, options) => (options?.next ? page([GONE]) : page([BOB], '/api/users/?cursor=x')));
    const { user } = open();
    await user.click(await screen.findByRole('button', { name: 'Show more people' }));
    expect(await rowOf('gone@example.org')).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'Show more people' })).toBeNull();
    await waitFor(() => expect(screen.getAllByRole('listitem')[1]).toHaveFocus());
  });

  test('that cannot be listed are asked for again', async () => {
    vi.mocked(api.fetchPeople).mockRejectedValueOnce(new Problem({ status: 500, code: 'x', message: 'It broke.' }));
    const { user } = open();
    expect(await screen.findByRole('alert')).toHaveTextContent('It broke.');
    await user.click(screen.getByRole('button', { name: 'Retry' }));
    expect(await rowOf('Bob')).toBeTruthy();
  });

  test('who lost their password get a link, shown once, after a question', async () => {
    vi.mocked(api.makePasswordLink).mockResolvedValue({ path: '/account/password/reset/key/abc', expires_at: '2026-03-11T09:00:00Z' });
    const { user } = open();
    await user.click((await rowOf('Bob')).getByRole('button', { name: 'Reset password of bob@example.org…' }));
    const question = await screen.findByRole('alertdialog');
    expect(question).toHaveTextContent('That you made it is recorded, and they see that.');
    expect(api.makePasswordLink).not.toHaveBeenCalled();
    await user.click(within(question).getByRole('button', { name: 'Make a link' }));
    const shown = await screen.findByRole('dialog', { name: 'Hand this link over' });
    expect(within(shown).getByRole('group', { name: 'The link' })).toHaveTextContent(`${window.location.origin}/account/password/reset/key/abc`);
    await user.click(within(shown).getByRole('button', { name: 'Close' }));
    expect(screen.queryByText(/reset\/key\/abc/)).toBeNull();
  });

  test('who lost their second factor are freed of it', async () => {
    const PHONELESS = { ...BOB, has_second_factor: true };
    vi.mocked(api.fetchPeople).mockResolvedValue(page([ROOT, PHONELESS]));
    vi.mocked(api.removeSecondFactor).mockResolvedValue(BOB);
    const { user } = open();
    await user.click((await rowOf('Bob')).getByRole('button', { name: 'Take off second factor of bob@example.org…' }));
    await user.click(await screen.findByRole('button', { name: 'Take it off' }));
    expect(api.removeSecondFactor).toHaveBeenCalledWith('bob');
    await waitFor(async () => expect((await rowOf('Bob')).queryByRole('button', { name: /second factor/ })).toBeNull());
  });

  test('are not helped around their own password, nor when they are deactivated', async () => {
    open();
    expect((await rowOf('Root (you)')).queryByRole('button', { name: /password/ })).toBeNull();
    expect((await rowOf('gone@example.org')).queryByRole('button', { name: /password/ })).toBeNull();
  });

  test('whose link cannot be made are told why, beside them', async () => {
    vi.mocked(api.makePasswordLink).mockRejectedValue(new Problem({ status: 409, code: 'account_inactive', message: 'Bob is deactivated.' }));
    const { user } = open();
    await user.click((await rowOf('Bob')).getByRole('button', { name: /Reset password/ }));
    await user.click(await screen.findByRole('button', { name: 'Make a link' }));
    expect(await (await rowOf('Bob')).findByRole('alert')).toHaveTextContent('Bob is deactivated.');
  });
});
