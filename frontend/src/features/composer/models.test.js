import { describe, expect, test } from 'vitest';

import { findModel, modelName, whereAnswersComeFrom, whyNoAnswer } from './models.js';

/** @param {Partial<import('../../api/types.js').ModelInfo>} fields */
const model = (fields) => ({
  id: 'small', name: 'Small', runner: 'built-in', context_tokens: 8192,
  reachable: true, demonstration: false, default: false, ...fields,
});
/** @param {Partial<import('../../api/types.js').RunnerInfo>} fields */
const runner = (fields) => ({
  name: 'built-in', url: 'http://127.0.0.1:4000/v1', kind: 'built-in', reachable: true, error: null, ...fields,
});

test('the default model is used until one is chosen', () => {
  const list = { results: [model({}), model({ id: 'big', default: true })], runners: [] };
  expect(findModel(list, '')?.id).toBe('big');
  expect(findModel(list, 'small')?.id).toBe('small');
  expect(findModel(list, 'gone')).toBeUndefined();
});

test('a model that is no longer listed goes by its id', () => {
  expect(modelName({ results: [], runners: [] }, 'old/model')).toBe('old/model');
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
