import { describe, expect, test } from 'vitest';

import { Problem } from '../../api/problems.js';
import { PARAMETERS, countSet, paramErrors, paramsOf, sameParams, textsOf, unplacedMessage } from './params.js';

const everything = {
  temperature: '0.7', top_p: '0.9', min_p: '0.05', top_k: '40', presence_penalty: '-0.5', frequency_penalty: '1',
  max_tokens: '512', seed: '-7', stop: ['END', '\n\nUser:', String.raw`C:\new`, ' '],
};

describe('parameters in a form', () => {
  test('come back as they were, every one of them', () => {
    expect(paramsOf(textsOf(everything))).toEqual(everything);
    expect(Object.keys(textsOf(everything)).toSorted()).toEqual(Object.keys(everything).toSorted());
  });

  test('show one stop text on each line, with its own line breaks written out', () => {
    expect(textsOf(everything).stop).toBe(['END', String.raw`\n\nUser:`, String.raw`C:\\new`, ' '].join('\n'));
    expect(textsOf({ stop: 'END' }).stop).toBe('END');
    expect(paramsOf({ stop: 'a\n\nb\n' })).toEqual({ stop: ['a', 'b'] });
  });

  test('are not set where the field is empty', () => {
    expect(textsOf(undefined)).toEqual(Object.fromEntries([...PARAMETERS.map(({ name }) => [name, '']), ['stop', '']]));
    expect(paramsOf({ temperature: '  ', seed: ' 7 ', stop: '' }, { temperature: '1', stop: ['END'] })).toEqual({ seed: '7' });
    expect(countSet(textsOf({}))).toBe(0);
    expect(countSet(textsOf({ stop: ['x', 'y'], seed: '1' }))).toBe(2);
  });

  test('keep what the form does not know', () => {
    expect(paramsOf({ temperature: '1' }, { mirostat: '2' })).toEqual({ temperature: '1', mirostat: '2' });
  });

  test('are the same when only spaces around a number differ, but not when those of a stop text do', () => {
    expect(sameParams(textsOf({ seed: '7' }), { seed: ' 7 ' })).toBe(true);
    expect(sameParams(textsOf({ seed: '7' }), textsOf({ seed: '8' }))).toBe(false);
    expect(sameParams(textsOf({ stop: ['a'] }), textsOf({ stop: ['a '] }))).toBe(false);
  });

  test('are refused by name', () => {
    const fields = { 'params.temperature': ['Too hot.'], 'params.stop': ['Too many.'], name: ['Taken.'] };
    const problem = new Problem({ status: 400, code: 'x', message: 'x', fields });
    expect(paramErrors(problem)).toEqual({ temperature: ['Too hot.'], stop: ['Too many.'] });
    expect(paramErrors(null)).toEqual({});
  });

  test('leave for above the form only what no field of it shows', () => {
    /** @param {Record<string, string[]>} fields */
    const refused = (fields) => unplacedMessage(new Problem({ status: 400, code: 'x', message: 'Refused.', fields }));
    expect(unplacedMessage(null)).toBeNull();
    expect(refused({ 'params.seed': ['x'] })).toBeNull();
    expect(refused({ model: ['x'] })).toBeNull();
    expect(refused({})).toBe('Refused.');
    expect(refused({ expected_version: ['x'] })).toBe('Refused.');
  });
});
