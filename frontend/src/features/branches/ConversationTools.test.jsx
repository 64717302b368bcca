import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { BrowserRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as calls from '../../api/modelCalls.js';
import * as presets from '../../api/presets.js';
import * as api from '../../api/tree.js';
import { queryClient } from '../../app/queryClient.js';
import { conversation } from '../../test-data.js';
import { MenuItem } from '../../ui/Menu.jsx';
import { ConversationTools } from './ConversationTools.jsx';

vi.mock('../../api/modelCalls.js');
vi.mock('../../api/presets.js');
vi.mock('../../api/tree.js');

const onTree = vi.fn();

beforeEach(() => {
  queryClient.clear();
  onTree.mockReset();
  window.history.replaceState(null, '', '/c/c1');
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [], runners: [] });
  vi.mocked(presets.fetchPresets).mockResolvedValue([]);
  vi.mocked(api.fetchTree).mockResolvedValue({ results: [], selected_leaf_id: null, position: '1' });
});

/** @param {string|null} leafId */
async function openMenu(leafId) {
  render(
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <ConversationTools conversation={conversation({ id: 'c1', version: 37 })} leafId={leafId} treeOpen={false} onTree={onTree}>
          <MenuItem>One more</MenuItem>
        </ConversationTools>
      </BrowserRouter>
    </QueryClientProvider>,
  );
  await userEvent.click(screen.getByRole('button', { name: 'More about this conversation' }));
}
/** @param {string} name */
const item = (name) => screen.getByRole('menuitem', { name });

describe('the tools of a conversation', () => {
  test('open the tree', async () => {
    await openMenu('r1');
    await userEvent.keyboard('{Escape}');
    const tree = screen.getByRole('button', { name: 'Tree' });
    expect(tree).toHaveAttribute('aria-expanded', 'false');
    await userEvent.click(tree);
    expect(onTree).toHaveBeenCalledTimes(1);
  });

  test('lead to comparing the branch on screen', async () => {
    await openMenu('r1');
    await userEvent.click(item('Compare branches'));
    expect(window.location.pathname + window.location.search).toBe('/c/c1/compare?left=r1');
  });

  test('lead to the history, beginning at now', async () => {
    await openMenu('r1');
    await userEvent.click(item('History'));
    expect(window.location.pathname).toBe('/c/c1/at/37');
  });

  test('ask what should differ before a branch is run again', async () => {
    await openMenu('r1');
    await userEvent.click(item('Run this branch again…'));
    expect(await screen.findByRole('dialog', { name: 'Run this branch again' })).toBeInTheDocument();
  });

  test('open the settings, and leave the focus where it was afterwards', async () => {
    await openMenu('r1');
    await userEvent.click(item('Settings…'));
    expect(await screen.findByRole('dialog', { name: 'Conversation settings' })).toBeInTheDocument();
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByRole('dialog')).toBeNull();
    await vi.waitFor(() => expect(screen.getByRole('button', { name: 'More about this conversation' })).toHaveFocus());
  });

  test('run nothing again where there is nothing, and hold what others add', async () => {
    await openMenu(null);
    expect(item('Run this branch again…')).toHaveAttribute('aria-disabled', 'true');
    expect(item('One more')).toBeInTheDocument();
  });
});
