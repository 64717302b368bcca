import { QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { BrowserRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as branches from '../../../api/branches.js';
import * as conversations from '../../../api/conversations.js';
import * as calls from '../../../api/modelCalls.js';
import { Problem } from '../../../api/problems.js';
import * as api from '../../../api/tree.js';
import { receiveChange } from '../../../app/cache.js';
import { queryClient } from '../../../app/queryClient.js';
import { change, conversation, node } from '../../../test-data.js';
import { Toasts } from '../../../ui/toasts.jsx';
import TreePanel from './TreePanel.jsx';

vi.mock('../../../api/branches.js');
vi.mock('../../../api/conversations.js');
vi.mock('../../../api/modelCalls.js');
vi.mock('../../../api/tree.js');

/** m1 ── r1 ─┬─ m2 ── r2   hidden: m4   and   m3 ── r3, newer and selected */
const nodes = [
  node({ id: 'm1', excerpt: 'Why is the sky blue?' }),
  node({ id: 'r1', parent_id: 'm1', excerpt: 'Because of scattering.' }),
  node({ id: 'm2', parent_id: 'r1', minute: 1, excerpt: 'Shorter, please' }),
  node({ id: 'r2', parent_id: 'm2', minute: 1, excerpt: 'Scattering', outcome: 'truncated' }),
  node({ id: 'm4', parent_id: 'r1', minute: 1, excerpt: 'Never mind', hidden: true }),
  node({ id: 'm3', parent_id: 'r1', minute: 2, excerpt: 'Tell me more' }),
  node({ id: 'r3', parent_id: 'm3', minute: 2, excerpt: 'Light is scattered' }),
];
const onClose = vi.fn();

/**
 * @param {import('../../../api/tree.js').TreeNode[]} results
 * @param {string|null} selected
 */
async function show(results = nodes, selected = 'r3') {
  vi.mocked(api.fetchTree).mockResolvedValue({ results, selected_leaf_id: selected, position: '10' });
  render(
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <TreePanel conversationId="c1" onClose={onClose} />
      </BrowserRouter>
      <Toasts />
    </QueryClientProvider>,
  );
  await screen.findByRole('tree');
}
const items = () => screen.getAllByRole('treeitem');
/**
 * Browsers part boxes in a name by spaces, jsdom does not.
 * @param {string} name
 */
const spaced = (name) => name.replace(/\s*([,:])\s*/g, '$1 ');
/** @param {RegExp} name */
const item = (name) => screen.getByRole('treeitem', { name: (found) => name.test(spaced(found)) });
/** @param {string} name */
const button = (name) => screen.getByRole('button', { name });

beforeEach(() => {
  queryClient.clear();
  onClose.mockReset();
  window.history.replaceState(null, '', '/c/c1');
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [], runners: [] });
  vi.mocked(conversations.fetchConversation).mockResolvedValue(conversation({ id: 'c1' }));
  const answer = { selected_leaf_id: 'r3', version: 9, position: '11' };
  vi.mocked(branches.selectBranch).mockResolvedValue(answer);
  vi.mocked(branches.hideBranch).mockResolvedValue(answer);
  vi.mocked(branches.showBranch).mockResolvedValue(answer);
  // The virtual list shows what fits into the element: give elements a size.
  vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockReturnValue(600);
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(600);
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(400);
});

describe('the tree of a conversation', () => {
  test('says of each message who wrote it, how it begins, how it ended and where it stands', async () => {
    await show();
    expect(items()).toHaveLength(6);
    expect(item(/^You: Why is the sky blue\?, on the selected branch$/)).toHaveAttribute('aria-level', '1');
    expect(item(/^small, cut off: Scattering$/)).toHaveAttribute('aria-level', '2');
    expect(item(/^You, version 1 of 2: Shorter, please$/)).toHaveAttribute('aria-posinset', '1');
    expect(item(/Because of scattering/)).toHaveAttribute('aria-expanded', 'true');
    const selected = item(/selected branch ends here/);
    expect(selected).toHaveAttribute('aria-selected', 'true');
    expect(selected).toHaveTextContent('Light is scattered');
  });

  test('begins at the end of the selected branch', async () => {
    await show();
    await waitFor(() => expect(item(/selected branch ends here/)).toHaveFocus());
    expect(items().filter((one) => one.tabIndex === 0)).toHaveLength(1);
  });

  test('is walked through with the arrow keys, Home, End and typing', async () => {
    await show();
    await waitFor(() => expect(item(/Light is scattered/)).toHaveFocus());
    await userEvent.keyboard('{Home}');
    expect(item(/sky blue/)).toHaveFocus();
    await userEvent.keyboard('{ArrowDown}{ArrowRight}');
    expect(item(/Shorter, please/)).toHaveFocus();
    await userEvent.keyboard('{ArrowDown}{ArrowLeft}');
    expect(item(/Because of scattering/)).toHaveFocus();
    await userEvent.keyboard('{ArrowLeft}');
    expect(item(/Because of scattering/)).toHaveAttribute('aria-expanded', 'false');
    expect(screen.queryByRole('treeitem', { name: /Shorter, please/ })).toBeNull();
    await userEvent.keyboard('{ArrowRight}');
    expect(item(/Because of scattering/)).toHaveAttribute('aria-expanded', 'true');
    await userEvent.keyboard('tel');
    expect(item(/Tell me more/)).toHaveFocus();
    await userEvent.keyboard('{End}');
    expect(item(/Light is scattered/)).toHaveFocus();
  });

  test('opens a branch on Enter: it is selected, and the message is gone to', async () => {
    await show();
    await waitFor(() => expect(item(/Light is scattered/)).toHaveFocus());
    await userEvent.keyboard('{Home}{ArrowDown}{ArrowDown}{Enter}');
    await waitFor(() => expect(window.location.search).toBe('?message=m2'));
    expect(branches.selectBranch).toHaveBeenCalledWith('c1', 'm2');
    // No media query matches here: a small screen, on which the panel would lie over what was opened.
    await waitFor(() => expect(onClose).toHaveBeenCalled());
  });

  test('selects nothing where the message is on the selected branch already', async () => {
    await show();
    await waitFor(() => expect(item(/Light is scattered/)).toHaveFocus());
    await userEvent.keyboard('{Home}{Enter}');
    await waitFor(() => expect(window.location.search).toBe('?message=m1'));
    expect(branches.selectBranch).not.toHaveBeenCalled();
  });

  test('shows hidden branches only when asked, and opens them without selecting them', async () => {
    await show();
    expect(screen.queryByRole('treeitem', { name: /Never mind/ })).toBeNull();
    await userEvent.click(screen.getByRole('switch', { name: 'Show hidden' }));
    await userEvent.click(item(/hidden: Never mind/));
    await userEvent.click(button('Open'));
    await waitFor(() => expect(window.location.search).toBe('?leaf=m4'));
    expect(branches.selectBranch).not.toHaveBeenCalled();
    await userEvent.click(button('Show branch'));
    expect(branches.showBranch).toHaveBeenCalledWith('c1', 'm4');
  });

  test('keeps only what is near the view in the page, and the focus wherever it goes', async () => {
    const many = Array.from({ length: 2000 }, (_, index) =>
      node({ id: `m${index}`, parent_id: index === 0 ? null : `m${index - 1}` }),
    );
    await show(many, 'm1999');
    await waitFor(() => expect(item(/Text of m1999/)).toHaveFocus());
    expect(items().length).toBeLessThan(80);
    await userEvent.keyboard('{Home}');
    expect(item(/Text of m0,/)).toHaveFocus();
    expect(items().length).toBeLessThan(80);
  });

  test('marks what is inherited and where it was forked', async () => {
    vi.mocked(conversations.fetchConversation).mockResolvedValue({
      ...conversation({ id: 'c1' }),
      forked_from: /** @type {any} */ ({
        conversation_id: 'c0', version: 4, message_id: 'r1', title: 'Skies', deleted: false, message_number: 2,
      }),
    });
    await show([
      node({ id: 'm1', inherited: true, conversation_id: 'c0' }),
      node({ id: 'r1', parent_id: 'm1', inherited: true, conversation_id: 'c0' }),
      node({ id: 'm2', parent_id: 'r1' }),
    ], 'm2');
    expect(item(/^You, inherited: Text of m1/)).toBeInTheDocument();
    expect(item(/^small, inherited, forked here: Text of r1/)).toBeInTheDocument();
    expect(await screen.findByRole('link', { name: 'Skies' })).toHaveAttribute('href', '/c/c0');
    expect(screen.getByText(/at message 2/)).toBeInTheDocument();
  });

  test('is read again when a message is added', async () => {
    await show();
    const more = [...nodes, node({ id: 'm5', parent_id: 'r3', minute: 3, excerpt: 'And now?' })];
    vi.mocked(api.fetchTree).mockResolvedValue({ results: more, selected_leaf_id: 'm5', position: '12' });
    act(() => receiveChange(change('user_message_sent', '12')));
    expect(await screen.findByRole('treeitem', { name: /And now\?/ })).toBeInTheDocument();
  });

  test('says why it cannot be read, and asks again', async () => {
    vi.mocked(api.fetchTree).mockRejectedValueOnce(new Problem({ status: 500, code: 'x', message: 'The tree is away.' }));
    render(
      <QueryClientProvider client={queryClient}>
        <BrowserRouter>
          <TreePanel conversationId="c1" onClose={onClose} />
        </BrowserRouter>
      </QueryClientProvider>,
    );
    expect(await screen.findByText('The tree is away.')).toBeInTheDocument();
    vi.mocked(api.fetchTree).mockResolvedValue({ results: [], selected_leaf_id: null, position: '1' });
    await userEvent.click(button('Retry'));
    expect(await screen.findByText(/No messages yet/)).toBeInTheDocument();
  });
});

describe('with a message of the tree one can', () => {
  test('reach what can be done by keyboard', async () => {
    await show();
    await waitFor(() => expect(item(/Light is scattered/)).toHaveFocus());
    await userEvent.keyboard('{Shift>}{F10}{/Shift}');
    expect(button('Open')).toHaveFocus();
  });

  test('fork, and go to the new conversation', async () => {
    vi.mocked(branches.forkConversation).mockResolvedValue({ ...conversation({ id: 'c2' }), position: '12' });
    await show();
    await userEvent.click(item(/Scattering$/));
    await userEvent.click(button('Fork from here'));
    await waitFor(() => expect(window.location.pathname).toBe('/c/c2'));
    expect(branches.forkConversation).toHaveBeenCalledWith('c1', 'r2');
  });

  test('not fork at a reply that is still being written', async () => {
    await show([...nodes, node({ id: 'r5', parent_id: 'r3', minute: 4, outcome: 'pending', excerpt: '' })], 'r5');
    expect(button('Fork from here')).toHaveAccessibleDescription('A reply that is still being written cannot be forked at.');
    await userEvent.click(button('Fork from here'));
    expect(branches.forkConversation).not.toHaveBeenCalled();
  });

  test('hide its branches, one by one', async () => {
    await show();
    await userEvent.click(item(/sky blue/));
    expect(button('Hide 2 branches')).toHaveAccessibleDescription('The last branch in sight cannot be hidden.');
    await userEvent.click(button('Hide 2 branches'));
    expect(branches.hideBranch).not.toHaveBeenCalled();
    await userEvent.click(item(/Shorter, please/));
    await userEvent.click(button('Hide branch'));
    await waitFor(() => expect(branches.hideBranch).toHaveBeenCalledWith('c1', 'r2'));
  });

  test('compare it with the selected branch', async () => {
    await show();
    expect(screen.queryByRole('link', { name: /Compare/ })).toBeNull();
    await userEvent.click(item(/Shorter, please/));
    const link = screen.getByRole('link', { name: 'Compare with the selected branch' });
    expect(link).toHaveAttribute('href', '/c/c1/compare?left=r3&right=r2');
  });

  test('copy a link that leads to it', async () => {
    const user = userEvent.setup();
    const write = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue(undefined);
    await show();
    await user.click(item(/Shorter, please/));
    await user.click(button('Copy link'));
    expect(write).toHaveBeenCalledWith(`${window.location.origin}/c/c1?message=m2`);
  });

  test('read why something was refused', async () => {
    vi.mocked(branches.selectBranch).mockRejectedValue(new Problem({ status: 404, code: 'x', message: 'Message unknown.' }));
    await show();
    const group = within(screen.getByRole('group', { name: 'What to do with this message' }));
    await userEvent.click(item(/Shorter, please/));
    await userEvent.click(group.getByRole('button', { name: 'Open' }));
    expect(await screen.findByText('Message unknown.')).toBeInTheDocument();
    expect(onClose).not.toHaveBeenCalled();
  });
});
