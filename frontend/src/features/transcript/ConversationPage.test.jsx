import { QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { BrowserRouter, Route, Routes } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as branches from '../../api/branches.js';
import * as api from '../../api/conversations.js';
import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import * as replays from '../../api/replays.js';
import { keys, receiveChange } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { setUser } from '../../auth/session.js';
import { change, conversation, model as someModel, reply, row, runner as someRunner } from '../../test-data.js';
import { Announcer } from '../../ui/announcer.jsx';
import { forgetLoadedDrafts } from '../composer/drafts.js';
import { setSendProblem } from '../composer/outbox.js';
import { ConversationPage } from './ConversationPage.jsx';

vi.mock('../../api/branches.js');
vi.mock('../../api/conversations.js');
vi.mock('../../api/modelCalls.js');
vi.mock('../../api/replays.js');

const model = someModel({ id: 'small', name: 'Small', demonstration: true, default: true });
const runner = someRunner({});
const box = () => screen.getByRole('textbox', { name: 'Message' });

beforeEach(() => {
  queryClient.clear();
  localStorage.clear();
  forgetLoadedDrafts();
  setSendProblem('c1', null);
  setSendProblem('new', null);
  setUser({ id: 'ada', email: 'ada@example.org', display_name: '', is_staff: false, is_auditor: false, has_password: true });
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [model], runners: [runner] });
  vi.mocked(replays.fetchReplays).mockResolvedValue([]);
  vi.mocked(calls.cancelCall).mockResolvedValue(undefined);
  // The virtual list shows what fits into the element: give elements a size.
  vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockReturnValue(100);
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(800);
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(800);
});

/** @param {string} path */
function show(path) {
  window.history.replaceState(null, '', path);
  render(
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <Routes>
          <Route path="/" element={<ConversationPage />} />
          <Route path="/c/:id" element={<ConversationPage />} />
        </Routes>
      </BrowserRouter>
      <Announcer />
    </QueryClientProvider>,
  );
}
/** @param {import('../../api/types.js').TranscriptRow[]} rows */
function given(...rows) {
  vi.mocked(api.fetchConversation).mockResolvedValue(conversation({ id: 'c1', title: 'Rainbows' }));
  vi.mocked(api.fetchTranscript).mockResolvedValue({
    results: rows, next: null, previous: null, position: '10', leaf_id: rows.at(-1)?.id ?? null, selected_leaf_id: rows.at(-1)?.id ?? null,
  });
}
const shownRows = () =>
  /** @type {import('../../app/reduceChange.js').Transcript} */ (queryClient.getQueryData(keys.transcript('c1'))).rows;

describe('the empty page', () => {
  test('says what this is, three ways to begin, and where the answer comes from', async () => {
    show('/');
    expect(screen.getByRole('heading', { name: 'Verbatim' })).toBeInTheDocument();
    expect(screen.getByRole('list', { name: 'Ways to begin' }).children).toHaveLength(3);
    expect(await screen.findByText(/Small · runs on this machine · nothing leaves it/)).toBeInTheDocument();
  });

  test('puts a starter into the composer without sending it', async () => {
    show('/');
    await userEvent.click(screen.getByRole('button', { name: /Explain something/ }));
    expect(box()).toHaveValue('Explain how rainbows form, in three short paragraphs.');
    expect(box()).toHaveFocus();
    expect(api.startConversation).not.toHaveBeenCalled();
  });

  test('says why there can be no answer, and asks again on Retry', async () => {
    vi.mocked(calls.fetchModels).mockResolvedValue({
      results: [], runners: [{ ...runner, reachable: false, error: 'The model runner is still starting.' }],
    });
    show('/');
    expect(await screen.findByText('The model runner is still starting.')).toBeInTheDocument();
    vi.mocked(calls.fetchModels).mockResolvedValue({ results: [model], runners: [runner] });
    await userEvent.click(screen.getByRole('button', { name: 'Retry' }));
    expect(await screen.findByText(/nothing leaves it/)).toBeInTheDocument();
  });

  test('starts a conversation with the first message and goes there', async () => {
    vi.mocked(api.startConversation).mockResolvedValue({ ...conversation({ id: 'c1', title: 'Hello' }), position: '11' });
    vi.mocked(api.sendMessage).mockResolvedValue({ message_id: 'm1', reply_id: 'r1', call_id: 'k1', version: 3, position: '12' });
    show('/');
    await userEvent.type(box(), 'Hello{Enter}');
    await waitFor(() => expect(window.location.pathname).toBe('/c/c1'));
    expect(api.startConversation).toHaveBeenCalledWith({}, expect.any(String));
    await waitFor(() => expect(shownRows().map(({ id, outcome }) => [id, outcome])).toEqual([['m1', null], ['r1', 'pending']]));
    expect(await screen.findByRole('article', { name: 'You' })).toHaveTextContent('Hello');
    expect(box()).toHaveValue('');
  });
});

describe('a conversation', () => {
  test('shows its messages under its title', async () => {
    given(row({ id: 'm1', content: 'Why?' }), reply({ id: 'r1', parent_id: 'm1', content: 'Because.' }));
    show('/c/c1');
    expect(await screen.findByRole('heading', { name: 'Rainbows' })).toBeInTheDocument();
    expect(await screen.findByText('Because.')).toBeInTheDocument();
    expect(document.title).toBe('Rainbows · Verbatim');
  });

  test('that is unknown, or somebody else’s, is a page with a way back', async () => {
    given();
    vi.mocked(api.fetchTranscript).mockRejectedValue(new Problem({ status: 404, code: 'not_found', message: 'x' }));
    show('/c/c1');
    expect(await screen.findByRole('heading', { name: 'This conversation is not here' })).toBeInTheDocument();
    expect(screen.getByRole('link', { name: 'Start a new conversation' })).toHaveAttribute('href', '/');
  });

  test('shows a sent message at once and keeps its text when the server refuses', async () => {
    given();
    /** @type {(error: Error) => void} */
    let refuse = () => undefined;
    vi.mocked(api.sendMessage).mockReturnValue(new Promise((_, reject) => (refuse = reject)));
    show('/c/c1');
    await userEvent.type(await screen.findByRole('textbox', { name: 'Message' }), 'Keep me{Enter}');
    expect(await screen.findByText('Sending…')).toBeInTheDocument();
    expect(box()).toHaveValue('');
    act(() => refuse(Problem.noAnswer()));
    expect(await screen.findByText(/cannot be reached/)).toBeInTheDocument();
    expect(box()).toHaveValue('Keep me');
    expect(screen.queryByText('Sending…')).toBeNull();

    vi.mocked(api.sendMessage).mockResolvedValue({ message_id: 'm1', reply_id: 'r1', call_id: 'k1', version: 3, position: '12' });
    await userEvent.click(screen.getByRole('button', { name: 'Retry' }));
    await waitFor(() => expect(shownRows()).toHaveLength(2));
    const [first, second] = vi.mocked(api.sendMessage).mock.calls;
    expect(second?.[2]).toBe(first?.[2]);
  });

  test('never shows a message twice when the live stream is faster than the answer', async () => {
    given();
    /** @type {(answer: import('../../api/types.js').MessageAnswer) => void} */
    let accept = () => undefined;
    vi.mocked(api.sendMessage).mockReturnValue(new Promise((resolve) => (accept = resolve)));
    show('/c/c1');
    await userEvent.type(await screen.findByRole('textbox', { name: 'Message' }), 'Hello{Enter}');
    await screen.findByText('Sending…');
    act(() => receiveChange(change('user_message_sent', '11', { message: row({ id: 'm1', content: 'Hello', version: 2 }) })));
    await waitFor(() => expect(screen.queryByText('Sending…')).toBeNull());
    expect(screen.getAllByRole('article', { name: 'You' })).toHaveLength(1);
    await act(async () => accept({ message_id: 'm1', reply_id: 'r1', call_id: 'k1', version: 3, position: '12' }));
    expect(screen.getAllByRole('article', { name: 'You' })).toHaveLength(1);
  });

  test('stops the reply on Escape, and says how it ended', async () => {
    const pending = reply({ id: 'r1', parent_id: 'm1', outcome: 'pending', content: '', call_id: 'k1' });
    given(row({ id: 'm1' }), pending);
    show('/c/c1');
    expect(await screen.findByRole('button', { name: 'Stop' })).toBeInTheDocument();
    expect(screen.getByRole('status')).toHaveTextContent('Assistant is replying');
    await userEvent.keyboard('{Escape}');
    expect(calls.cancelCall).toHaveBeenCalledWith('k1');
    act(() =>
      receiveChange(change('reply_recorded', '12', { message: { ...pending, outcome: 'cancelled', content: 'So far', version: 4 } })),
    );
    expect(await screen.findByText('Stopped. The text is kept.')).toBeInTheDocument();
    expect(screen.getByRole('status')).toHaveTextContent('Reply ended by you');
    expect(screen.getByRole('button', { name: 'Send' })).toBeInTheDocument();
  });

  test('asks for another reply where one failed', async () => {
    const failed = reply({ id: 'r1', parent_id: 'm1', outcome: 'failed', content: '', error: { code: 'x', message: 'Away.' } });
    given(row({ id: 'm1' }), failed);
    vi.mocked(branches.regenerateReply).mockResolvedValue({ reply_id: 'r2', call_id: 'k2', version: 4, position: '13' });
    show('/c/c1');
    await userEvent.click(await screen.findByRole('button', { name: 'Retry' }));
    expect(branches.regenerateReply).toHaveBeenCalledWith('c1', 'r1', {});
    await waitFor(() => expect(shownRows().map(({ id }) => id)).toEqual(['m1', 'r2']));
  });
});
