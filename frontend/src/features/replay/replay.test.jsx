import { QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import * as api from '../../api/replays.js';
import * as treeApi from '../../api/tree.js';
import { receiveChange } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { change, conversation, model as someModel, node, replay } from '../../test-data.js';
import { Announcer } from '../../ui/announcer.jsx';
import { Toasts } from '../../ui/toasts.jsx';
import ReplayBar from './ReplayBar.jsx';
import ReplayDialog from './ReplayDialog.jsx';
import { isNews } from './queries.js';

vi.mock('../../api/modelCalls.js');
vi.mock('../../api/replays.js');
vi.mock('../../api/tree.js');

/** @param {string} id @param {boolean} isDefault */
const model = (id, isDefault) => someModel({ id, default: isDefault });
const nodes = [
  node({ id: 'm1' }), node({ id: 'r1', parent_id: 'm1' }),
  node({ id: 'm2', parent_id: 'r1' }), node({ id: 'r2', parent_id: 'm2' }),
  node({ id: 'm3', parent_id: 'r1' }),
];
const onClose = vi.fn();

beforeEach(() => {
  queryClient.clear();
  onClose.mockReset();
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [model('small', true), model('big', false)], runners: [] });
  vi.mocked(treeApi.fetchTree).mockResolvedValue({ results: nodes, selected_leaf_id: 'r2', position: '10' });
  vi.mocked(api.requestReplay).mockResolvedValue({ replay_id: 'p1', turns_total: 2, version: 9, position: '12' });
});

/** @param {import('react').ReactNode} what */
function show(what) {
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter>
        <main>
          {what}
          <textarea aria-label="Message" />
        </main>
      </MemoryRouter>
      <Toasts />
      <Announcer />
    </QueryClientProvider>,
  );
}
/** @param {string} name */
const button = (name) => screen.getByRole('button', { name });

describe('running a branch again', () => {
  const given = conversation({ id: 'c1', settings: { system_prompt: 'Be kind.', model: '', params: {} } });
  const open = () => show(<ReplayDialog conversation={given} leafId="r2" onClose={onClose} />);

  test('says how much work it is, and asks for nothing before that is confirmed', async () => {
    open();
    expect(await screen.findByText(/Makes 2 model calls as a new branch; the original stays as it is\./)).toBeInTheDocument();
    await userEvent.selectOptions(screen.getByLabelText('Model'), 'big');
    await userEvent.click(button('Cancel'));
    expect(onClose).toHaveBeenCalled();
    expect(api.requestReplay).not.toHaveBeenCalled();
  });

  test('needs something that differs', async () => {
    open();
    expect(await screen.findByText(/Change the model, the system prompt or a parameter first/)).toBeInTheDocument();
    expect(button('Run again')).toBeDisabled();
    await userEvent.selectOptions(screen.getByLabelText('Model'), 'big');
    expect(button('Run again')).toBeEnabled();
    await userEvent.selectOptions(screen.getByLabelText('Model'), 'small');
    expect(button('Run again')).toBeDisabled();
  });

  test('sends what differs, once, for the branch on screen', async () => {
    open();
    await screen.findByText(/Makes 2 model calls/);
    await userEvent.selectOptions(screen.getByLabelText('Model'), 'big');
    await userEvent.type(screen.getByLabelText('System prompt'), ' Be brief.');
    await userEvent.click(screen.getByText('Parameters'));
    await userEvent.type(screen.getByLabelText('Temperature'), '0.2');
    await userEvent.dblClick(button('Run again'));
    await waitFor(() => expect(onClose).toHaveBeenCalled());
    expect(api.requestReplay).toHaveBeenCalledTimes(1);
    const wish = { model: 'big', system_prompt: 'Be kind. Be brief.', params: { temperature: '0.2' }, leaf_id: 'r2' };
    expect(api.requestReplay).toHaveBeenCalledWith('c1', wish, expect.any(String));
  });

  test('says why it was refused, keeps what was chosen, and repeats under the same key', async () => {
    vi.mocked(api.requestReplay).mockRejectedValueOnce(new Problem({ status: 400, code: 'model_unknown', message: 'No such model.' }));
    open();
    await screen.findByText(/Makes 2 model calls/);
    await userEvent.selectOptions(screen.getByLabelText('Model'), 'big');
    await userEvent.click(button('Run again'));
    expect(await screen.findByRole('alert')).toHaveTextContent('No such model.');
    expect(screen.getByLabelText('Model')).toHaveValue('big');
    await userEvent.click(button('Run again'));
    await waitFor(() => expect(onClose).toHaveBeenCalled());
    const [first, second] = vi.mocked(api.requestReplay).mock.calls;
    expect(second?.[2]).toBe(first?.[2]);
  });
});

describe('the parameters of a replay', () => {
  const settings = { system_prompt: '', model: '', params: { temperature: '0.7', stop: ['END'] } };

  test('are all there, and those in force stay unless they are emptied', async () => {
    show(<ReplayDialog conversation={conversation({ id: 'c1', settings })} leafId="r2" onClose={onClose} />);
    await screen.findByText(/Makes 2 model calls/);
    expect(screen.getByLabelText('Stop texts')).toHaveValue('END');
    await userEvent.clear(screen.getByLabelText('Temperature'));
    await userEvent.type(screen.getByLabelText('Top K'), '40');
    await userEvent.click(button('Run again'));
    await waitFor(() => expect(onClose).toHaveBeenCalled());
    const wish = { params: { top_k: '40', stop: ['END'] }, leaf_id: 'r2' };
    expect(api.requestReplay).toHaveBeenLastCalledWith('c1', wish, expect.any(String));
  });

  test('show what was refused beside their field', async () => {
    const fields = { 'params.min_p': ['min_p must be a number from 0 to 1; found 9.'] };
    vi.mocked(api.requestReplay).mockRejectedValueOnce(new Problem({ status: 400, code: 'parameter_invalid', message: 'x', fields }));
    show(<ReplayDialog conversation={conversation({ id: 'c1', settings })} leafId="r2" onClose={onClose} />);
    await screen.findByText(/Makes 2 model calls/);
    await userEvent.type(screen.getByLabelText('Min P'), '9');
    await userEvent.click(button('Run again'));
    await waitFor(() => expect(screen.getByLabelText('Min P')).toHaveAccessibleDescription(/must be a number from 0 to 1; found 9/));
    expect(screen.getByLabelText('Min P')).toHaveFocus();
  });
});

describe('the bar of a replay', () => {
  /** @param {import('../../api/replays.js').Replay[]} replays */
  const given = (...replays) => vi.mocked(api.fetchReplays).mockResolvedValue(replays);
  const open = () => show(<ReplayBar conversationId="c1" />);
  const ended = new Date().toISOString();

  test('shows how far it is, also after a reload, and follows the live stream', async () => {
    given(replay({ id: 'p1', turns_done: 2, turns_total: 12 }));
    open();
    expect(await screen.findByText('Running again: turn 3 of 12')).toBeInTheDocument();
    expect(screen.getByRole('progressbar', { name: 'Turns that are done' })).toHaveAttribute('value', '2');
    given(replay({ id: 'p1', turns_done: 3, turns_total: 12 }));
    act(() => receiveChange(change('reply_recorded', '20')));
    expect(await screen.findByText('Running again: turn 4 of 12')).toBeInTheDocument();
  });

  test('is not there without a replay', async () => {
    given();
    open();
    await waitFor(() => expect(api.fetchReplays).toHaveBeenCalled());
    expect(screen.queryByRole('region')).toBeNull();
  });

  test('cancels it', async () => {
    given(replay({ id: 'p1' }));
    vi.mocked(api.cancelReplay).mockResolvedValue({ position: '21' });
    open();
    await userEvent.click(await screen.findByRole('button', { name: 'Cancel replay' }));
    expect(api.cancelReplay).toHaveBeenCalledWith('p1');
  });

  test('says why it stopped, and goes on when told to', async () => {
    given(replay({ id: 'p1', state: 'failed', turns_done: 1, ended_at: ended, error: { code: 'x', message: 'The runner is away.' } }));
    vi.mocked(api.resumeReplay).mockResolvedValue({ reply_id: 'r9', call_id: 'k9', position: '21' });
    open();
    expect(await screen.findByText('Stopped at turn 2 of 3')).toBeInTheDocument();
    expect(screen.getByText('The runner is away.')).toBeInTheDocument();
    given(replay({ id: 'p1', turns_done: 1 }));
    await userEvent.click(button('Resume'));
    expect(api.resumeReplay).toHaveBeenCalledWith('p1');
    expect(await screen.findByText('Running again: turn 2 of 3')).toBeInTheDocument();
    expect(screen.getByRole('status')).toHaveTextContent('The replay goes on');
  });

  test('says in words what the server refused', async () => {
    given(replay({ id: 'p1', state: 'failed', ended_at: ended }));
    vi.mocked(api.resumeReplay).mockRejectedValue(new Problem({ status: 409, code: 'replay_not_stopped', message: 'It runs already.' }));
    open();
    await userEvent.click(await screen.findByRole('button', { name: 'Resume' }));
    expect(await screen.findByText('It runs already.')).toBeInTheDocument();
  });

  test('offers the comparison at the end, and goes when it has been seen', async () => {
    given(replay({ id: 'p1', state: 'finished', turns_done: 3, leaf_id: 'r9', ended_at: ended }));
    open();
    expect(await screen.findByText('Ran again: 3 turns')).toBeInTheDocument();
    const link = screen.getByRole('link', { name: 'Compare with the original' });
    expect(link).toHaveAttribute('href', '/c/c1/compare?left=r2&right=r9');
    await userEvent.click(button('Dismiss'));
    expect(screen.queryByText('Ran again: 3 turns')).toBeNull();
    expect(screen.getByRole('textbox', { name: 'Message' })).toHaveFocus();
  });

  test('is no news a day later, unless it still runs', () => {
    const now = Date.parse('2026-03-12T10:00:00Z');
    expect(isNews(replay({ id: 'p1', state: 'finished', ended_at: '2026-03-12T09:00:00Z' }), [], now)).toBe(true);
    expect(isNews(replay({ id: 'p1', state: 'finished', ended_at: '2026-03-12T09:00:00Z' }), ['p1'], now)).toBe(false);
    expect(isNews(replay({ id: 'p1', state: 'finished', ended_at: '2026-03-11T09:00:00Z' }), [], now)).toBe(false);
    expect(isNews(replay({ id: 'p1' }), ['p1'], now)).toBe(true);
  });
});
