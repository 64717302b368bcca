import { QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { BrowserRouter, Route, Routes } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as branches from '../../api/branches.js';
import * as api from '../../api/conversations.js';
import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import * as replays from '../../api/replays.js';
import { forgetEverything, receiveChange } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { setUser } from '../../auth/session.js';
import { change, conversation, model as someModel, reply, row } from '../../test-data.js';
import { Announcer } from '../../ui/announcer.jsx';
import { Toasts } from '../../ui/toasts.jsx';
import { forgetEdits } from '../branches/edits.js';
import { forgetLoadedDrafts } from '../composer/drafts.js';
import { ConversationPage } from './ConversationPage.jsx';

vi.mock('../../api/branches.js');
vi.mock('../../api/conversations.js');
vi.mock('../../api/modelCalls.js');
vi.mock('../../api/replays.js');

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

const model = someModel({ id: 'small', name: 'Small', demonstration: true, default: true });
const bothReplies = { sibling_ids: ['r1', 'r1b'], sibling_count: 2 };
const question = row({ id: 'm1', content: 'Why?' });
const first = reply({ id: 'r1', parent_id: 'm1', content: 'First answer.', ...bothReplies, sibling_index: 0 });
const second = reply({ id: 'r1b', parent_id: 'm1', content: 'Second answer.', ...bothReplies, sibling_index: 1 });
const accepted = { message_id: 'm2', reply_id: 'r2', call_id: 'k2', version: 9, position: '20' };

/** The branches by their ends. @type {Record<string, TranscriptRow[]>} */
let kept = {};
let selected = '';

/** @param {Record<string, TranscriptRow[]>} byLeaf @param {string} selectedLeaf */
function given(byLeaf, selectedLeaf, fields = {}) {
  kept = byLeaf;
  selected = selectedLeaf;
  vi.mocked(api.fetchConversation).mockImplementation(async () =>
    conversation({ id: 'c1', title: 'Rainbows', selected_leaf_id: selected, branch_count: 2, hidden_branch_count: 0, ...fields }),
  );
  vi.mocked(api.fetchTranscript).mockImplementation(async (_id, { leaf, through } = {}) => {
    const on = (/** @type {string} */ end) => kept[end]?.some(({ id }) => id === through);
    const found = through === undefined || on(selected) ? selected : Object.keys(kept).findLast(on);
    const end = leaf ?? found;
    const rows = end === undefined ? undefined : kept[end];
    if (!rows || !end) throw new Problem({ status: 404, code: 'message_not_found', message: 'No such message.' });
    return { results: rows, next: null, previous: null, position: '10', leaf_id: end, selected_leaf_id: selected };
  });
  vi.mocked(branches.selectBranch).mockImplementation(async (_id, messageId) => {
    selected = Object.keys(kept).findLast((end) => kept[end]?.some(({ id }) => id === messageId)) ?? messageId;
    return { selected_leaf_id: selected, version: 5, position: '11' };
  });
}

/** @param {string} path */
function show(path) {
  window.history.replaceState(null, '', path);
  render(
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <Routes>
          <Route path="/c/:id" element={<ConversationPage />} />
        </Routes>
      </BrowserRouter>
      <Announcer />
      <Toasts />
    </QueryClientProvider>,
  );
}
const button = (/** @type {string|RegExp} */ name) => screen.findByRole('button', { name });
const press = async (/** @type {string|RegExp} */ name) => userEvent.click(await button(name));
/** @param {HTMLElement} article @param {string} item */
async function choose(article, item) {
  await userEvent.click(within(article).getByRole('button', { name: 'More' }));
  await userEvent.click(await screen.findByRole('menuitem', { name: item }));
}

beforeEach(() => {
  forgetEverything();
  forgetLoadedDrafts();
  forgetEdits();
  vi.resetAllMocks();
  setUser({ id: 'ada', email: 'ada@example.org', display_name: '', is_staff: false, is_auditor: false, has_password: true });
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [model], runners: [] });
  vi.mocked(replays.fetchReplays).mockResolvedValue([]);
  vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockReturnValue(100);
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(800);
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(800);
});

describe('going to another version', () => {
  test('selects it, shows it at once, says which it is, and keeps the focus', async () => {
    given({ r1: [question, first], r1b: [question, second] }, 'r1b');
    show('/c/c1');
    await screen.findByText('Second answer.');
    await press('Previous version');
    expect(await screen.findByText('First answer.')).toBeInTheDocument();
    expect(branches.selectBranch).toHaveBeenCalledWith('c1', 'r1');
    expect(screen.queryByText('Second answer.')).toBeNull();
    expect(screen.getByRole('group', { name: 'Version 1 of 2' })).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Previous version' })).toHaveFocus();
    expect(screen.getByRole('status')).toHaveTextContent('Version 1 of 2');
  });

  test('says why where it does not work, and shows what it showed', async () => {
    given({ r1: [question, first], r1b: [question, second] }, 'r1b');
    vi.mocked(branches.selectBranch).mockRejectedValue(Problem.noAnswer());
    show('/c/c1');
    await screen.findByText('Second answer.');
    await press('Previous version');
    expect((await screen.findAllByText(/cannot be reached/)).length).toBeGreaterThan(0);
    expect(screen.getByText('Second answer.')).toBeInTheDocument();
  });
});

describe('a message that is edited', () => {
  test('becomes another version with a reply of its own, and the focus goes to the composer', async () => {
    given({ r1: [question, first] }, 'r1');
    vi.mocked(branches.editMessage).mockResolvedValue({ ...accepted, message_id: 'm1b' });
    show('/c/c1');
    await press('Edit');
    const area = screen.getByRole('textbox', { name: 'Your message' });
    await userEvent.clear(area);
    await userEvent.type(area, 'How?{Enter}');
    expect(branches.editMessage).toHaveBeenCalledWith('c1', 'm1', 'How?', expect.any(String));
    expect(await screen.findByText('How?')).toBeInTheDocument();
    expect(screen.queryByText('Why?')).toBeNull();
    expect(screen.getByText('Thinking…')).toBeInTheDocument();
    expect(screen.getByRole('textbox', { name: 'Message' })).toHaveFocus();
  });

  test('keeps its new text when the server refuses, and is sent again under the same key', async () => {
    given({ r1: [question, first] }, 'r1');
    vi.mocked(branches.editMessage).mockRejectedValueOnce(Problem.noAnswer());
    show('/c/c1');
    await press('Edit');
    const area = screen.getByRole('textbox', { name: 'Your message' });
    await userEvent.clear(area);
    await userEvent.type(area, 'How?{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent(/Not sent.*cannot be reached/);
    expect(area).toHaveValue('How?');
    vi.mocked(branches.editMessage).mockResolvedValue({ ...accepted, message_id: 'm1b' });
    await press('Retry');
    await screen.findByText('Thinking…');
    const [once, again] = vi.mocked(branches.editMessage).mock.calls;
    expect(again).toEqual(once);
  });
});

describe('a reply that ended too early', () => {
  test('goes on in the same article', async () => {
    const cut = { ...first, outcome: /** @type {const} */ ('truncated'), content: 'It is **bo' };
    given({ r1: [question, cut] }, 'r1');
    vi.mocked(branches.continueReply).mockResolvedValue({ ...accepted, message_id: null });
    show('/c/c1');
    await press('Continue');
    expect(branches.continueReply).toHaveBeenCalledWith('c1', 'r1');
    await screen.findByText('Thinking…');
    expect(screen.getAllByRole('article', { name: 'Small' })).toHaveLength(1);
    const rest = reply({ id: 'r2', parent_id: 'r1', continues: 'r1', content: 'ld**.', version: 10 });
    act(() => receiveChange(change('reply_recorded', '21', { message: rest })));
    expect(await screen.findByText('bold')).toHaveProperty('tagName', 'STRONG');
  });

  test('goes on after a message that asks for it, where the runner needs one', async () => {
    given({ r1: [question, { ...first, outcome: 'cancelled' }] }, 'r1');
    vi.mocked(branches.continueReply).mockResolvedValue(accepted);
    show('/c/c1');
    await press('Continue');
    await waitFor(() => expect(screen.getAllByRole('article', { name: 'Small' })).toHaveLength(2));
    expect(screen.getAllByRole('article', { name: 'You' })).toHaveLength(2);
  });
});

describe('the address of a branch', () => {
  const both = { r1: [question, first], r1b: [question, second] };

  test('shows it without selecting it, and offers to select it', async () => {
    given(both, 'r1b');
    show('/c/c1?leaf=r1');
    expect(await screen.findByText('First answer.')).toBeInTheDocument();
    expect(branches.selectBranch).not.toHaveBeenCalled();
    await press('Make this the selected branch');
    expect(branches.selectBranch).toHaveBeenCalledWith('c1', 'r1');
    await waitFor(() => expect(window.location.search).toBe(''));
    expect(screen.getByText('First answer.')).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Make this the selected branch' })).toBeNull();
    expect(document.body).not.toHaveFocus();
  });

  test('stays where it is when another tab selects, sends or edits', async () => {
    given(both, 'r1b');
    show('/c/c1?leaf=r1');
    await screen.findByText('First answer.');
    const elsewhere = reply({ id: 'r1c', parent_id: 'm1', content: 'Third answer.', sibling_ids: ['r1', 'r1b', 'r1c'], sibling_count: 3 });
    act(() => receiveChange(change('reply_requested', '12', { message: elsewhere })));
    act(() => receiveChange(change('branch_selected', '13', { leaf_id: 'r1b' })));
    expect(await screen.findByRole('group', { name: 'Version 1 of 3' })).toBeInTheDocument();
    expect(screen.getByText('First answer.')).toBeInTheDocument();
    expect(screen.queryByText('Third answer.')).toBeNull();
  });

  test('has what is sent there answer that branch, which is the selected one then', async () => {
    given(both, 'r1b');
    vi.mocked(api.sendMessage).mockResolvedValue(accepted);
    show('/c/c1?leaf=r1');
    await screen.findByText('First answer.');
    await userEvent.type(screen.getByRole('textbox', { name: 'Message' }), 'Go on{Enter}');
    await waitFor(() => expect(window.location.search).toBe(''));
    expect(api.sendMessage).toHaveBeenCalledWith('c1', 'Go on', expect.any(String), 'r1');
    expect(await screen.findByText('Thinking…')).toBeInTheDocument();
    expect(screen.getByText('Go on')).toBeInTheDocument();
    expect(screen.getByText('First answer.')).toBeInTheDocument();
  });

  test('is taken by a window that is being read when another one selects another branch, and left when it selects this one', async () => {
    given({ r1: [question, first], r1b: [question, second] }, 'r1');
    show('/c/c1');
    await screen.findByText('First answer.');
    const selects = (/** @type {string} */ leaf_id, /** @type {number} */ version) =>
      act(() => {
        selected = leaf_id;
        const row = conversation({ id: 'c1', title: 'Rainbows', selected_leaf_id: leaf_id, version });
        receiveChange(change('branch_selected', String(version), { leaf_id, conversation: row }));
      });
    selects('r1b', 30);
    expect(await button('Go to the selected branch')).toBeInTheDocument();
    expect(screen.getByText('First answer.')).toBeInTheDocument();
    expect(window.location.search).toBe('?leaf=r1');
    const fetched = vi.mocked(api.fetchTranscript).mock.calls.length;
    selects('r1', 31);
    await waitFor(() => expect(window.location.search).toBe(''));
    expect(screen.queryByRole('button', { name: 'Go to the selected branch' })).toBeNull();
    expect(screen.getByText('First answer.')).toBeInTheDocument();
    await waitFor(() => expect(vi.mocked(api.fetchTranscript).mock.calls.length).toBeGreaterThan(fetched));
    await waitFor(() => expect(queryClient.isFetching()).toBe(0));
    selects('r1b', 32);
    await press('Go to the selected branch');
    expect(await screen.findByText('Second answer.')).toBeInTheDocument();
    expect(screen.queryByText('First answer.')).toBeNull();
  });

  test('that names no message of this conversation shows the selected branch and says so', async () => {
    given(both, 'r1b');
    show('/c/c1?leaf=unknown');
    expect(await screen.findByText('Second answer.')).toBeInTheDocument();
    expect(screen.getByText(/is not in this conversation/)).toBeInTheDocument();
  });
});

describe('the address of a message', () => {
  test('gives it the focus, on the selected branch where that holds it', async () => {
    given({ r1: [question, first], r1b: [question, second] }, 'r1b');
    show('/c/c1?message=m1');
    await waitFor(() => expect(screen.getByRole('article', { name: 'You' })).toHaveFocus());
    expect(screen.getByText('Second answer.')).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Make this the selected branch' })).toBeNull();
  });

  test('shows another branch where only that holds it', async () => {
    given({ r1: [question, first], r1b: [question, second] }, 'r1b');
    show('/c/c1?message=r1');
    await waitFor(() => expect(screen.getByRole('article', { name: 'Small' })).toHaveFocus());
    expect(screen.getByText('First answer.')).toBeInTheDocument();
    expect(await button('Make this the selected branch')).toBeInTheDocument();
  });

  test('fetches older pages until the message is there', async () => {
    given({ r1: [question, first] }, 'r1');
    const page = { next: null, previous: null, position: '10', leaf_id: 'r9', selected_leaf_id: 'r9' };
    const newest = reply({ id: 'r9', parent_id: 'r1', content: 'Newest.' });
    vi.mocked(api.fetchTranscript).mockResolvedValue({ ...page, results: [newest], next: '/older' });
    vi.mocked(api.fetchPage).mockResolvedValue({ ...page, results: [question, first] });
    show('/c/c1?message=m1');
    await waitFor(() => expect(screen.getByRole('article', { name: 'You' })).toHaveFocus());
    expect(api.fetchTranscript).toHaveBeenCalledWith('c1', { through: 'm1', limit: 200 }, expect.anything());
    expect(screen.getByText('Newest.')).toBeInTheDocument();
  });
});

describe('a fork', () => {
  test('opens from any message', async () => {
    given({ r1b: [question, second] }, 'r1b');
    vi.mocked(branches.forkConversation).mockResolvedValue({ ...conversation({ id: 'c2' }), position: '12' });
    show('/c/c1');
    await screen.findByText('Second answer.');
    await choose(screen.getByRole('article', { name: 'You' }), 'Fork from here');
    expect(branches.forkConversation).toHaveBeenCalledWith('c1', 'm1');
    await waitFor(() => expect(window.location.pathname).toBe('/c/c2'));
  });

  test('opens also while a reply is being written, from the messages above it', async () => {
    given({ r1: [question, { ...first, outcome: 'pending', content: '' }] }, 'r1');
    vi.mocked(branches.forkConversation).mockResolvedValue({ ...conversation({ id: 'c2' }), position: '12' });
    show('/c/c1');
    await screen.findByText('Thinking…');
    expect(within(screen.getByRole('article', { name: 'Small' })).queryByRole('button', { name: 'More' })).toBeNull();
    await choose(screen.getByRole('article', { name: 'You' }), 'Fork from here');
    expect(branches.forkConversation).toHaveBeenCalledWith('c1', 'm1');
  });

  test('says where it comes from, and where what it took over ends', async () => {
    const origin = { conversation_id: 'c0', version: 4, message_id: 'm1', title: 'Weather', deleted: false, message_number: 14 };
    given({ r1: [{ ...question, inherited: true }, first] }, 'r1', { forked_from: origin });
    show('/c/c1');
    const link = await screen.findByRole('link', { name: /Weather/ });
    expect(link).toHaveAttribute('href', '/c/c0?message=m1');
    expect(link.closest('p')).toHaveTextContent(/^Continues Weather at message 14$/);
    expect(await screen.findByText('Up to here from “Weather”')).toBeInTheDocument();
  });

  test('of a deleted conversation has no link to it', async () => {
    const origin = { conversation_id: 'c0', version: 4, message_id: 'm1', title: 'Weather', deleted: true, message_number: 14 };
    given({ r1: [question, first] }, 'r1', { forked_from: origin });
    show('/c/c1');
    expect(await screen.findByText(/Weather.*which was deleted/)).toBeInTheDocument();
    expect(screen.queryByRole('link', { name: /Weather/ })).toBeNull();
  });
});

describe('a branch that is hidden', () => {
  test('can be brought back at once', async () => {
    given({ r1: [question, first], r1b: [question, second] }, 'r1b');
    vi.mocked(branches.hideBranch).mockImplementation(async () => {
      selected = 'r1';
      return { selected_leaf_id: 'r1', version: 6, position: '12' };
    });
    vi.mocked(branches.showBranch).mockResolvedValue({ selected_leaf_id: 'r1', version: 7, position: '13' });
    show('/c/c1');
    await screen.findByText('Second answer.');
    await choose(screen.getByRole('article', { name: 'Small' }), 'Hide this branch');
    expect(await screen.findByText('First answer.')).toBeInTheDocument();
    expect(branches.hideBranch).toHaveBeenCalledWith('c1', 'r1b');
    await press('Undo');
    expect(branches.showBranch).toHaveBeenCalledWith('c1', 'r1b');
    expect(await screen.findByText('Second answer.')).toBeInTheDocument();
  });
});

describe('the replies of a replay', () => {
  test('are not read out one by one', async () => {
    given({ r1: [question, first] }, 'r1');
    show('/c/c1');
    await screen.findByText('First answer.');
    const turn = { replay: { replay_id: 'p1', turn: 1 }, version: 8 };
    act(() => receiveChange(change('user_message_sent', '14', { message: row({ id: 'm5', ...turn }) })));
    const pending = reply({ id: 'r5', parent_id: 'm5', outcome: 'pending', content: '', ...turn });
    act(() => receiveChange(change('reply_requested', '15', { message: pending })));
    await screen.findByText('Thinking…');
    expect(screen.getByRole('status')).not.toHaveTextContent('Assistant is replying');
    act(() => receiveChange(change('reply_recorded', '16', { message: { ...pending, outcome: 'complete', content: 'Again.', version: 9 } })));
    await screen.findByText('Again.');
    expect(screen.getByRole('status')).not.toHaveTextContent('Reply finished');
  });
});
