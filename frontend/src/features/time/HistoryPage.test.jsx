import { QueryClientProvider } from '@tanstack/react-query';
import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { BrowserRouter, Route, Routes } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as conversations from '../../api/conversations.js';
import * as calls from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import * as api from '../../api/time.js';
import { queryClient } from '../../app/queryClient.js';
import { conversation, reply, row } from '../../test-data.js';
import HistoryPage from './HistoryPage.jsx';

vi.mock('../../api/conversations.js');
vi.mock('../../api/modelCalls.js');
vi.mock('../../api/time.js');

/**
 * @param {number} version
 * @param {Partial<import('../../api/time.js').PastConversation>} [facts]
 * @param {import('../../api/types.js').TranscriptRow[]} [rows]
 * @returns {import('../../api/time.js').PastPage}
 */
const past = (version, facts = {}, rows = [row({ id: 'm1', content: `As of ${version}` })]) => ({
  results: rows,
  next: null,
  conversation: {
    version,
    latest_version: 37,
    at: '2026-03-10T09:00:00Z',
    event: 'ConversationRenamed.v1',
    title: `Title of ${version}`,
    settings: { system_prompt: 'Be kind.', model: 'small', params: { temperature: '0.2' } },
    selected_leaf_id: 'm1',
    leaves: [],
    deleted: false,
    ...facts,
  },
});

beforeEach(() => {
  queryClient.clear();
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [], runners: [] });
  vi.mocked(conversations.fetchConversation).mockResolvedValue(conversation({ id: 'c1', version: 37, title: 'Now' }));
  vi.mocked(api.fetchAt).mockReset();
  vi.mocked(api.fetchAt).mockImplementation((_, version) => Promise.resolve(past(version)));
});

/** @param {string} path */
function show(path) {
  window.history.replaceState(null, '', path);
  render(
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <Routes>
          <Route path="/c/:id/at/:version" element={<HistoryPage />} />
          <Route path="*" element={<p>Elsewhere</p>} />
        </Routes>
      </BrowserRouter>
    </QueryClientProvider>,
  );
}
const slider = () => screen.getByRole('slider');

describe('the history of a conversation', () => {
  test('shows it as it was, says which version that is, and leads back to now', async () => {
    show('/c/c1/at/14');
    expect(await screen.findByText('As of 14')).toBeInTheDocument();
    expect(screen.getByRole('heading', { name: 'Title of 14' })).toBeInTheDocument();
    expect(slider()).toHaveAttribute('aria-valuetext', expect.stringMatching(/^Version 14 of 37 · Renamed · /));
    expect(slider()).toHaveAccessibleName(/^Version 14 of 37 · Renamed · /);
    expect(screen.getByText(/You are looking at version 14\. Nothing can be changed here/)).toBeInTheDocument();
    expect(screen.getByRole('link', { name: 'Back to now' })).toHaveAttribute('href', '/c/c1');
    expect(screen.queryByRole('textbox')).toBeNull();
  });

  test('follows the slider, and asks only for where it comes to rest', async () => {
    show('/c/c1/at/14');
    await screen.findByText('As of 14');
    for (const version of [15, 16, 17, 18, 19, 20]) fireEvent.change(slider(), { target: { value: String(version) } });
    expect(slider()).toHaveAttribute('aria-valuetext', 'Version 20 of 37');
    expect(await screen.findByText('As of 20')).toBeInTheDocument();
    expect(window.location.pathname).toBe('/c/c1/at/20');
    expect(vi.mocked(api.fetchAt).mock.calls.map((call) => call[1])).toEqual([14, 20]);
  });

  test('keeps the focus on what moves it, also at the ends', async () => {
    show('/c/c1/at/36');
    await screen.findByText('As of 36');
    await userEvent.click(screen.getByRole('button', { name: 'Later' }));
    expect(await screen.findByText('As of 37')).toBeInTheDocument();
    expect(screen.getByText(/version 37, the latest/)).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Later' })).toHaveFocus();
    await userEvent.click(screen.getByRole('button', { name: 'Later' }));
    expect(slider()).toHaveValue('37');
    await userEvent.click(screen.getByRole('button', { name: 'Earlier' }));
    expect(await screen.findByText('As of 36')).toBeInTheDocument();
  });

  test('shows the other branches of then, also those that were hidden', async () => {
    const leaves = [
      { leaf_id: 'm1', hidden: false, excerpt: 'One way', at: '2026-03-10T09:00:00Z' },
      { leaf_id: 'm2', hidden: true, excerpt: 'Another way', at: '2026-03-10T09:01:00Z' },
    ];
    vi.mocked(api.fetchAt).mockImplementation((_, version, leaf) =>
      Promise.resolve(past(version, { leaves }, [row({ id: leaf ?? 'm1', content: `Branch ${leaf}` })])),
    );
    show('/c/c1/at/14');
    const branch = await screen.findByLabelText('Branch');
    expect(branch).toHaveValue('m1');
    await userEvent.selectOptions(branch, 'Another way (hidden then)');
    expect(await screen.findByText('Branch m2')).toBeInTheDocument();
    expect(window.location.search).toBe('?leaf=m2');
  });

  test('shows the settings of then', async () => {
    show('/c/c1/at/14');
    await userEvent.click(await screen.findByText('Settings of then'));
    expect(screen.getByText('Be kind.')).toBeInTheDocument();
    expect(screen.getByText('0.2')).toBeInTheDocument();
  });

  test('works for a conversation that is deleted', async () => {
    vi.mocked(conversations.fetchConversation).mockRejectedValue(new Problem({ status: 404, code: 'not_found', message: 'x' }));
    vi.mocked(api.fetchAt).mockResolvedValue(past(37, { deleted: true, event: 'ConversationDeleted.v1' }));
    show('/c/c1/at/37');
    expect(await screen.findByText('As of 37')).toBeInTheDocument();
    expect(screen.getByText(/The conversation was deleted then/)).toBeInTheDocument();
  });

  test('fetches earlier messages on request', async () => {
    const rows = [row({ id: 'm9', content: 'Last' }), reply({ id: 'r9', content: 'Cut', outcome: 'truncated' })];
    vi.mocked(api.fetchAt).mockResolvedValue({ ...past(14, {}, rows), next: 'http://x/api/conversations/c1/at/14/?before=m9' });
    vi.mocked(api.fetchEarlier).mockResolvedValue(past(14, {}, [row({ id: 'm1', content: 'First' })]));
    show('/c/c1/at/14');
    expect(await screen.findByText(/Cut off at the length limit/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Show earlier messages' }));
    expect(await screen.findByText('First')).toBeInTheDocument();
    expect(screen.getAllByRole('article').map((article) => article.textContent)[0]).toContain('First');
    expect(screen.queryByRole('button', { name: 'Show earlier messages' })).toBeNull();
  });

  test('says which versions there are where the address names another', async () => {
    vi.mocked(api.fetchAt).mockRejectedValue(
      new Problem({ status: 400, code: 'invalid', message: 'Version 99 does not exist. Versions go from 1 to 37.' }),
    );
    show('/c/c1/at/99');
    expect(await screen.findByText(/Versions go from 1 to 37/)).toBeInTheDocument();
    vi.mocked(api.fetchAt).mockImplementation((_, version) => Promise.resolve(past(version)));
    await userEvent.click(screen.getByRole('button', { name: 'Earlier' }));
    expect(await screen.findByText('As of 37')).toBeInTheDocument();
  });

  test('of an unknown conversation, or at no version at all, is a page with a way back', async () => {
    vi.mocked(api.fetchAt).mockRejectedValue(new Problem({ status: 404, code: 'not_found', message: 'x' }));
    show('/c/c1/at/14');
    expect(await screen.findByRole('heading', { name: 'This conversation is not here' })).toBeInTheDocument();
  });

  test('takes no address that is not a number', async () => {
    show('/c/c1/at/yesterday');
    expect(await screen.findByRole('heading', { name: 'This page is not here' })).toBeInTheDocument();
    await waitFor(() => expect(api.fetchAt).not.toHaveBeenCalled());
  });
});
