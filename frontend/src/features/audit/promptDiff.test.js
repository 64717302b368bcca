import { describe, expect, test } from 'vitest';

import { compareMessages, compareSettings, countOf } from './promptDiff.js';

/** @param {string} role @param {unknown} content */
const said = (role, content) => ({ role, content });
const system = said('system', 'Be brief.');
const first = said('user', 'One?');
const second = said('assistant', 'One.');
const third = said('user', 'Two?');
const fourth = said('assistant', 'Two.');

/** @param {import('./promptDiff.js').Run[]} runs */
const told = (runs) => runs.map(({ kind, messages }) => [kind, ...messages.map(({ content }) => content)]);

describe('the messages of two requests', () => {
  test('of a conversation that went on: all the same, and the new ones', () => {
    const runs = compareMessages([system, first], [system, first, second, third]);
    expect(told(runs)).toEqual([['same', 'Be brief.', 'One?'], ['new', 'One.', 'Two?']]);
    expect([countOf(runs, 'same'), countOf(runs, 'new'), countOf(runs, 'gone')]).toEqual([2, 2, 0]);
  });

  test('of which earlier ones no longer fitted: those are left out', () => {
    const runs = compareMessages([system, first, second, third], [system, third, fourth]);
    expect(told(runs)).toEqual([['same', 'Be brief.'], ['gone', 'One?', 'One.'], ['same', 'Two?'], ['new', 'Two.']]);
  });

  test('with another system prompt: the old one is left out, the new one is new', () => {
    const other = said('system', 'Be long.');
    const runs = compareMessages([system, first], [other, first]);
    expect(told(runs)).toEqual([['gone', 'Be brief.'], ['new', 'Be long.'], ['same', 'One?']]);
  });

  test('that say the same in another role are not the same', () => {
    expect(countOf(compareMessages([said('user', 'Hi')], [said('assistant', 'Hi')]), 'same')).toBe(0);
  });

  test('in parts are compared by what the parts say', () => {
    const parts = () => said('user', [{ type: 'text', text: 'Look' }]);
    expect(told(compareMessages([parts()], [parts()]))).toEqual([['same', parts().content]]);
  });

  test('of a thousand messages are compared at once', () => {
    const many = Array.from({ length: 1000 }, (_, index) => said('user', `Message ${index}`));
    const runs = compareMessages(many, [...many.slice(400), said('user', 'More')]);
    expect([countOf(runs, 'gone'), countOf(runs, 'same'), countOf(runs, 'new')]).toEqual([400, 600, 1]);
  });
});

describe('the settings of two requests', () => {
  test('are told where they differ, also when one has none', () => {
    const before = JSON.stringify({ messages: [1], model: 'small', stream: true, temperature: 0.7 });
    const now = JSON.stringify({ max_tokens: 10, messages: [2], model: 'large', stream: true });
    expect(compareSettings(before, now)).toEqual([
      { name: 'max_tokens', before: null, now: '10' },
      { name: 'model', before: '"small"', now: '"large"' },
      { name: 'temperature', before: '0.7', now: null },
    ]);
  });

  test('of something that is no JSON are none', () => {
    expect(compareSettings('not json', '[]')).toEqual([]);
  });
});
