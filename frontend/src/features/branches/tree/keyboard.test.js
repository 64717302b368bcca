import { describe, expect, test } from 'vitest';

import { node } from '../../../test-data.js';
import { findTyped, stepFor } from './keyboard.js';
import { linesOf, shapeOf } from './shape.js';

const nodes = [
  node({ id: 'm1', excerpt: 'Why is the sky blue?' }),
  node({ id: 'r1', parent_id: 'm1', excerpt: 'Because of scattering.' }),
  node({ id: 'm2', parent_id: 'r1', minute: 1, excerpt: 'Shorter, please' }),
  node({ id: 'r2', parent_id: 'm2', minute: 1, excerpt: 'Scattering.' }),
  node({ id: 'm3', parent_id: 'r1', minute: 2, excerpt: 'Say more' }),
];
const lines = linesOf(shapeOf(nodes), new Set());
const folded = linesOf(shapeOf(nodes), new Set(['r1']));
/** @param {number} current @param {string} key @param {typeof lines} [among] */
const step = (current, key, among = lines) => stepFor(among, current, key, 3);

describe('in the tree', () => {
  test('arrows, pages, Home and End move, and stop at both ends', () => {
    expect(step(0, 'ArrowDown')).toEqual({ go: 1 });
    expect(step(4, 'ArrowDown')).toEqual({ go: 4 });
    expect(step(0, 'ArrowUp')).toEqual({ go: 0 });
    expect(step(1, 'PageDown')).toEqual({ go: 4 });
    expect(step(4, 'PageUp')).toEqual({ go: 1 });
    expect(step(3, 'Home')).toEqual({ go: 0 });
    expect(step(0, 'End')).toEqual({ go: 4 });
  });

  test('Right unfolds, then goes in; Left goes out, then folds', () => {
    expect(step(1, 'ArrowRight', folded)).toEqual({ toggle: 'r1' });
    expect(step(1, 'ArrowRight')).toEqual({ go: 2 });
    expect(step(3, 'ArrowLeft')).toEqual({ go: 1 });
    expect(step(1, 'ArrowLeft')).toEqual({ toggle: 'r1' });
    expect(step(0, 'ArrowLeft')).toBeNull();
    expect(step(0, 'ArrowRight')).toBeNull();
  });

  test('the asterisk unfolds all of one level', () => {
    expect(step(0, '*', folded)).toEqual({ openAll: ['r1'] });
    expect(step(0, '*')).toEqual({ openAll: [] });
  });

  test('other keys mean nothing here', () => {
    expect(step(0, 'Tab')).toBeNull();
    expect(stepFor([], 0, 'ArrowDown', 3)).toBeNull();
  });

  test('typing finds the next line that begins so', () => {
    expect(findTyped(lines, 0, 's')).toBe(2);
    expect(findTyped(lines, 2, 'ss')).toBe(3);
    expect(findTyped(lines, 4, 's')).toBe(2);
    expect(findTyped(lines, 0, 'say')).toBe(4);
    expect(findTyped(lines, 2, 'sh')).toBe(2);
    expect(findTyped(lines, 0, 'x')).toBe(-1);
  });
});
