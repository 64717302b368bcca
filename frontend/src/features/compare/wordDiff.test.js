import { describe, expect, test } from 'vitest';

import { diffWords, tokensOf } from './wordDiff.js';

/** @param {import('./wordDiff.js').Part[]} parts */
const marked = (parts) => parts.map(({ text, changed }) => (changed ? `[${text}]` : text)).join('');
/** @param {import('./wordDiff.js').Part[]} parts */
const plain = (parts) => parts.map((part) => part.text).join('');

describe('two texts', () => {
  test('differ by the words that only one of them has', () => {
    const diff = diffWords('The quick brown fox.', 'The slow brown fox jumps.');
    expect(marked(diff.left)).toBe('The [quick ]brown fox.');
    expect(marked(diff.right)).toBe('The [slow ]brown fox [jumps].');
  });

  test('are given back exactly, spaces and lines included', () => {
    const left = '  One\n\n\ttwo   three\n';
    const right = 'One two\n\nfour  three';
    const diff = diffWords(left, right);
    expect(plain(diff.left)).toBe(left);
    expect(plain(diff.right)).toBe(right);
  });

  test('are compared word by word in scripts without spaces too', () => {
    const diff = diffWords('今日は天気がいいです', '今日は天気が悪いです');
    expect(plain(diff.left)).toBe('今日は天気がいいです');
    expect(diff.left.some((part) => !part.changed && part.text.includes('今日'))).toBe(true);
    expect(diff.left.some((part) => part.changed)).toBe(true);
  });

  test('that are equal are said to be', () => {
    expect(diffWords('Same', 'Same')).toMatchObject({ same: true, whole: null });
    expect(diffWords('', '')).toMatchObject({ same: true, left: [] });
  });

  test('of which one is empty differ altogether', () => {
    const diff = diffWords('', 'Something');
    expect(diff).toMatchObject({ same: false, whole: null, left: [] });
    expect(marked(diff.right)).toBe('[Something]');
  });

  test('with hardly a word in common are called unlike instead of being dotted with marks', () => {
    const words = (/** @type {string} */ stem) => Array.from({ length: 60 }, (_, n) => `${stem}${n}`).join(' ');
    expect(diffWords(words('a'), words('b')).whole).toBe('unlike');
  });
});

describe('very long texts', () => {
  /** @param {number} seed @param {number} length */
  const noise = (seed, length) => {
    let state = seed;
    return Array.from({ length }, () => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return `w${state % 5000}`;
    }).join(' ');
  };

  test('are not compared word by word beyond the limit', () => {
    expect(diffWords(noise(1, 20_000), noise(2, 20_000)).whole).toBe('long');
  });

  test('are given up on when it takes too long', () => {
    const before = performance.now();
    expect(diffWords(noise(1, 8_000), noise(2, 8_000), { patienceMs: 30 }).whole).toBe('long');
    expect(performance.now() - before).toBeLessThan(5_000);
  });

  test('that differ in one word only are compared quickly', () => {
    const text = noise(1, 8_000);
    const diff = diffWords(text, text.replace('w', 'changed'));
    expect(diff.whole).toBeNull();
    expect(diff.right.filter((part) => part.changed)).toHaveLength(1);
  });
});

test('a word keeps the spaces that follow it', () => {
  expect(tokensOf('Hi  there,\nyou')).toEqual(['Hi  ', 'there', ',\n', 'you']);
});
