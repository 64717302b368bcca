import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { BrowserRouter, Route, Routes } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as conversations from '../../api/conversations.js';
import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import * as replays from '../../api/replays.js';
import * as api from '../../api/tree.js';
import { queryClient } from '../../app/queryClient.js';
import { conversation, node, replay, reply, row } from '../../test-data.js';
import ComparePage from './ComparePage.jsx';

vi.mock('../../api/conversations.js');
vi.mock('../../api/modelCalls.js');
vi.mock('../../api/replays.js');
vi.mock('../../api/tree.js');

const m1 = row({ id: 'm1', content: 'Why?' });
const used = (/** @type {number} */ tokens) => ({ prompt_tokens: 9, completion_tokens: tokens });
/** @type {Record<string, import('../../api/types.js').TranscriptRow[]>} */
const BRANCHES = {
  r1: [m1, reply({ id: 'r1', content: 'The quick fox.', usage: used(10), duration_ms: 1000 })],
  r2: [m1, reply({ id: 'r2', content: 'The slow fox.', usage: used(14), duration_ms: 3000 })],
  r3: [row({ id: 'm3', content: 'Why?' }), reply({ id: 'r3', content: 'The quick fox.' })],
};
const nodes = [
  node({ id: 'm1', excerpt: 'Why?' }),
  node({ id: 'r1', parent_id: 'm1', minute: 1, excerpt: 'The quick fox.' }),
  node({ id: 'r2', parent_id: 'm1', minute: 2, excerpt: 'The slow fox.' }),
  node({ id: 'm3', minute: 3, excerpt: 'Why?' }),
  node({ id: 'r3', parent_id: 'm3', minute: 3, excerpt: 'The quick fox.' }),
];

beforeEach(() => {
  queryClient.clear();
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [], runners: [] });
  vi.mocked(conversations.fetchConversation).mockResolvedValue(conversation({ id: 'c1', title: 'Foxes' }));
  vi.mocked(replays.fetchReplays).mockResolvedValue([]);
  vi.mocked(api.fetchTree).mockResolvedValue({ results: nodes, selected_leaf_id: 'r1', position: '10' });
  vi.mocked(api.fetchBranch).mockImplementation((_, leafId) => Promise.resolve(BRANCHES[leafId] ?? []));
});

/** @param {string} search */
function show(search) {
  window.history.replaceState(null, '', `/c/c1/compare${search}`);
  render(
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <Routes>
          <Route path="/c/:id/compare" element={<ComparePage />} />
        </Routes>
      </BrowserRouter>
    </QueryClientProvider>,
  );
}

describe('comparing two branches', () => {
  test('marks the words that differ with more than colour, and says which side has them', async () => {
    show('?left=r1&right=r2');
    const turn = within(await screen.findByRole('region', { name: 'Turn 1' }));
    const left = within(turn.getByRole('group', { name: 'Left, reply' }));
    const right = within(turn.getByRole('group', { name: 'Right, reply' }));
    const deleted = await left.findByText('quick', { exact: false, selector: 'del' });
    expect(deleted).toHaveTextContent('[only left: quick]');
    expect(right.getByText('slow', { exact: false, selector: 'ins' })).toHaveTextContent('[only right: slow]');
    expect(screen.getByText('1 message in common')).toBeInTheDocument();
  });

  test('gives tokens and times of each reply, and adds them up with the difference', async () => {
    show('?left=r1&right=r2');
    const turn = within(await screen.findByRole('region', { name: 'Turn 1' }));
    expect(turn.getByText(/Left · small · 10 tokens · 1\.0 s/)).toBeInTheDocument();
    expect(turn.getByText('Right: +4 tokens, +2.0 s.')).toBeInTheDocument();
    const table = within(screen.getByRole('table', { name: 'Totals of what is not in common' }));
    expect(table.getByRole('row', { name: 'Tokens written 10 tokens 14 tokens +4 tokens' })).toBeInTheDocument();
    expect(table.getByRole('row', { name: 'Time 1.0 s 3.0 s +2.0 s' })).toBeInTheDocument();
    expect(table.getByRole('row', { name: 'Replies 1 1 no difference' })).toBeInTheDocument();
  });

  test('shows what is in common when asked', async () => {
    show('?left=r1&right=r2');
    await userEvent.click(await screen.findByText('1 message in common'));
    expect(await screen.findByText('Why?')).toBeInTheDocument();
  });

  test('begins with the selected branch and the newest other one', async () => {
    show('');
    expect(await screen.findByLabelText('Left branch, by its last message')).toHaveValue('r1');
    expect(screen.getByLabelText('Right branch, by its last message')).toHaveValue('r3');
  });

  test('says of a replay that question and reply are the same', async () => {
    show('?left=r1&right=r3');
    expect(await screen.findByText('You, on both sides')).toBeInTheDocument();
    expect(screen.getByText(/The replies are the same, word for word/)).toBeInTheDocument();
    expect(screen.getByText('No messages in common.')).toBeInTheDocument();
  });

  test('keeps the choice in the address, and can swap the sides', async () => {
    show('?left=r1&right=r2');
    await userEvent.selectOptions(await screen.findByLabelText('Right branch, by its last message'), 'r3');
    expect(window.location.search).toBe('?left=r1&right=r3');
    await userEvent.click(screen.getByRole('button', { name: 'Swap sides' }));
    expect(window.location.search).toBe('?left=r3&right=r1');
  });

  test('also takes a message that is no end of a branch', async () => {
    vi.mocked(api.fetchBranch).mockImplementation((_, leafId) => Promise.resolve(leafId === 'm1' ? [m1] : BRANCHES[leafId] ?? []));
    show('?left=m1&right=r2');
    expect(await screen.findByLabelText('Left branch, by its last message')).toHaveValue('m1');
    expect(await screen.findByText('Left: nothing here')).toBeInTheDocument();
  });

  test('offers the replays of the conversation', async () => {
    vi.mocked(replays.fetchReplays).mockResolvedValue([
      replay({ id: 'p1', state: 'finished', source_leaf_id: 'r1', leaf_id: 'r3', turns_done: 3 }),
      replay({ id: 'p2', leaf_id: null }),
    ]);
    show('?left=r1&right=r2');
    await userEvent.click(await screen.findByText('1 replay of this conversation'));
    const link = screen.getByRole('link', { name: /compare with the original/ });
    expect(link).toHaveAttribute('href', '/c/c1/compare?left=r1&right=r3');
  });

  test('shows long branches part by part', async () => {
    const long = (/** @type {string} */ side) =>
      Array.from({ length: 100 }, (_, turn) => [
        row({ id: `${side}m${turn}`, content: 'Q' }),
        reply({ id: `${side}r${turn}`, content: `A ${side}` }),
      ]).flat();
    vi.mocked(api.fetchBranch).mockImplementation((_, leafId) => Promise.resolve(long(leafId)));
    show('?left=r1&right=r2');
    await screen.findByRole('region', { name: 'Turn 40' });
    expect(screen.queryByRole('region', { name: 'Turn 41' })).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'Show 40 more turns of 60' }));
    expect(screen.getByRole('region', { name: 'Turn 80' })).toBeInTheDocument();
  });

  test('says where there is nothing to compare', async () => {
    vi.mocked(api.fetchTree).mockResolvedValue({ results: nodes.slice(0, 2), selected_leaf_id: 'r1', position: '10' });
    show('');
    expect(await screen.findByText(/This conversation has one branch/)).toBeInTheDocument();
  });

  test('says why a branch cannot be read, and asks again', async () => {
    vi.mocked(api.fetchBranch).mockRejectedValue(new Problem({ status: 500, code: 'x', message: 'Not now.' }));
    show('?left=r1&right=r2');
    expect(await screen.findByText('Not now.')).toBeInTheDocument();
    vi.mocked(api.fetchBranch).mockImplementation((_, leafId) => Promise.resolve(BRANCHES[leafId] ?? []));
    await userEvent.click(screen.getByRole('button', { name: 'Retry' }));
    expect(await screen.findByRole('region', { name: 'Turn 1' })).toBeInTheDocument();
  });

  test('of an unknown conversation leads back', async () => {
    vi.mocked(api.fetchTree).mockRejectedValue(new Problem({ status: 404, code: 'not_found', message: 'x' }));
    show('');
    expect(await screen.findByRole('heading', { name: 'This conversation is not here' })).toBeInTheDocument();
  });
});
