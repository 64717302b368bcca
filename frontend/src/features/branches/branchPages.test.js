import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as api from '../../api/conversations.js';
import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { row } from '../../test-data.js';
import { fetchBeside, joinAbove, openThrough } from './branchPages.js';

vi.mock('../../api/conversations.js');

/** @typedef {import('../../app/reduceChange.js').Transcript} Transcript */

/** A straight run of messages. @param {string[]} ids @param {string|null} above */
const run = (ids, above = null) => ids.map((id, index) => row({ id, parent_id: index > 0 ? (ids[index - 1] ?? null) : above }));
/** @param {import('../../api/types.js').TranscriptRow[]} rows @param {string|null} next @param {string} leaf @param {string} selected */
const page = (rows, next, leaf, selected = leaf) => ({
  results: rows, next, previous: null, position: '10', leaf_id: leaf, selected_leaf_id: selected,
});
/** @param {readonly unknown[]} key */
const cached = (key) => /** @type {Transcript|undefined} */ (queryClient.getQueryData(key));
/** @param {{rows: {id: string}[]}|undefined} transcript */
const ids = (transcript) => transcript?.rows.map(({ id }) => id);

beforeEach(() => {
  queryClient.clear();
  vi.mocked(api.fetchTranscript).mockReset();
  vi.mocked(api.fetchPage).mockReset();
});

describe('a message that an address names', () => {
  test('is reached page by page, on the selected branch if it is there', async () => {
    vi.mocked(api.fetchTranscript).mockResolvedValue(page(run(['e', 'f'], 'd'), '/older', 'f'));
    vi.mocked(api.fetchPage)
      .mockResolvedValueOnce({ ...page(run(['c', 'd'], 'b'), '/oldest', 'f') })
      .mockResolvedValueOnce({ ...page(run(['a', 'b']), null, 'f') });
    expect(await openThrough('c1', 'c', null)).toEqual({ leafId: null });
    expect(api.fetchTranscript).toHaveBeenCalledWith('c1', { through: 'c', limit: 200 }, undefined);
    expect(api.fetchPage).toHaveBeenCalledTimes(1);
    expect(ids(cached(keys.transcript('c1')))).toEqual(['c', 'd', 'e', 'f']);
    expect(cached(keys.transcript('c1'))?.older).toBe('/oldest');
  });

  test('on another branch opens that one and leaves the selected one alone', async () => {
    vi.mocked(api.fetchTranscript).mockResolvedValue(page(run(['a', 'x']), null, 'x', 'f'));
    expect(await openThrough('c1', 'a', null)).toEqual({ leafId: 'x' });
    expect(ids(cached(keys.branch('c1', 'x')))).toEqual(['a', 'x']);
    expect(cached(keys.transcript('c1'))).toBeUndefined();
  });

  test('is asked for on the branch that the address names as well', async () => {
    vi.mocked(api.fetchTranscript).mockResolvedValue(page(run(['a', 'x']), null, 'x', 'f'));
    expect(await openThrough('c1', 'a', 'x')).toEqual({ leafId: 'x' });
    expect(api.fetchTranscript).toHaveBeenCalledWith('c1', { leaf: 'x', limit: 200 }, undefined);
  });

  test('costs nothing where it is on screen already', async () => {
    queryClient.setQueryData(keys.transcript('c1'), { rows: run(['a', 'b']), position: '10', older: null });
    expect(await openThrough('c1', 'b', null)).toEqual({ leafId: null });
    expect(api.fetchTranscript).not.toHaveBeenCalled();
  });
});

describe('another version of a message', () => {
  const shown = { rows: run(['a', 'b', 'c', 'd']), position: '9', older: '/above a' };

  test('is joined below what is shown above it', async () => {
    vi.mocked(api.fetchTranscript).mockResolvedValue(page(run(['c2', 'd2'], 'b'), '/more', 'd2'));
    const branch = await fetchBeside('c1', { through: 'c2' }, shown);
    expect(ids(branch)).toEqual(['a', 'b', 'c2', 'd2']);
    expect([branch.older, branch.position, branch.leafId]).toEqual(['/above a', '10', 'd2']);
    expect(api.fetchPage).not.toHaveBeenCalled();
  });

  test('far above the end of its branch is reached page by page', async () => {
    vi.mocked(api.fetchTranscript).mockResolvedValue(page(run(['y', 'z'], 'x'), '/more', 'z'));
    vi.mocked(api.fetchPage).mockResolvedValueOnce({ ...page(run(['c2', 'x'], 'b'), '/most', 'z') });
    expect(ids(await fetchBeside('c1', { through: 'c2' }, shown))).toEqual(['a', 'b', 'c2', 'x', 'y', 'z']);
  });

  test('of the first message is a branch of its own', async () => {
    vi.mocked(api.fetchTranscript).mockResolvedValue(page(run(['a2', 'b2']), null, 'b2'));
    const branch = await fetchBeside('c1', { through: 'a2' }, shown);
    expect(ids(branch)).toEqual(['a2', 'b2']);
    expect(branch.older).toBeNull();
  });

  test('is not doubled where the page begins with messages that are shown', () => {
    const branch = { rows: run(['b', 'c2'], 'a'), position: '10', older: '/x' };
    expect(ids(joinAbove(shown, branch))).toEqual(['a', 'b', 'c2']);
  });
});
