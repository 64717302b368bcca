import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as calls from '../../api/modelCalls.js';
import * as api from '../../api/presets.js';
import { Problem } from '../../api/problems.js';
import { queryClient } from '../../app/queryClient.js';
import { model, preset } from '../../test-data.js';
import { Toasts } from '../../ui/toasts.jsx';
import { PresetsSection } from './PresetsSection.jsx';

vi.mock('../../api/modelCalls.js');
vi.mock('../../api/presets.js');

const brief = preset({ id: 'p1', name: 'Brief', system_prompt: 'Be brief.', model: 'small', params: { seed: '7' } });
const kind = preset({ id: 'p2', name: 'Kind' });

beforeEach(() => {
  queryClient.clear();
  vi.mocked(api.makePreset).mockReset();
  vi.mocked(api.changePreset).mockReset();
  vi.mocked(api.deletePreset).mockReset();
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: [model({ id: 'small', default: true })], runners: [] });
  vi.mocked(api.fetchPresets).mockResolvedValue([brief, kind]);
});

const show = () =>
  render(
    <QueryClientProvider client={queryClient}>
      <PresetsSection />
      <Toasts />
    </QueryClientProvider>,
  );
const names = () => screen.queryAllByRole('listitem').map((item) => within(item).getByText(/^(Brief|Kind|Short|Zest)$/).textContent);
/** @param {string} name */
const press = async (name) => userEvent.click(await screen.findByRole('button', { name }));

describe('the presets on the settings page', () => {
  test('are listed with what they hold', async () => {
    show();
    expect(await screen.findByText('SMALL · system prompt · 1 parameter')).toBeInTheDocument();
    expect(screen.getByText('no system prompt')).toBeInTheDocument();
    expect(names()).toEqual(['Brief', 'Kind']);
  });

  test('can be made', async () => {
    vi.mocked(api.makePreset).mockResolvedValue({ ...preset({ id: 'p3', name: 'Zest' }), position: '9' });
    show();
    await press('New preset…');
    const dialog = screen.getByRole('dialog', { name: 'New preset' });
    expect(within(dialog).getByRole('button', { name: 'Save preset' })).toBeDisabled();
    await userEvent.type(screen.getByLabelText('Name'), 'Zest');
    expect(screen.getByLabelText('Model')).toHaveDisplayValue('None of its own');
    await userEvent.type(screen.getByLabelText('Temperature'), '1.5');
    await press('Save preset');
    await waitFor(() => expect(names()).toEqual(['Brief', 'Kind', 'Zest']));
    const fields = { name: 'Zest', system_prompt: '', model: '', params: { temperature: '1.5' } };
    expect(api.makePreset).toHaveBeenCalledExactlyOnceWith(fields);
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  test('can be renamed and edited; only what differs is sent', async () => {
    vi.mocked(api.changePreset).mockResolvedValue({ ...brief, name: 'Short', position: '9' });
    show();
    await press('Edit Brief');
    await userEvent.clear(screen.getByLabelText('Name'));
    await userEvent.type(screen.getByLabelText('Name'), 'Short');
    await userEvent.selectOptions(screen.getByLabelText('Model'), 'None of its own');
    await press('Save preset');
    await waitFor(() => expect(names()).toEqual(['Kind', 'Short']));
    expect(api.changePreset).toHaveBeenCalledExactlyOnceWith('p1', { name: 'Short', model: '' });
  });

  test('say beside the field what was refused', async () => {
    const message = "You have a preset named 'Kind' already. Choose another name.";
    const fields = { name: [message] };
    vi.mocked(api.changePreset).mockRejectedValue(new Problem({ status: 400, code: 'preset_name_taken', message, fields }));
    show();
    await press('Edit Brief');
    await userEvent.clear(screen.getByLabelText('Name'));
    await userEvent.type(screen.getByLabelText('Name'), 'Kind{Enter}');
    await waitFor(() => expect(screen.getByLabelText('Name')).toHaveAccessibleDescription(message));
    expect(screen.getByLabelText('Name')).toHaveFocus();
    expect(screen.getByRole('dialog', { name: 'Edit preset' })).toBeInTheDocument();
  });

  test('are deleted only after a question', async () => {
    vi.mocked(api.deletePreset).mockResolvedValue(undefined);
    show();
    await press('Delete Brief');
    const question = screen.getByRole('alertdialog', { name: 'Delete this preset?' });
    expect(question).toHaveAccessibleDescription(/“Brief” cannot be brought back/);
    await userEvent.click(within(question).getByRole('button', { name: 'Cancel' }));
    expect(api.deletePreset).not.toHaveBeenCalled();
    expect(screen.getByRole('button', { name: 'Delete Brief' })).toHaveFocus();
    await press('Delete Brief');
    await userEvent.click(within(screen.getByRole('alertdialog')).getByRole('button', { name: 'Delete' }));
    await waitFor(() => expect(names()).toEqual(['Kind']));
    expect(api.deletePreset).toHaveBeenCalledExactlyOnceWith('p1');
    await waitFor(() => expect(screen.getByRole('button', { name: 'New preset…' })).toHaveFocus());
  });

  test('stay in the list when deleting them failed', async () => {
    vi.mocked(api.deletePreset).mockRejectedValue(Problem.noAnswer());
    show();
    await press('Delete Kind');
    await userEvent.click(within(screen.getByRole('alertdialog')).getByRole('button', { name: 'Delete' }));
    expect(await screen.findByText(/cannot be reached/)).toBeInTheDocument();
    expect(names()).toEqual(['Brief', 'Kind']);
  });

  test('say why they could not be had, and ask again', async () => {
    vi.mocked(api.fetchPresets).mockRejectedValue(new Problem({ status: 400, code: 'x', message: 'No list today.' }));
    show();
    expect(await screen.findByRole('alert')).toHaveTextContent('No list today.');
    vi.mocked(api.fetchPresets).mockResolvedValue([kind]);
    await press('Retry');
    await waitFor(() => expect(names()).toEqual(['Kind']));
  });
});
