import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { createMemoryRouter, RouterProvider } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as api from '../../api/audit.js';
import * as conversations from '../../api/conversations.js';
import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import { queryClient } from '../../app/queryClient.js';
import { setUser } from '../../auth/session.js';
import { conversation, ledgerRow, runner } from '../../test-data.js';
import LedgerPage from './LedgerPage.jsx';

vi.mock('../../api/audit.js', async (original) => ({ ...(await original()), fetchLedger: vi.fn() }));
vi.mock('../../api/conversations.js');
vi.mock('../../api/modelCalls.js');

const ADA = { id: 'ada', email: 'ada@example.org', display_name: 'Ada', is_staff: false, is_auditor: false, has_password: true };
const COMPLETE = ledgerRow({ id: 'k2' });
const FAILED = ledgerRow({
  id: 'k1', outcome: 'failed', purpose: 'title', conversation_id: 'c2-unknown', runner: 'far', model: 'far::large',
  first_token_ms: null, duration_ms: 40, error: { code: 'context_overflow', message: 'Too long.' },
  usage: { prompt_tokens: null, completion_tokens: null },
});
/** @param {import('../../api/audit.js').LedgerRow[]} results @param {string|null} next */
const page = (results, next = null) => ({ results, next, previous: null, position: '9' });
let wide = true;

beforeEach(() => {
  queryClient.clear();
  wide = true;
  vi.spyOn(window, 'matchMedia').mockImplementation(
    (query) => /** @type {any} */ ({ matches: wide, media: query, addEventListener: () => undefined, removeEventListener: () => undefined }),
  );
  setUser(ADA);
  vi.mocked(api.fetchLedger).mockReset();
  vi.mocked(api.fetchLedger).mockResolvedValue(page([COMPLETE, FAILED]));
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [], runners: [runner({ name: 'built-in' })] });
  vi.mocked(conversations.fetchConversations).mockResolvedValue({ ...page([]), results: [conversation({ id: 'c1', title: 'The sky' })] });
});

/** @param {string} [address] */
function open(address = '/audit/calls') {
  const router = createMemoryRouter(
    [
      { path: '/audit/calls', element: <LedgerPage /> },
      { path: '/audit/calls/:id', element: <p>The call’s own page</p> },
    ],
    { initialEntries: [address] },
  );
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  return { router, user: userEvent.setup() };
}
const links = () => screen.getAllByRole('link').filter((link) => link.dataset.row);
const asked = () => vi.mocked(api.fetchLedger).mock.lastCall?.[0];

describe('the table', () => {
  test('says of each call when, where, which model, what for, how it ended and what it took', async () => {
    open();
    const [, first, second] = await screen.findAllByRole('row');
    const cells = (/** @type {HTMLElement|undefined} */ row) => within(/** @type {HTMLElement} */ (row)).getAllByRole('cell').map((cell) => cell.textContent);
    await waitFor(() => expect(cells(first)[0]).toBe('The sky'));
    expect(cells(first).slice(1)).toEqual(['smallbuilt-in', 'ReplyBrowser', 'Complete', '1,20040', '1.0 s3.0 s']);
    expect(cells(second)).toEqual(['Conversation c2-unkno', 'largefar', 'TitleBrowser', 'Failedcontext overflow', '––', '–40 ms']);
  });

  test('says whose call it is to auditors only', async () => {
    open();
    await screen.findAllByRole('row');
    expect(screen.getByRole('columnheader', { name: 'Conversation' })).toBeInTheDocument();
    expect(screen.queryByRole('columnheader', { name: 'User and conversation' })).toBeNull();
  });

  test('names people to auditors, also those of whom only the id is left', async () => {
    setUser({ ...ADA, is_auditor: true });
    const bob = { id: 'bob', email: 'bob@example.org', display_name: '' };
    vi.mocked(api.fetchLedger).mockResolvedValue(
      page([ledgerRow({ id: 'k2', owner_id: 'bob', user: bob }), ledgerRow({ id: 'k1', owner_id: '0f0f0f0f-gone', user: null })]),
    );
    open();
    expect(await screen.findByRole('cell', { name: /^bob@example.org/ })).toBeInTheDocument();
    expect(screen.getByRole('cell', { name: /^0f0f0f0f/ })).toBeInTheDocument();
  });

  test('is walked with the arrow keys and opened with Enter', async () => {
    const { user, router } = open();
    await screen.findAllByRole('row');
    expect(links().map((link) => link.tabIndex)).toEqual([0, -1]);
    links()[0]?.focus();
    await user.keyboard('{ArrowDown}');
    expect(links()[1]).toHaveFocus();
    expect(links().map((link) => link.tabIndex)).toEqual([-1, 0]);
    await user.keyboard('{ArrowDown}{Home}{End}{Enter}');
    expect(router.state.location.pathname).toBe('/audit/calls/k1');
  });

  test('has the focus on the call one comes back from', async () => {
    const { user, router } = open('/audit/calls?outcome=failed');
    await screen.findAllByRole('row');
    await user.click(/** @type {HTMLElement} */ (links()[1]));
    expect(router.state.location.state).toEqual({ ledger: '?outcome=failed' });
    await router.navigate(-1);
    await waitFor(() => expect(links()[1]).toHaveFocus());
  });

  test('goes on with earlier calls, each shown once', async () => {
    vi.mocked(api.fetchLedger).mockImplementation(async (_, options) =>
      options?.next ? page([COMPLETE, FAILED]) : page([COMPLETE], '/api/model-calls/?cursor=x'),
    );
    const { user } = open();
    await user.click(await screen.findByRole('button', { name: 'Show earlier calls' }));
    await waitFor(() => expect(links()).toHaveLength(2));
    expect(screen.queryByRole('button', { name: 'Show earlier calls' })).toBeNull();
    await waitFor(() => expect(links()[1]).toHaveFocus());
  });

  test('is a list of cards where there is little room', async () => {
    wide = false;
    open();
    const list = await screen.findByRole('list', { name: 'Model calls, newest first' });
    expect(screen.queryByRole('table')).toBeNull();
    const [first] = within(list).getAllByRole('listitem');
    expect(first).toHaveTextContent('Complete');
    expect(first).toHaveTextContent('small · built-in');
    expect(first).toHaveTextContent('1,200 in · 40 out · first token 1.0 s · 3.0 s');
  });
});

describe('the filters', () => {
  test('stand in the address, and the server is asked for them', async () => {
    const { user, router } = open();
    await user.selectOptions(await screen.findByLabelText('Outcome'), 'Failed');
    expect(router.state.location.search).toBe('?outcome=failed');
    await waitFor(() => expect(asked()).toEqual({ outcome: 'failed' }));
    await router.navigate(-1);
    await waitFor(() => expect(screen.getByLabelText('Outcome')).toHaveValue(''));
  });

  test('are taken from an address, and taken away one by one with the focus kept', async () => {
    const { user, router } = open('/audit/calls?outcome=failed&duration_ms_min=2000&conversation=c1');
    await screen.findByRole('button', { name: 'Remove filter: Conversation: The sky' });
    expect(asked()).toEqual({ outcome: 'failed', duration_ms_min: '2000', conversation: 'c1' });
    await user.click(screen.getByRole('button', { name: 'Remove filter: Took at least 2.0 s' }));
    expect(router.state.location.search).toBe('?outcome=failed&conversation=c1');
    expect(screen.getByRole('button', { name: 'More filters' })).toHaveFocus();
    await user.click(screen.getByRole('button', { name: 'Clear all' }));
    expect(router.state.location.search).toBe('');
  });

  test('that have to be typed are sent together', async () => {
    const { user, router } = open('/audit/calls?outcome=failed');
    await user.click(await screen.findByRole('button', { name: 'More filters' }));
    await user.type(screen.getByLabelText('Model'), 'small');
    await user.type(screen.getByLabelText('First token after at least (seconds)'), '1.5');
    await user.type(screen.getByLabelText('Tokens out at most'), '100');
    expect(screen.queryByLabelText('User')).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Show these calls' }));
    expect(router.state.location.search).toBe('?outcome=failed&model=small&first_token_ms_min=1500&completion_tokens_max=100');
    expect(screen.queryByRole('form', { name: 'More filters' })).toBeNull();
  });

  test('offer people to auditors, by their address', async () => {
    setUser({ ...ADA, is_auditor: true });
    const bob = { id: 'bob', email: 'bob@example.org', display_name: 'Bob' };
    vi.mocked(api.fetchLedger).mockResolvedValue(page([ledgerRow({ id: 'k2', owner_id: 'bob', user: bob })]));
    const { user, router } = open();
    await screen.findByRole('cell', { name: /^bob@example\.org/ });
    await user.click(screen.getByRole('button', { name: 'More filters' }));
    await user.selectOptions(screen.getByLabelText('User'), 'bob@example.org');
    await user.click(screen.getByRole('button', { name: 'Show these calls' }));
    expect(router.state.location.search).toBe('?user=bob');
    expect(await screen.findByRole('button', { name: 'Remove filter: User: bob@example.org' })).toBeInTheDocument();
  });

  test('that cannot be, or a ledger without calls, offer no export', async () => {
    const offer = () => screen.queryByRole('button', { name: 'Export these calls' });
    vi.mocked(api.fetchLedger).mockRejectedValueOnce(new Problem({ status: 400, code: 'invalid', message: 'No such outcome.' }));
    vi.mocked(api.fetchLedger).mockResolvedValue(page([]));
    const { user } = open('/audit/calls?outcome=splendid');
    await screen.findByRole('alert');
    expect(offer()).not.toBeInTheDocument();
    await user.click(within(/** @type {HTMLElement} */ (screen.getByRole('alert').parentElement)).getByRole('button', { name: 'Clear all filters' }));
    await screen.findByText(/No model has been called yet/);
    expect(offer()).not.toBeInTheDocument();
  });

  test('go along into an export', async () => {
    const { user } = open('/audit/calls?outcome=failed');
    await user.click(await screen.findByRole('button', { name: 'Export these calls' }));
    const csv = await screen.findByRole('menuitem', { name: 'Figures as CSV' });
    expect(csv).toHaveAttribute('href', '/api/audit/export/?format=csv&outcome=failed');
  });
});

describe('where there is no table to show', () => {
  test('nothing has been called yet', async () => {
    vi.mocked(api.fetchLedger).mockResolvedValue(page([]));
    open();
    expect(await screen.findByText(/No model has been called yet/)).toBeInTheDocument();
  });

  test('nothing fits', async () => {
    vi.mocked(api.fetchLedger).mockResolvedValue(page([]));
    const { user, router } = open('/audit/calls?outcome=failed');
    expect(await screen.findByText('No call fits these filters.')).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Clear all filters' }));
    expect(router.state.location.search).toBe('');
  });

  test('the server refuses a filter in its own words', async () => {
    const fields = { outcome: ['“splendid” is none of the outcomes.'] };
    vi.mocked(api.fetchLedger).mockRejectedValue(new Problem({ status: 400, code: 'invalid', message: 'Refused.', fields }));
    open('/audit/calls?outcome=splendid');
    expect(await screen.findByRole('alert')).toHaveTextContent('“splendid” is none of the outcomes.');
    expect(screen.getByRole('button', { name: 'Clear all filters' })).toBeInTheDocument();
  });

  test('the server has a fault, and is asked again', async () => {
    vi.mocked(api.fetchLedger).mockRejectedValueOnce(new Problem({ status: 500, code: 'x', message: 'It broke.' }));
    const { user } = open();
    expect(await screen.findByRole('alert')).toHaveTextContent('It broke.');
    await user.click(screen.getByRole('button', { name: 'Retry' }));
    expect(await screen.findAllByRole('row')).toHaveLength(3);
    expect(screen.queryByRole('alert')).toBeNull();
  });
});
