import { describe, expect, test } from 'vitest';

import { changesOf, formOf, settingsOf, summaryOf, withPreset } from './form.js';

const settings = { system_prompt: 'Be kind.', model: 'small', params: { temperature: '0.7', stop: ['END'] } };
const before = formOf(settings);

describe('settings in a form', () => {
  test('come back as they were', () => {
    expect(settingsOf(before)).toEqual(settings);
  });

  test('are not sent while nothing differs', () => {
    expect(changesOf(before, before, settings.params)).toEqual({});
    expect(changesOf({ ...before, params: { ...before.params, temperature: ' 0.7 ' } }, before, settings.params)).toEqual({});
  });

  test('are sent only where they differ', () => {
    expect(changesOf({ ...before, model: 'big' }, before)).toEqual({ model: 'big' });
    expect(changesOf({ ...before, systemPrompt: '' }, before)).toEqual({ system_prompt: '' });
  });

  test('send all parameters when one differs: those the form does not show too, without those that were emptied', () => {
    const params = { ...before.params, temperature: '', seed: '7' };
    const inForce = { ...settings.params, mirostat: '2' };
    expect(changesOf({ ...before, params }, before, inForce)).toEqual({ params: { seed: '7', stop: ['END'], mirostat: '2' } });
  });

  test('take over all of a preset, but no missing model', () => {
    const filled = withPreset(before, { system_prompt: '', model: '', params: { seed: '3' } });
    expect(settingsOf(filled)).toEqual({ system_prompt: '', model: 'small', params: { seed: '3' } });
    expect(withPreset(before, { ...settings, model: 'big' }).model).toBe('big');
  });

  test('are told of in one line', () => {
    const nameOf = (/** @type {string} */ model) => model.toUpperCase();
    expect(summaryOf(settings, nameOf)).toBe('SMALL · system prompt · 2 parameters');
    expect(summaryOf({ system_prompt: '', model: '', params: { seed: '1' } }, nameOf)).toBe('no system prompt · 1 parameter');
    expect(summaryOf({ system_prompt: '', model: '', params: {} }, nameOf)).toBe('no system prompt');
  });
});
