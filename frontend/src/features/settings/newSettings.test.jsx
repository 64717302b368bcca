import { QueryClientProvider } from '@tanstack/react-query';
import { act, render, renderHook, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as api from '../../api/presets.js';
import { queryClient } from '../../app/queryClient.js';
import { preset } from '../../test-data.js';
import { chooseForNew } from '../composer/models.js';
import { choosePreset, newSettingsOf, useNewSettings } from './newSettings.js';
import { PresetChoice } from './PresetChoice.jsx';

vi.mock('../../api/presets.js');

const brief = preset({ id: 'p1', name: 'Brief', system_prompt: 'Be brief.', params: { seed: '7' } });
const large = preset({ id: 'p2', name: 'Large', model: 'big' });

beforeEach(() => {
  queryClient.clear();
  choosePreset(null, null, '');
  chooseForNew('');
  vi.mocked(api.fetchPresets).mockReset();
  vi.mocked(api.fetchPresets).mockResolvedValue([brief, large]);
});

/** @param {{children: import('react').ReactNode}} props */
const Around = ({ children }) => <QueryClientProvider client={queryClient}>{children}</QueryClientProvider>;
/** @param {boolean} isNew */
const settings = (isNew) => renderHook(() => useNewSettings(isNew), { wrapper: Around }).result;

describe('what a new conversation begins with', () => {
  test('is nothing of its own by default', async () => {
    const result = settings(true);
    await waitFor(() => expect(api.fetchPresets).toHaveBeenCalled());
    expect(result.current).toEqual({});
  });

  test('is what the chosen preset holds, and the same object while nothing changes', async () => {
    render(<PresetChoice />, { wrapper: Around });
    const result = settings(true);
    await userEvent.selectOptions(await screen.findByLabelText('Begin with'), 'Brief');
    expect(result.current).toEqual({ system_prompt: 'Be brief.', params: { seed: '7' } });
    const before = result.current;
    act(() => chooseForNew('small'));
    expect(result.current).toEqual({ ...before, model: 'small' });
    const now = result.current;
    act(() => chooseForNew('small'));
    expect(result.current).toBe(now);
  });

  test('takes the model of the preset, which may be changed and goes with the preset', async () => {
    render(<PresetChoice />, { wrapper: Around });
    const result = settings(true);
    const choice = await screen.findByLabelText('Begin with');
    await userEvent.selectOptions(choice, 'Large');
    expect(result.current).toEqual({ system_prompt: '', params: {}, model: 'big' });
    await userEvent.selectOptions(choice, 'No preset');
    expect(result.current).toEqual({});
    await userEvent.selectOptions(choice, 'Large');
    act(() => chooseForNew('small'));
    expect(result.current.model).toBe('small');
    await userEvent.selectOptions(choice, 'Brief');
    expect(result.current.model).toBe('small');
  });

  test('holds nothing of a preset that is not one of this person’s', async () => {
    choosePreset(preset({ id: 'p9', system_prompt: 'Somebody else wrote this.' }), null, '');
    render(<PresetChoice />, { wrapper: Around });
    const result = settings(true);
    expect(await screen.findByLabelText('Begin with')).toHaveDisplayValue('No preset');
    expect(result.current).toEqual({});
  });

  test('is not asked for where a conversation is there already', () => {
    settings(false);
    expect(api.fetchPresets).not.toHaveBeenCalled();
  });

  test('is all of the preset, also what is empty in it, except a model it does not have', () => {
    expect(newSettingsOf(null, '')).toEqual({});
    expect(newSettingsOf(preset({ id: 'p3' }), '')).toEqual({ system_prompt: '', params: {} });
    expect(newSettingsOf(brief, 'big')).toEqual({ system_prompt: 'Be brief.', params: { seed: '7' }, model: 'big' });
  });
});

describe('the choice of a preset', () => {
  test('is not there while there is no preset', async () => {
    vi.mocked(api.fetchPresets).mockResolvedValue([]);
    render(<PresetChoice />, { wrapper: Around });
    await waitFor(() => expect(queryClient.getQueryData(['presets'])).toEqual([]));
    expect(screen.queryByLabelText('Begin with')).toBeNull();
  });
});
