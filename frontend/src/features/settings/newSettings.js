/**
 * What the next new conversation begins with: the model that was chosen, and the preset. Only the preset's id is
 * remembered: its text belongs to whoever is logged in, and is looked up among their own presets.
 */
import { useMemo } from 'react';

import { createStore, useStore } from '../../ui/store.js';
import { chooseForNew, useChosenForNew } from '../composer/models.js';
import { usePresets } from './presetQueries.js';

/** @typedef {import('../../api/presets.js').Preset} Preset */
/** @typedef {import('../composer/useSend.js').NewSettings} NewSettings */

const chosenPresetId = createStore('');

/**
 * @param {Preset[]|undefined} presets
 * @returns {Preset|null}
 */
export function useChosenPreset(presets) {
  const id = useStore(chosenPresetId);
  return presets?.find((preset) => preset.id === id) ?? null;
}

/**
 * The preset's model is chosen with it, and may still be changed afterwards.
 * @param {Preset|null} preset null: none
 * @param {Preset|null} before the one that was chosen until now
 * @param {string} model the model that is chosen now
 */
export function choosePreset(preset, before, model) {
  chosenPresetId.set(preset?.id ?? '');
  if (preset?.model) chooseForNew(preset.model);
  else if (before?.model && before.model === model) chooseForNew('');
}

/**
 * All of a preset is taken, also what is empty in it: a conversation begins exactly as the preset says.
 * @param {Preset|null} preset
 * @param {string} model empty: the default
 * @returns {NewSettings}
 */
export function newSettingsOf(preset, model) {
  return {
    ...(preset ? { system_prompt: preset.system_prompt, params: preset.params } : {}),
    ...(model ? { model } : {}),
  };
}

/**
 * @param {boolean} isNew false: nothing is asked for
 * @returns {NewSettings} the same object while nothing changes
 */
export function useNewSettings(isNew) {
  const presets = usePresets({ enabled: isNew });
  const preset = useChosenPreset(presets.data);
  const model = useChosenForNew();
  return useMemo(() => newSettingsOf(preset, model), [preset, model]);
}
