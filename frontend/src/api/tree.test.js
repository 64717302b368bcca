import { beforeEach, describe, expect, test, vi } from 'vitest';

import { row } from '../test-data.js';
import { get } from './http.js';
import { forgetPositions, knownPosition, notePosition } from './positions.js';
import { fetchBranch, fetchTree } from './tree.js';

vi.mock('./http.js', { spy: true });

beforeEach(() => {
  forgetPositions();
  vi.mocked(get).mockReset();
});

describe('a whole branch', () => {
  test('is asked for page by page, from its end to its beginning, and given oldest first', async () => {
    vi.mocked(get)
      .mockResolvedValueOnce({ results: [row({ id: 'm3' })], next: 'http://other/api/x/?before=m3', position: '7' })
      .mockResolvedValueOnce({ results: [row({ id: 'm1' }), row({ id: 'm2' })], next: null, position: '7' });
    const rows = await fetchBranch('c1', 'm3');
    expect(rows.map(({ id }) => id)).toEqual(['m1', 'm2', 'm3']);
    expect(get).toHaveBeenNthCalledWith(1, '/api/conversations/c1/transcript/', {
      params: { leaf: 'm3', limit: 200 }, signal: undefined,
    });
    expect(get).toHaveBeenNthCalledWith(2, '/api/x/?before=m3', { signal: undefined });
  });

  test('ends where a page is empty, whatever it says of the next one', async () => {
    vi.mocked(get).mockResolvedValue({ results: [], next: '/api/x/', position: '7' });
    expect(await fetchBranch('c1', 'm3')).toEqual([]);
    expect(get).toHaveBeenCalledTimes(1);
  });
});

test('a tree is at least as new as what has been shown, and what it tells is remembered', async () => {
  notePosition('5');
  vi.mocked(get).mockResolvedValue({ results: [], selected_leaf_id: null, position: '8' });
  await fetchTree('c1');
  expect(get).toHaveBeenCalledWith('/api/conversations/c1/tree/', { params: { after: '5' }, signal: undefined });
  expect(knownPosition()).toBe('8');
});
