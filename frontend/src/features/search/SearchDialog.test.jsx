import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { MemoryRouter, useLocation } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import * as api from '../../api/search.js';
import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { conversation } from '../../test-data.js';
import { Announcer } from '../../ui/announcer.jsx';
import SearchDialog from './SearchDialog.jsx';

vi.mock('../../api/search.js');
vi.mock('../../api/modelCalls.js');

/** @typedef {import('../../api/search.js').SearchHit} SearchHit */

/** @param {Partial<SearchHit>} fields @returns {SearchHit} */
function hit(fields = {}) {
  return {
    kind: 'message',
    conversation_id: 'c1',
    conversation: { id: 'c1', title: 'Rainbows' },
    message_id: 'm1',
    message: { id: 'm1', role: 'user', at: '2026-03-10T09:00:00Z', model: null, outcome: null },
    excerpt: 'How do <mark>rainbows</mark> form &lt;b&gt;?',
    rank: 0.5,
    at: '2026-03-10T09:00:00Z',
    ...fields,
  };
}
const reply = hit({
  message_id: 'r1',
  message: { id: 'r1', role: 'assistant', at: '2026-03-10T09:00:00Z', model: 'small', outcome: 'complete' },
  excerpt: 'A <mark>rainbow</mark> is light.',
});
const title = hit({ kind: 'title', conversation_id: 'c2', conversation: { id: 'c2', title: 'Rain' }, message_id: null, message: null, excerpt: '<mark>Rain</mark>' });

/** @param {SearchHit[]} results @param {string|null} [next] */
const page = (results, next = null) => ({ results, next, previous: null, position: '9' });
const box = () => screen.getByRole('combobox', { name: 'Search conversations and messages' });
const options = () => screen.getAllByRole('option');
const activeOption = () => options().find((option) => option.ariaSelected === 'true' || option.getAttribute('aria-selected') === 'true');

beforeEach(() => {
  queryClient.clear();
  queryClient.setQueryData(keys.list('active'), {
    rows: [conversation({ id: 'c7', title: 'Older', updated_at: '2026-03-01T09:00:00Z' }), conversation({ id: 'c8', title: 'Newer' })],
    position: '5',
    next: null,
  });
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [], runners: [] });
  vi.mocked(api.searchFor).mockReset();
  vi.mocked(api.searchFor).mockResolvedValue(page([hit(), reply, title]));
});

const onShortcuts = vi.fn();

function Page() {
  const [open, setOpen] = useState(false);
  const { pathname, search } = useLocation();
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>Open</button>
      <output>{pathname + search}</output>
      {open && <SearchDialog onClose={() => setOpen(false)} onShortcuts={onShortcuts} />}
      <Announcer />
    </>
  );
}

async function show(path = '/') {
  const user = userEvent.setup();
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter initialEntries={[path]}>
        <Page />
      </MemoryRouter>
    </QueryClientProvider>,
  );
  await user.click(screen.getByRole('button', { name: 'Open' }));
  return user;
}
const place = () => screen.getByText(/^\//, { selector: 'output' }).textContent;

describe('with nothing typed', () => {
  test('recent conversations and actions are listed, newest first', async () => {
    await show();
    expect(box()).toHaveFocus();
    expect(options().map((option) => option.textContent)).toEqual(['Newer', 'Older', 'New chat', 'Model calls', 'API tokens', 'Settings', 'Keyboard shortcuts']);
    expect(screen.getByRole('group', { name: 'Recent conversations' })).toBeInTheDocument();
    expect(api.searchFor).not.toHaveBeenCalled();
  });

  test('the arrow keys go round, and Enter goes there', async () => {
    const user = await show();
    await user.keyboard('{ArrowUp}{ArrowUp}');
    expect(activeOption()).toHaveTextContent('Settings');
    expect(box()).toHaveAttribute('aria-activedescendant', activeOption()?.id);
    await user.keyboard('{Enter}');
    expect(place()).toBe('/settings');
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  test('the shortcuts open after the focus has gone back', async () => {
    const user = await show();
    await user.click(screen.getByRole('option', { name: 'Keyboard shortcuts' }));
    await waitFor(() => expect(onShortcuts).toHaveBeenCalledOnce());
    expect(screen.getByRole('button', { name: 'Open' })).toHaveFocus();
  });

  test('Escape closes and gives the focus back', async () => {
    const user = await show();
    await user.keyboard('{Escape}');
    expect(screen.queryByRole('dialog')).toBeNull();
    await waitFor(() => expect(screen.getByRole('button', { name: 'Open' })).toHaveFocus());
  });
});

describe('what is found', () => {
  test('is shown with its conversation, who wrote it, and the words marked as text', async () => {
    const user = await show();
    await user.type(box(), 'rainbow');
    await waitFor(() => expect(options()).toHaveLength(3));
    const [first, second, third] = options();
    expect(first).toHaveTextContent(/^RainbowsYou · .*How do rainbows form <b>\?$/);
    expect(first?.querySelector('mark')).toHaveTextContent(/^rainbows$/);
    expect(second).toHaveTextContent('small ·');
    expect(third).toHaveTextContent(/^Conversation.*Rain$/);
    expect(await screen.findByText('3 results')).toBeInTheDocument();
  });

  test('is asked for once per rest, with a signal that gives up what is no longer wanted', async () => {
    const user = await show();
    await user.type(box(), 'rain');
    await waitFor(() => expect(options()).toHaveLength(3));
    expect(vi.mocked(api.searchFor).mock.calls.map(([query]) => query)).toEqual(['rain']);
    vi.mocked(api.searchFor).mockReturnValue(new Promise(() => undefined));
    await user.type(box(), 'bow');
    await waitFor(() => expect(api.searchFor).toHaveBeenCalledTimes(2));
    const signal = vi.mocked(api.searchFor).mock.calls[1]?.[1]?.signal;
    vi.mocked(api.searchFor).mockResolvedValue(page([]));
    await user.type(box(), 's');
    await waitFor(() => expect(signal?.aborted).toBe(true));
  });

  test('opens at the message; a title opens its conversation', async () => {
    const user = await show();
    await user.type(box(), 'rainbow');
    await waitFor(() => expect(options()).toHaveLength(3));
    await user.keyboard('{ArrowDown}{Enter}');
    expect(place()).toBe('/c/c1?message=r1');
    await user.click(screen.getByRole('button', { name: 'Open' }));
    await user.type(box(), 'rainbow');
    await waitFor(() => expect(options()).toHaveLength(3));
    await user.click(/** @type {HTMLElement} */ (options()[2]));
    expect(place()).toBe('/c/c2');
  });

  test('goes on with More results, and keeps the focus when there are no more', async () => {
    vi.mocked(api.searchFor).mockImplementation(async (_, { next } = {}) => (next ? page([title]) : page([hit()], '/api/search/?cursor=2')));
    const user = await show();
    await user.type(box(), 'rain');
    await waitFor(() => expect(options()).toHaveLength(1));
    await user.click(screen.getByRole('button', { name: 'More results' }));
    await waitFor(() => expect(options()).toHaveLength(2));
    expect(api.searchFor).toHaveBeenLastCalledWith('rain', expect.objectContaining({ next: '/api/search/?cursor=2' }));
    expect(screen.queryByRole('button', { name: 'More results' })).toBeNull();
    await waitFor(() => expect(box()).toHaveFocus());
  });

  test('can be nothing', async () => {
    vi.mocked(api.searchFor).mockResolvedValue(page([]));
    const user = await show();
    await user.type(box(), 'zebra');
    expect(await screen.findByText('Nothing found.')).toBeInTheDocument();
    expect(box()).toHaveAttribute('aria-expanded', 'false');
    expect(screen.queryByRole('listbox')).toBeNull();
  });

  test('a question that makes no sense yet is explained calmly', async () => {
    const text = 'Expected one of from:me, from:user, from:model, from:assistant; found from:him.';
    vi.mocked(api.searchFor).mockRejectedValue(
      new Problem({ status: 400, code: 'invalid_input', message: 'x', fields: { q: [text] } }),
    );
    const user = await show();
    await user.type(box(), 'from:him');
    expect(await screen.findByText(text)).toBeInTheDocument();
    expect(screen.queryByRole('alert')).toBeNull();
  });

  test('an error says why and is tried again', async () => {
    vi.mocked(api.searchFor).mockRejectedValueOnce(new Problem({ status: 500, code: 'x', message: 'The server stumbled.' }));
    const user = await show();
    await user.type(box(), 'rain');
    expect(await screen.findByRole('alert')).toHaveTextContent('The server stumbled.');
    await user.click(screen.getByRole('button', { name: 'Retry' }));
    await waitFor(() => expect(options()).toHaveLength(3));
  });
});

describe('narrowing', () => {
  test('a filter that is pressed is written into the text', async () => {
    const user = await show();
    await user.type(box(), 'rain');
    await user.click(screen.getByRole('button', { name: 'Filters' }));
    await user.click(screen.getByRole('button', { name: 'from:me' }));
    expect(box()).toHaveValue('rain from:me ');
    expect(box()).toHaveFocus();
    await waitFor(() => expect(api.searchFor).toHaveBeenLastCalledWith('rain from:me', expect.anything()));
  });

  test('to the conversation on screen, where there is one', async () => {
    const user = await show('/c/c1');
    await user.type(box(), 'rain');
    await user.click(screen.getByRole('button', { name: 'This conversation only', pressed: false }));
    await waitFor(() => expect(api.searchFor).toHaveBeenLastCalledWith('rain', expect.objectContaining({ conversationId: 'c1' })));
  });

  test('to no conversation where none is', async () => {
    await show('/settings');
    expect(screen.queryByRole('button', { name: 'This conversation only' })).toBeNull();
  });
});
