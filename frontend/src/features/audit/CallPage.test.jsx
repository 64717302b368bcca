import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { createMemoryRouter, RouterProvider } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as audit from '../../api/audit.js';
import * as branches from '../../api/branches.js';
import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import { queryClient } from '../../app/queryClient.js';
import { setUser } from '../../auth/session.js';
import { attempt, model, modelCall, runner } from '../../test-data.js';
import * as download from '../../ui/download.js';
import CallPage from './CallPage.jsx';

vi.mock('../../api/audit.js', async (original) => ({ ...(await original()), fetchReply: vi.fn(), fetchProof: vi.fn() }));
vi.mock('../../api/branches.js');
vi.mock('../../api/modelCalls.js');

const ADA = { id: 'ada', email: 'ada@example.org', display_name: 'Ada', is_staff: false, is_auditor: false, has_password: true };
const EVE = { id: 'eve', email: 'eve@example.org', display_name: 'Eve', is_staff: false, is_auditor: true, has_password: true };
const USER = { id: 'ada', email: 'ada@example.org', display_name: 'Ada' };
const CALL = modelCall({ id: 'k2', reply_id: 'r2', params: { temperature: '0.7' } });
const PROMPT = {
  messages: [{ role: 'user', content: 'Why is the sky blue?' }], body: '{"messages":[]}', body_sha256: 'd', recorded_sha256: 'd',
  identical: true, omitted_count: null, previous_call_id: null, position: '9',
};
const REPLY = { content: 'Because of scattering.', reasoning: 'Think of Rayleigh.', tool_calls: null, outcome: /** @type {const} */ ('complete') };

beforeEach(() => {
  queryClient.clear();
  setUser(ADA);
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [model({ id: 'small' })], runners: [runner({})] });
  vi.mocked(calls.fetchCall).mockReset().mockResolvedValue(CALL);
  vi.mocked(calls.fetchPrompt).mockReset().mockResolvedValue(PROMPT);
  vi.mocked(calls.fetchReplyEvents).mockReset().mockResolvedValue([]);
  vi.mocked(audit.fetchReply).mockReset().mockResolvedValue(REPLY);
  vi.mocked(audit.fetchProof).mockReset();
  vi.mocked(branches.regenerateReply).mockReset();
});

/** @param {unknown} [state] */
function open(state = null) {
  const router = createMemoryRouter(
    [
      { path: '/audit/calls/:id', element: <CallPage /> },
      { path: '*', element: <p>Elsewhere</p> },
    ],
    { initialEntries: [{ pathname: '/audit/calls/k2', state }] },
  );
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  return { router, user: userEvent.setup() };
}

describe('one’s own call', () => {
  test('is told in one line, with where it belongs', async () => {
    open();
    expect(await screen.findByRole('heading', { level: 1, name: 'Complete · SMALL' })).toBeInTheDocument();
    expect(screen.getByText(/A reply for you, asked for\s+through the browser/)).toBeInTheDocument();
    expect(screen.getByText('1,200 tokens in · 40 out · first token after 1.0 s · 3.0 s in all')).toBeInTheDocument();
    expect(screen.getByRole('link', { name: 'Show it in its conversation' })).toHaveAttribute('href', '/c/c1?message=r2');
    expect(screen.getByRole('link', { name: 'All calls of this conversation' })).toHaveAttribute('href', '/audit/calls?conversation=c1');
    expect(screen.queryByRole('link', { name: /All calls of ada@example.org/ })).toBeNull();
  });

  test('shows what was sent, with its verdict, and what was answered', async () => {
    const { user } = open();
    expect(await screen.findByText('Identical to what was sent')).toBeInTheDocument();
    expect(screen.getByText('Why is the sky blue?')).toBeInTheDocument();
    await user.click(screen.getByRole('tab', { name: 'Reply' }));
    expect(await screen.findByRole('region', { name: 'Reply' })).toHaveTextContent('Because of scattering.');
    expect(screen.getByText('Reasoning')).toBeInTheDocument();
    await user.click(screen.getByRole('tab', { name: 'Bytes' }));
    expect(screen.getByRole('link', { name: 'Save the bytes' })).toHaveAttribute('href', '/api/model-calls/k2/raw/');
  });

  test('draws its attempts to scale, in words too', async () => {
    const failed = attempt({ outcome: 'failed', ended_at: '2026-03-10T09:00:02Z', first_token_ms: null });
    const second = attempt({ attempt: 2, started_at: '2026-03-10T09:00:03Z' });
    vi.mocked(calls.fetchCall).mockResolvedValue({ ...CALL, attempts: [failed, second] });
    open();
    const lines = within(await screen.findByRole('list', { name: 'Timeline of attempts' })).getAllByRole('listitem');
    expect(lines.map((line) => line.textContent)).toEqual([
      'Attempt 1· Failed 1.0 s waited · 1.0 s without a token',
      'Attempt 2· Complete 1.0 s waited · 1.0 s until the first token',
    ]);
    const bars = /** @type {HTMLElement[]} */ ([...(lines[1]?.querySelectorAll('span[style]') ?? [])]);
    expect(bars.map(({ style }) => [style.left, style.width])).toEqual([['50%', '25%'], ['75%', '25%']]);
  });

  test('leads back to the ledger as it was filtered', async () => {
    open({ ledger: '?outcome=failed' });
    expect(await screen.findByRole('link', { name: 'All model calls' })).toHaveAttribute('href', '/audit/calls?outcome=failed');
  });

  test('that does not exist is the same page as somebody else’s', async () => {
    vi.mocked(calls.fetchCall).mockRejectedValue(new Problem({ status: 404, code: 'unknown', message: 'No such call.' }));
    open();
    expect(await screen.findByRole('heading', { name: 'This model call is not here' })).toBeInTheDocument();
    expect(screen.getByText('It does not exist, or it belongs to somebody else.')).toBeInTheDocument();
  });

  test('says why its reply cannot be read, and asks again', async () => {
    vi.mocked(audit.fetchReply).mockRejectedValueOnce(new Problem({ status: 500, code: 'x', message: 'It broke.' }));
    const { user } = open();
    await user.click(await screen.findByRole('tab', { name: 'Reply' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('It broke.');
    await user.click(screen.getByRole('button', { name: 'Retry' }));
    expect(await screen.findByRole('region', { name: 'Reply' })).toBeInTheDocument();
  });

  test('without an answer says so', async () => {
    vi.mocked(audit.fetchReply).mockResolvedValue({ content: '', reasoning: null, tool_calls: [], outcome: 'failed' });
    const { user } = open();
    await user.click(await screen.findByRole('tab', { name: 'Reply' }));
    expect(await screen.findByText('Nothing was answered.')).toBeInTheDocument();
  });
});

describe('proofs', () => {
  const proofs = async () => within(await screen.findByRole('group', { name: 'Proofs to download' }));

  test('are there for each event, and are saved under the call’s name', async () => {
    const save = vi.spyOn(download, 'saveText').mockReturnValue(undefined);
    vi.mocked(audit.fetchProof).mockResolvedValue('c2sp.org/tlog-proof@v1\n');
    const { user } = open();
    const buttons = (await proofs()).getAllByRole('button');
    expect(buttons.map((button) => button.textContent)).toEqual(['That it was asked for', 'How it ended', 'The reply']);
    await user.click((await proofs()).getByRole('button', { name: 'How it ended' }));
    expect(audit.fetchProof).toHaveBeenCalledWith('k2', 'terminal');
    await waitFor(() => expect(save).toHaveBeenCalledWith('c2sp.org/tlog-proof@v1\n', 'k2-terminal.tlog-proof'));
  });

  test('that cannot be made yet say why, in place', async () => {
    vi.mocked(audit.fetchProof).mockRejectedValue(new Problem({ status: 503, code: 'log_behind', message: 'The log is two events behind.' }));
    const { user } = open();
    await user.click((await proofs()).getByRole('button', { name: 'The reply' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The log is two events behind.');
  });

  test('of a call that goes on are of what has happened', async () => {
    vi.mocked(calls.fetchCall).mockResolvedValue({ ...CALL, outcome: 'pending', ended_at: null });
    open();
    expect((await proofs()).getAllByRole('button')).toHaveLength(1);
  });
});

describe('replaying a call', () => {
  test('asks first, sends its model and parameters, and goes to the conversation', async () => {
    vi.mocked(branches.regenerateReply).mockResolvedValue({ reply_id: 'r9', call_id: 'k9', version: 9, position: '200' });
    const { user, router } = open();
    await user.click(await screen.findByRole('button', { name: 'Replay this call…' }));
    const dialog = await screen.findByRole('dialog', { name: 'Replay this call?' });
    expect(dialog).toHaveTextContent('becomes a new branch of the conversation');
    expect(branches.regenerateReply).not.toHaveBeenCalled();
    await user.click(within(dialog).getByRole('button', { name: 'Replay in a new branch' }));
    expect(branches.regenerateReply).toHaveBeenCalledWith('c1', 'r2', { model: 'small', params: { temperature: '0.7' } });
    await waitFor(() => expect(router.state.location.pathname).toBe('/c/c1'));
  });

  test('means the runner of then, where several offer a model of that name', async () => {
    vi.mocked(calls.fetchModels).mockResolvedValue({
      results: [model({ id: 'small' }), model({ id: 'far::small', runner: 'far' })],
      runners: [runner({}), runner({ name: 'far' })],
    });
    vi.mocked(calls.fetchCall).mockResolvedValue({ ...CALL, runner: 'far' });
    vi.mocked(branches.regenerateReply).mockResolvedValue({ reply_id: 'r9', call_id: 'k9', version: 9, position: '200' });
    const { user } = open();
    await user.click(await screen.findByRole('button', { name: 'Replay this call…' }));
    await user.click(await screen.findByRole('button', { name: 'Replay in a new branch' }));
    expect(branches.regenerateReply).toHaveBeenCalledWith('c1', 'r2', expect.objectContaining({ model: 'far::small' }));
  });

  test('that is refused says why, and stays', async () => {
    const refused = new Problem({ status: 422, code: 'unknown_model', message: 'There is no model small any more.' });
    vi.mocked(branches.regenerateReply).mockRejectedValue(refused);
    const { user, router } = open();
    await user.click(await screen.findByRole('button', { name: 'Replay this call…' }));
    await user.click(await screen.findByRole('button', { name: 'Replay in a new branch' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('There is no model small any more.');
    expect(router.state.location.pathname).toBe('/audit/calls/k2');
  });

  test.each([
    ['a title', { purpose: 'title', reply_id: null }],
    ['a call of no conversation', { purpose: 'external', conversation_id: null, reply_id: null }],
    ['a call that goes on', { outcome: /** @type {const} */ ('pending'), ended_at: null }],
  ])('is not offered for %s', async (_, fields) => {
    vi.mocked(calls.fetchCall).mockResolvedValue({ ...CALL, ...fields });
    open();
    await screen.findByRole('heading', { level: 1 });
    expect(screen.queryByRole('button', { name: 'Replay this call…' })).toBeNull();
  });
});

describe('somebody else’s call', () => {
  beforeEach(() => {
    setUser(EVE);
    vi.mocked(calls.fetchCall).mockResolvedValue({ ...CALL, user: USER });
  });

  test('shows how it went, and asks for nothing of what was said', async () => {
    open();
    expect(await screen.findByText(/A reply for ada@example.org,/)).toBeInTheDocument();
    expect(screen.getByRole('list', { name: 'Timeline of attempts' })).toBeInTheDocument();
    expect(screen.getByRole('list', { name: 'Recorded events' })).toHaveTextContent('ModelCallRequested.v2');
    expect(screen.getByText(/Reading them is recorded: ada@example.org will see that you did/)).toBeInTheDocument();
    expect(calls.fetchPrompt).not.toHaveBeenCalled();
    expect(calls.fetchReplyEvents).not.toHaveBeenCalled();
    expect(audit.fetchReply).not.toHaveBeenCalled();
    expect(screen.queryByRole('button', { name: 'Replay this call…' })).toBeNull();
    expect(screen.queryByRole('link', { name: 'Show it in its conversation' })).toBeNull();
    expect(screen.getByRole('link', { name: 'All calls of ada@example.org' })).toHaveAttribute('href', '/audit/calls?user=ada');
  });

  test('is read when that is asked for, and the focus goes there', async () => {
    const { user } = open();
    await user.click(await screen.findByRole('button', { name: 'Show what was said' }));
    expect(await screen.findByText('Why is the sky blue?')).toBeInTheDocument();
    expect(calls.fetchPrompt).toHaveBeenCalledTimes(1);
    expect(document.activeElement).toContainElement(screen.getByText('Why is the sky blue?'));
    expect(calls.fetchReplyEvents).not.toHaveBeenCalled();
  });

  test('that the server does not show says why', async () => {
    const refused = new Problem({ status: 503, code: 'not_recorded', message: 'The reading could not be recorded, so nothing is shown.' });
    vi.mocked(calls.fetchPrompt).mockRejectedValue(refused);
    queryClient.setDefaultOptions({ queries: { ...queryClient.getDefaultOptions().queries, retry: false } });
    const { user } = open();
    await user.click(await screen.findByRole('button', { name: 'Show what was said' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('could not be recorded, so nothing is shown');
    expect(screen.queryByText('Why is the sky blue?')).toBeNull();
  });
});

test('a call whose conversation was erased says who did it and why, and asks for nothing', async () => {
  const erased = { at: '2026-03-11T10:00:00Z', by: 'operator ada', reason: 'asked for by its owner' };
  vi.mocked(calls.fetchCall).mockResolvedValue({ ...CALL, erased, body_sha256: '', builder: '', attempts: [], events: [] });
  open();
  expect(await screen.findByText(/by operator ada: asked for by its owner/)).toBeInTheDocument();
  expect(calls.fetchPrompt).not.toHaveBeenCalled();
  expect(calls.fetchReplyEvents).not.toHaveBeenCalled();
  expect(screen.queryByRole('button', { name: 'Replay this call…' })).toBeNull();
  expect(screen.queryByRole('link', { name: 'Show it in its conversation' })).toBeNull();
  expect(screen.queryByText(/0 bytes/)).toBeNull();
});
