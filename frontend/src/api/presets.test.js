import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as http from './http.js';
import { knownPosition, notePosition } from './positions.js';
import { changePreset, deletePreset, fetchPresets, makePreset } from './presets.js';

vi.mock('./http.js');

const fields = { name: 'Brief', system_prompt: 'Be brief.', model: '', params: { seed: '7' } };
const answer = { ...fields, id: 'p1', created_at: 'x', updated_at: 'x' };

beforeEach(() => {
  vi.mocked(http.get).mockReset();
  vi.mocked(http.command).mockReset();
});

describe('presets', () => {
  test('are asked for as they are after what this tab has done', async () => {
    notePosition('90');
    vi.mocked(http.get).mockResolvedValue({ results: [answer], position: '91' });
    expect(await fetchPresets()).toEqual([answer]);
    expect(http.get).toHaveBeenCalledWith('/api/presets/', { params: { after: '90' }, signal: undefined });
    expect(knownPosition()).toBe('91');
  });

  test('are made, changed and deleted', async () => {
    vi.mocked(http.command).mockResolvedValue({ ...answer, position: '95' });
    await makePreset(fields);
    expect(http.command).toHaveBeenLastCalledWith('POST', '/api/presets/', fields);
    await changePreset('p1', { name: 'Short' });
    expect(http.command).toHaveBeenLastCalledWith('PATCH', '/api/presets/p1/', { name: 'Short' });
    expect(knownPosition()).toBe('95');
    vi.mocked(http.command).mockResolvedValue(undefined);
    await deletePreset('p1');
    expect(http.command).toHaveBeenLastCalledWith('DELETE', '/api/presets/p1/', undefined);
  });
});
