import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as api from '../../api/audit.js';
import { Problem } from '../../api/problems.js';
import { receiveChange } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { AuditReadsSection } from './AuditReadsSection.jsx';

vi.mock('../../api/audit.js');

/** @param {string} id @param {Partial<import('../../api/audit.js').AuditReading>} [fields] */
const reading = (id, fields) => ({
  id, reader: { id: 'eve', email: 'eve@example.org', display_name: 'Eve' }, at: '2026-03-10T09:00:00Z', what: 'prompt',
  conversation_id: 'c1', call_id: 'k1', ...fields,
});
/** @param {import('../../api/audit.js').AuditReading[]} results @param {string|null} next */
const page = (results, next = null) => ({ results, next, previous: null, position: '9' });

beforeEach(() => {
  queryClient.clear();
  vi.mocked(api.fetchAuditReads).mockReset().mockResolvedValue(page([]));
});

function show() {
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter>
        <AuditReadsSection />
      </MemoryRouter>
    </QueryClientProvider>,
  );
  return userEvent.setup();
}
const list = () => screen.findByRole('list', { name: 'Who read my content' });

describe('who read my content', () => {
  test('nobody, so far', async () => {
    show();
    expect(await screen.findByText('Nobody has.')).toBeInTheDocument();
  });

  test('says who, when and what, with the way there', async () => {
    const left = { id: '0f0f0f0f-gone', email: null, display_name: null };
    vi.mocked(api.fetchAuditReads).mockResolvedValue(page([reading('1'), reading('2', { reader: left, call_id: null })]));
    show();
    const [first, second] = within(await list()).getAllByRole('listitem').map((item) => within(item));
    expect(first?.getByText('Eve (eve@example.org)')).toBeInTheDocument();
    expect(first?.getByRole('link', { name: 'A model call' })).toHaveAttribute('href', '/audit/calls/k1');
    expect(first?.getByRole('link', { name: 'a conversation' })).toHaveAttribute('href', '/c/c1');
    expect(second?.getByText('Somebody whose account is gone (0f0f0f0f)')).toBeInTheDocument();
    expect(second?.getByRole('link', { name: 'A conversation' })).toBeInTheDocument();
  });

  test('an export is told as one, with its conversation or for everything', async () => {
    const exported = { what: 'export', call_id: null };
    vi.mocked(api.fetchAuditReads).mockResolvedValue(page([reading('1', exported), reading('2', { ...exported, conversation_id: null })]));
    show();
    const [first, second] = within(await list()).getAllByRole('listitem');
    expect(first).toHaveTextContent(/A conversation, taken away as a file$/);
    expect(second).toHaveTextContent(/What was said in your model calls, taken away as a file$/);
  });

  test('comes page by page', async () => {
    vi.mocked(api.fetchAuditReads).mockImplementation(async (options) => (options?.next ? page([reading('2')]) : page([reading('1')], '/next')));
    const user = show();
    await user.click(await screen.findByRole('button', { name: 'Show earlier ones' }));
    await waitFor(async () => expect(within(await list()).getAllByRole('listitem')).toHaveLength(2));
  });

  test('is told at once when somebody reads, and nothing else is fetched for that', async () => {
    show();
    await screen.findByText('Nobody has.');
    queryClient.setQueryData(['conversations', 'active'], { rows: [], position: '1', next: null });
    vi.mocked(api.fetchAuditReads).mockResolvedValue(page([reading('1')]));
    receiveChange({ position: '10', kind: 'audit_read', conversation_id: 'c1' });
    expect(within(await list()).getByText('Eve (eve@example.org)')).toBeInTheDocument();
    expect(queryClient.getQueryState(['conversations', 'active'])?.isInvalidated).toBe(false);
  });

  test('that cannot be had says why, and is asked for again', async () => {
    vi.mocked(api.fetchAuditReads).mockRejectedValueOnce(new Problem({ status: 500, code: 'x', message: 'It broke.' }));
    const user = show();
    expect(await screen.findByRole('alert')).toHaveTextContent('It broke.');
    await user.click(screen.getByRole('button', { name: 'Retry' }));
    expect(await screen.findByText('Nobody has.')).toBeInTheDocument();
  });
});
