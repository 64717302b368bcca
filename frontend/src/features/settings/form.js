/** Pure: settings as they stand in a form, what differs from before, and what a preset fills in. */
import { paramsOf, sameParams, textsOf } from './params.js';

/** @typedef {import('../../api/types.js').Params} Params */
/** @typedef {{system_prompt: string, model: string, params: Params}} Settings */
/** @typedef {import('../../api/presets.js').Preset} Preset */

/**
 * @typedef {object} SettingsForm
 * @property {string} model
 * @property {string} systemPrompt
 * @property {import('./params.js').ParamTexts} params
 */

/**
 * @param {Settings} settings
 * @returns {SettingsForm}
 */
export function formOf(settings) {
  return { model: settings.model, systemPrompt: settings.system_prompt, params: textsOf(settings.params) };
}

/**
 * @param {SettingsForm} form
 * @returns {Settings}
 */
export function settingsOf(form) {
  return { system_prompt: form.systemPrompt, model: form.model, params: paramsOf(form.params) };
}

/**
 * @param {SettingsForm} now
 * @param {SettingsForm} before
 * @param {Params} [inForce] parameters that the form does not show stay
 * @returns {Partial<Settings>} only what differs; `params` are always all of them
 */
export function changesOf(now, before, inForce = {}) {
  return {
    ...(now.model === before.model ? {} : { model: now.model }),
    ...(now.systemPrompt === before.systemPrompt ? {} : { system_prompt: now.systemPrompt }),
    ...(sameParams(now.params, before.params) ? {} : { params: paramsOf(now.params, inForce) }),
  };
}

/**
 * All of the preset is filled in, also what is empty in it: except a model, where it has none of its own.
 * @param {SettingsForm} form
 * @param {Settings} preset
 * @returns {SettingsForm}
 */
export function withPreset(form, preset) {
  const filled = formOf(preset);
  return { ...filled, model: filled.model || form.model };
}

/**
 * One line about what a preset holds.
 * @param {Settings} preset
 * @param {(model: string) => string} nameOf
 */
export function summaryOf(preset, nameOf) {
  const count = Object.keys(preset.params).length;
  const parts = [
    preset.model && nameOf(preset.model),
    preset.system_prompt ? 'system prompt' : 'no system prompt',
    count > 0 && (count === 1 ? '1 parameter' : `${count} parameters`),
  ];
  return parts.filter(Boolean).join(' · ');
}
