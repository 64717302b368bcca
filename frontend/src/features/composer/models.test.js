import { describe, expect, test } from 'vitest';

import { model as someModel, runner } from '../../test-data.js';
import { byRunner, describeModel, findModel, fullName, modelName, searchModels, whereAnswersComeFrom, whyNoAnswer } from './models.js';

/** @param {Partial<import('../../api/types.js').ModelInfo>} fields */
const model = (fields) => someModel({ id: 'small', name: 'Small', ...fields });

test('the default model is used until one is chosen', () => {
  const list = { results: [model({}), model({ id: 'big', default: true })], runners: [] };
  expect(findModel(list, '')?.id).toBe('big');
  expect(findModel(list, 'small')?.id).toBe('small');
  expect(findModel(list, 'gone')).toBeUndefined();
});

test('a model that is no longer listed goes by its id', () => {
  expect(modelName({ results: [], runners: [] }, 'old/model')).toBe('old/model');
});

describe('models of several runners', () => {
  const runners = [runner({ name: 'gpu' }), runner({ name: 'laptop', reachable: false, error: 'It is switched off.' })];
  const twin = model({ id: 'laptop::small', name: 'laptop::small', runner: 'laptop', reachable: false });
  const list = { results: [model({ name: 'small', runner: 'gpu' }), twin, model({ id: 'big', name: 'big', runner: 'gpu' })], runners };

  test('stand below their runners, also below one that is down', () => {
    expect(byRunner(list).map(({ runner: name, models, trouble }) => [name, models.map(({ id }) => id), trouble])).toEqual([
      ['gpu', ['small', 'big'], ''],
      ['laptop', ['laptop::small'], 'It is switched off.'],
    ]);
  });

  test('go by their own name, and with the runner only where two have the same', () => {
    expect(modelName(list, 'laptop::small')).toBe('small');
    expect(modelName(undefined, 'laptop::org/model:7b')).toBe('org/model:7b');
    expect(modelName(undefined, 'Some::Thing')).toBe('Some::Thing');
    expect(list.results.map((one) => fullName(list, one))).toEqual(['small · gpu', 'small · laptop', 'big']);
  });

  test('are found by their name and by their runner', () => {
    const found = (/** @type {string} */ text) => searchModels(list, text).results.map(({ id }) => id);
    expect(found('SMALL')).toEqual(['small', 'laptop::small']);
    expect(found('small lap')).toEqual(['laptop::small']);
    expect(found(' ')).toHaveLength(3);
  });

  test('whose runner is down are not the end while another one answers', () => {
    expect(whyNoAnswer(list, list.results[0])).toBeNull();
    expect(whyNoAnswer(list, twin)).toBe('It is switched off. Or choose a model of another runner below.');
  });
});

test('a model is described by what matters for choosing it', () => {
  const one = model({ size_bytes: 98_000_000, loaded: true, demonstration: true });
  expect(describeModel(one, false)).toBe('built-in · 8,192 tokens of context · 98 MB · demonstration model · loaded');
  expect(describeModel({ ...one, size_bytes: 4_700_000_000, loaded: false, demonstration: false, reachable: false }, true)).toBe(
    '8,192 tokens of context · 4.7 GB · does not answer now',
  );
  expect(describeModel(model({ context_tokens: null, error: 'big.gguf is cut off.' }), true)).toBe('big.gguf is cut off.');
  expect(describeModel(model({ context_tokens: null }), true)).toBe('');
});

describe('where answers come from', () => {
  test('this machine, for the built-in runner and for loopback addresses', () => {
    expect(whereAnswersComeFrom(model({}), [runner({})])).toBe('Small · runs on this machine · nothing leaves it');
    const local = runner({ name: 'other', kind: 'openai-compatible', url: 'http://localhost:12434/engines/v1' });
    expect(whereAnswersComeFrom(model({ runner: 'other' }), [local])).toContain('nothing leaves it');
  });

  test('another host is named, and no promise is made', () => {
    const far = runner({ name: 'far', kind: 'openai-compatible', url: 'https://models.example.org/v1' });
    expect(whereAnswersComeFrom(model({ runner: 'far' }), [far])).toBe('Small · answers come from models.example.org');
  });
});

describe('why there is no answer', () => {
  test('no reason while one model answers', () => {
    expect(whyNoAnswer({ results: [model({})], runners: [runner({ reachable: false })] })).toBeNull();
  });
  test('the runner’s own words, or where it should be', () => {
    const down = { results: [], runners: [runner({ reachable: false, error: 'It is still loading.' })] };
    expect(whyNoAnswer(down)).toBe('It is still loading.');
    expect(whyNoAnswer({ results: [], runners: [runner({ reachable: false })] })).toContain('127.0.0.1:4000');
    expect(whyNoAnswer({ results: [], runners: [] })).toContain('No model');
  });
});
