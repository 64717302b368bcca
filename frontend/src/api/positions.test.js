import { beforeEach, expect, test } from 'vitest';

import {
  comparePositions,
  forgetPositions,
  knownPosition,
  livePosition,
  noteLivePosition,
  notePosition,
} from './positions.js';

beforeEach(forgetPositions);

test('positions are compared as numbers, however long', () => {
  expect(comparePositions('9', '10')).toBeLessThan(0);
  expect(comparePositions('92233720368547758070', '9223372036854775807')).toBeGreaterThan(0);
  expect(comparePositions('7', '7')).toBe(0);
});

test('nothing is before everything, and what cannot be compared counts as newer', () => {
  expect(comparePositions(null, '1')).toBeLessThan(0);
  expect(comparePositions('1', null)).toBeGreaterThan(0);
  expect(comparePositions('opaque', '12')).toBeGreaterThan(0);
});

test('the known position never goes back', () => {
  notePosition('12');
  notePosition('11');
  notePosition(undefined);
  expect(knownPosition()).toBe('12');
});

test('an own command moves what is known but not where the live stream resumes', () => {
  noteLivePosition('12');
  notePosition('20');
  expect(livePosition()).toBe('12');
  expect(knownPosition()).toBe('20');
});
