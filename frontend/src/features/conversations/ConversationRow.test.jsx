import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as api from '../../api/conversations.js';
import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { conversation } from '../../test-data.js';
import { Toasts } from '../../ui/toasts.jsx';
import { ConversationRow } from './ConversationRow.jsx';

vi.mock('../../api/conversations.js');

const row = conversation({ id: 'c1', title: 'Rainbows', version: 3 });
const listed = () =>
  /** @type {import('../../app/reduceChange.js').ConversationList} */ (queryClient.getQueryData(keys.list('active'))).rows;

beforeEach(() => {
  queryClient.clear();
  queryClient.setQueryData(keys.list('active'), { rows: [row], position: '5', next: null });
  vi.mocked(api.changeConversation).mockImplementation(async (id, fields) => ({
    ...row, id, ...fields, version: 4, position: '6',
  }));
  vi.mocked(api.deleteConversation).mockResolvedValue({ position: '7' });
  vi.mocked(api.restoreConversation).mockResolvedValue({ position: '8' });
});

function show() {
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter>
        <ConversationRow conversation={row} current={false} />
        <Toasts />
      </MemoryRouter>
    </QueryClientProvider>,
  );
  return userEvent.setup();
}
/** @param {ReturnType<typeof userEvent.setup>} user @param {string} name */
async function choose(user, name) {
  await user.click(screen.getByRole('button', { name: 'More actions for Rainbows' }));
  await user.click(await screen.findByRole('menuitem', { name }));
}

describe('a row of the list', () => {
  test('is renamed in place with Enter', async () => {
    const user = show();
    await choose(user, 'Rename');
    const field = await screen.findByRole('textbox', { name: 'Conversation title' });
    await user.clear(field);
    await user.type(field, 'Light and drops{Enter}');
    expect(api.changeConversation).toHaveBeenCalledWith('c1', { title: 'Light and drops' });
    await waitFor(() => expect(listed()[0]?.title).toBe('Light and drops'));
  });

  test('keeps its title on Escape', async () => {
    const user = show();
    await choose(user, 'Rename');
    await user.type(await screen.findByRole('textbox', { name: 'Conversation title' }), ' changed{Escape}');
    expect(await screen.findByRole('link', { name: 'Rainbows' })).toBeInTheDocument();
    expect(api.changeConversation).not.toHaveBeenCalled();
  });

  test('is pinned from its menu', async () => {
    const user = show();
    await choose(user, 'Pin');
    await waitFor(() => expect(listed()[0]?.pinned).toBe(true));
  });

  test('can be downloaded, for people and for programs', async () => {
    const user = show();
    await user.click(screen.getByRole('button', { name: 'More actions for Rainbows' }));
    const markdown = await screen.findByRole('menuitem', { name: 'Download as Markdown' });
    expect(markdown).toHaveAttribute('href', '/api/conversations/c1/export/markdown/');
    expect(markdown).toHaveAttribute('download');
    expect(screen.getByRole('menuitem', { name: 'Download as JSON' })).toHaveAttribute(
      'href', '/api/conversations/c1/export/json/',
    );
  });

  test('asks before it is deleted, and can be brought back', async () => {
    const user = show();
    await choose(user, 'Delete');
    await screen.findByRole('alertdialog', { name: 'Delete this conversation?' });
    expect(api.deleteConversation).not.toHaveBeenCalled();
    await user.click(screen.getByRole('button', { name: 'Delete' }));
    await waitFor(() => expect(listed()).toEqual([]));
    await user.click(await screen.findByRole('button', { name: 'Undo' }));
    await waitFor(() => expect(listed().map(({ id }) => id)).toEqual(['c1']));
    expect(api.restoreConversation).toHaveBeenCalledWith('c1');
  });
});
