import { describe, expect, test } from 'vitest';

import { fieldsOf, wishOf } from './wish.js';

const settings = { system_prompt: 'Be kind.', model: '', params: { temperature: '0.7', stop: ['END'], top_k: '40' } };
const before = fieldsOf(settings, 'small');

describe('what a replay asks for', () => {
  test('begins as things are now, with the default model by its name', () => {
    expect(before).toEqual({
      model: 'small',
      systemPrompt: 'Be kind.',
      params: { temperature: '0.7', top_p: '', max_tokens: '', seed: '' },
    });
  });

  test('is nothing while nothing differs', () => {
    expect(wishOf(before, before, settings)).toBeNull();
    expect(wishOf({ ...before, params: { ...before.params, temperature: ' 0.7 ' } }, before, settings)).toBeNull();
  });

  test('holds only what differs', () => {
    expect(wishOf({ ...before, model: 'big' }, before, settings)).toEqual({ model: 'big' });
    expect(wishOf({ ...before, systemPrompt: '' }, before, settings)).toEqual({ system_prompt: '' });
  });

  test('keeps the parameters that the form does not show, and drops those that were emptied', () => {
    const params = { ...before.params, temperature: '', seed: '7' };
    expect(wishOf({ ...before, params }, before, settings)).toEqual({
      params: { seed: '7', stop: ['END'], top_k: '40' },
    });
  });
});
