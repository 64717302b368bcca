import { describe, expect, test } from 'vitest';

import { conversation } from '../../test-data.js';
import { dateLabel, groupByDate } from './groupByDate.js';

/** Local time: the groups follow the reader's own calendar. @param {number} day @param {number} [hour] */
const march = (day, hour = 12) => new Date(2026, 2, day, hour);
const now = march(20, 9);

describe('the heading of a day', () => {
  test.each([
    [march(20, 0), 'Today'],
    [march(19, 23), 'Yesterday'],
    [march(18), 'Previous 7 days'],
    [march(13), 'Previous 7 days'],
    [march(12), 'Previous 30 days'],
    [new Date(2026, 1, 18), 'Previous 30 days'],
    [new Date(2026, 1, 17), 'February 2026'],
    [new Date(2025, 11, 31), 'December 2025'],
  ])('%s is under “%s”', (date, label) => {
    expect(dateLabel(date, now)).toBe(label);
  });

  test('a clock that runs ahead of ours is still today', () => {
    expect(dateLabel(march(21), now)).toBe('Today');
  });
});

describe('the grouped list', () => {
  const at = (/** @type {string} */ id, /** @type {Date} */ date, pinned = false) =>
    conversation({ id, updated_at: date.toISOString(), pinned });

  test('has pinned ones first, then the newest first', () => {
    const groups = groupByDate([at('old', march(2)), at('new', march(20, 8)), at('kept', march(1), true)], now);
    expect(groups.map(({ label, rows }) => [label, ...rows.map(({ id }) => id)])).toEqual([
      ['Pinned', 'kept'],
      ['Today', 'new'],
      ['Previous 30 days', 'old'],
    ]);
  });

  test('has no empty headings', () => {
    expect(groupByDate([], now)).toEqual([]);
  });
});
