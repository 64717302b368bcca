import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as conversations from '../../api/conversations.js';
import * as calls from '../../api/modelCalls.js';
import * as presets from '../../api/presets.js';
import { Problem } from '../../api/problems.js';
import { findConversation, keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { conversation, model, preset } from '../../test-data.js';
import { Toasts } from '../../ui/toasts.jsx';
import ConversationSettingsDialog from './ConversationSettingsDialog.jsx';

vi.mock('../../api/conversations.js');
vi.mock('../../api/modelCalls.js');
vi.mock('../../api/presets.js');

const settings = { system_prompt: 'Be kind.', model: 'small', params: { temperature: '0.7', stop: ['END'] } };
const onClose = vi.fn();

beforeEach(() => {
  queryClient.clear();
  onClose.mockReset();
  vi.mocked(conversations.changeConversation).mockReset();
  vi.mocked(presets.makePreset).mockReset();
  const models = [model({ id: 'small', default: true }), model({ id: 'big', reachable: false })];
  vi.mocked(calls.fetchModels).mockResolvedValue({ results: models, runners: [] });
  vi.mocked(presets.fetchPresets).mockResolvedValue([]);
});

/** @param {typeof settings | {system_prompt: string, model: string, params: {}}} [given] */
async function open(given = settings) {
  const shown = conversation({ id: 'c1', version: 4, settings: given });
  queryClient.setQueryData(keys.conversation('c1'), shown);
  render(
    <QueryClientProvider client={queryClient}>
      <ConversationSettingsDialog conversation={shown} onClose={onClose} />
      <Toasts />
    </QueryClientProvider>,
  );
  await screen.findByRole('option', { name: /BIG/ });
}

/** @param {string} name */
const button = (name) => screen.getByRole('button', { name });
/** @param {string} label */
const field = (label) => screen.getByLabelText(label);

function accepts() {
  vi.mocked(conversations.changeConversation).mockImplementation((id, { system_prompt, params }) => {
    const { title, pinned, archived, deleted, selected_leaf_id, forked_from } = conversation({ id });
    const now = { ...settings, ...(system_prompt && { system_prompt }), ...(params && { params }) };
    const answer = { id, title, pinned, archived, deleted, selected_leaf_id, forked_from };
    return Promise.resolve({ ...answer, version: 5, settings: now, position: '30' });
  });
}

describe('the settings of a conversation', () => {
  test('stand there as they are in force, and say from when a change is', async () => {
    await open();
    expect(screen.getByRole('dialog', { name: 'Conversation settings' })).toHaveAccessibleDescription(
      'In force from your next message on. Earlier replies keep what was in force then.',
    );
    expect(field('Model')).toHaveValue('small');
    expect(field('System prompt')).toHaveValue('Be kind.');
    expect(field('Temperature')).toHaveValue('0.7');
    expect(field('Stop texts')).toHaveValue('END');
    expect(screen.getByText('Parameters · 2 set').closest('details')).toHaveAttribute('open');
    expect(button('Save settings')).toBeDisabled();
    expect(screen.getByRole('option', { name: 'SMALL (as now)' })).toBeInTheDocument();
    expect(screen.getByRole('option', { name: 'BIG (does not answer now)' })).toBeInTheDocument();
  });

  test('send only what was changed, and show it at once', async () => {
    accepts();
    await open();
    await userEvent.type(field('System prompt'), ' Be brief.');
    await userEvent.dblClick(button('Save settings'));
    await waitFor(() => expect(onClose).toHaveBeenCalled());
    expect(conversations.changeConversation).toHaveBeenCalledTimes(1);
    expect(conversations.changeConversation).toHaveBeenCalledWith('c1', { system_prompt: 'Be kind. Be brief.' });
    expect(findConversation('c1')?.settings.system_prompt).toBe('Be kind. Be brief.');
    expect(screen.getByText('Settings saved. They are in force from your next message on.')).toBeInTheDocument();
  });

  test('send all parameters when one was changed, by keyboard alone', async () => {
    accepts();
    await open();
    await userEvent.clear(field('Temperature'));
    await userEvent.type(field('Presence penalty'), '-0.5');
    await userEvent.type(field('Stop texts'), '{Enter}\\n\\n');
    await userEvent.type(field('Seed'), '7{Enter}');
    await waitFor(() => expect(onClose).toHaveBeenCalled());
    const params = { presence_penalty: '-0.5', seed: '7', stop: ['END', '\n\n'] };
    expect(conversations.changeConversation).toHaveBeenCalledWith('c1', { params });
  });

  test('show what was refused beside its field, in sight, and go there', async () => {
    const message = 'temperature must be a number from 0 to 2; found 9. Change it and send again.';
    vi.mocked(conversations.changeConversation).mockRejectedValue(
      new Problem({ status: 400, code: 'parameter_invalid', message, fields: { 'params.temperature': [message] } }),
    );
    await open({ system_prompt: '', model: 'small', params: {} });
    await userEvent.type(field('Temperature'), '9');
    await userEvent.click(button('Save settings'));
    await waitFor(() => expect(field('Temperature')).toHaveAccessibleDescription(expect.stringContaining(message)));
    expect(field('Temperature')).toBeInvalid();
    expect(field('Temperature')).toHaveFocus();
    expect(field('Temperature').closest('details')).toHaveAttribute('open');
    expect(screen.queryByRole('alert')).toBeNull();
    expect(onClose).not.toHaveBeenCalled();
  });

  test('say why nothing was saved, and keep what was written', async () => {
    vi.mocked(conversations.changeConversation).mockRejectedValue(Problem.noAnswer());
    await open();
    await userEvent.type(field('System prompt'), '!');
    await userEvent.click(button('Save settings'));
    expect(await screen.findByRole('alert')).toHaveTextContent(/cannot be reached/);
    expect(field('System prompt')).toHaveValue('Be kind.!');
    expect(button('Save settings')).toBeEnabled();
  });

  test('name the default where no model was ever chosen', async () => {
    await open({ system_prompt: '', model: '', params: {} });
    expect(field('Model')).toHaveDisplayValue('The default (SMALL)');
  });

  test('keep a model that is not offered any more', async () => {
    await open({ system_prompt: '', model: 'gone', params: {} });
    expect(field('Model')).toHaveDisplayValue('gone (not offered now)');
    expect(screen.queryByRole('option', { name: /default/ })).toBeNull();
    expect(button('Save settings')).toBeDisabled();
  });

  test('are left as they are when the dialog is left', async () => {
    await open();
    await userEvent.type(field('System prompt'), ' More.');
    await userEvent.click(button('Cancel'));
    await userEvent.keyboard('{Escape}');
    expect(onClose).toHaveBeenCalledTimes(2);
    expect(conversations.changeConversation).not.toHaveBeenCalled();
  });
});

describe('presets in the dialog', () => {
  const brief = preset({ id: 'p1', name: 'Brief', system_prompt: 'Be brief.', params: { seed: '7' } });

  test('are not offered while there are none', async () => {
    await open();
    expect(screen.queryByLabelText('Fill in from a preset')).toBeNull();
  });

  test('fill in all they hold; nothing is in force before it is saved', async () => {
    accepts();
    vi.mocked(presets.fetchPresets).mockResolvedValue([brief]);
    await open();
    expect(button('Fill in')).toBeDisabled();
    await userEvent.selectOptions(await screen.findByLabelText('Fill in from a preset'), 'Brief');
    await userEvent.click(button('Fill in'));
    expect(field('System prompt')).toHaveValue('Be brief.');
    expect(field('Temperature')).toHaveValue('');
    expect(field('Model')).toHaveValue('small');
    expect(conversations.changeConversation).not.toHaveBeenCalled();
    await userEvent.click(button('Save settings'));
    await waitFor(() => expect(onClose).toHaveBeenCalled());
    expect(conversations.changeConversation).toHaveBeenCalledWith('c1', { system_prompt: 'Be brief.', params: { seed: '7' } });
  });

  test('keep what stands in the dialog under a name, without changing the conversation', async () => {
    const saved = { ...preset({ id: 'p2', name: 'Kind' }), position: '31' };
    vi.mocked(presets.makePreset).mockResolvedValue(saved);
    vi.mocked(presets.fetchPresets).mockResolvedValue([brief]);
    await open();
    await userEvent.type(field('System prompt'), ' Always.');
    await userEvent.click(button('Save as preset…'));
    expect(field('Name of the preset')).toHaveFocus();
    expect(button('Save preset')).toBeDisabled();
    await userEvent.keyboard('Kind{Enter}');
    expect(await screen.findByText('Saved as the preset “Kind”.')).toBeInTheDocument();
    expect(presets.makePreset).toHaveBeenCalledExactlyOnceWith({ ...settings, system_prompt: 'Be kind. Always.', name: 'Kind' });
    expect(conversations.changeConversation).not.toHaveBeenCalled();
    const offered = within(screen.getByLabelText('Fill in from a preset')).getAllByRole('option');
    expect(offered.map((option) => option.textContent)).toEqual(['Choose a preset', 'Brief', 'Kind']);
    await waitFor(() => expect(button('Save as preset…')).toHaveFocus());
  });

  test('say that a name is taken beside the name', async () => {
    const message = "You have a preset named 'Brief' already. Choose another name.";
    vi.mocked(presets.makePreset).mockRejectedValue(
      new Problem({ status: 400, code: 'preset_name_taken', message, fields: { name: [message] } }),
    );
    await open();
    await userEvent.click(button('Save as preset…'));
    await userEvent.type(field('Name of the preset'), 'Brief');
    await userEvent.click(button('Save preset'));
    await waitFor(() => expect(field('Name of the preset')).toHaveAccessibleDescription(message));
    expect(field('Name of the preset')).toHaveFocus();
    expect(field('Name of the preset')).toHaveValue('Brief');
  });
});
