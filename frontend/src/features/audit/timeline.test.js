import { describe, expect, test } from 'vitest';

import { attempt, modelCall } from '../../test-data.js';
import { timelineOf } from './timeline.js';

const NOW = Date.parse('2026-03-10T09:01:00Z');
/** @param {Partial<import('../../api/modelCalls.js').ModelCall>} fields */
const drawn = (fields) => {
  const { total, lines } = timelineOf(modelCall({ id: 'k1', ...fields }), NOW);
  return { total, lines: lines.map((line) => [line.attempt, line.outcome, ...line.spans.map(({ phase, start, length }) => `${phase} ${start}+${length}`)]) };
};

describe('the time of a call', () => {
  test('goes into waiting, reading and writing', () => {
    expect(drawn({})).toEqual({ total: 4000, lines: [[1, 'complete', 'waiting 0+1000', 'reading 1000+1000', 'writing 2000+2000']] });
  });

  test('is shared by its attempts, with the wait between them', () => {
    const failed = attempt({ outcome: 'failed', ended_at: '2026-03-10T09:00:02Z', first_token_ms: null });
    const second = attempt({ attempt: 2, started_at: '2026-03-10T09:00:07Z', ended_at: '2026-03-10T09:00:10Z' });
    expect(drawn({ attempts: [failed, second], ended_at: '2026-03-10T09:00:10Z' })).toEqual({
      total: 10_000,
      lines: [
        [1, 'failed', 'waiting 0+1000', 'reading 1000+1000'],
        [2, 'complete', 'waiting 2000+5000', 'reading 7000+1000', 'writing 8000+2000'],
      ],
    });
  });

  test('of a call that goes on is drawn up to now', () => {
    const running = attempt({ outcome: 'pending', ended_at: null });
    const { total, lines } = drawn({ outcome: 'pending', ended_at: null, attempts: [running] });
    expect(total).toBe(60_000);
    expect(lines).toEqual([[1, 'pending', 'waiting 0+1000', 'reading 1000+1000', 'writing 2000+58000']]);
  });

  test('of a call that waits for its next attempt ends in that wait', () => {
    const failed = attempt({ outcome: 'failed', first_token_ms: null });
    const { lines } = drawn({ outcome: 'pending', ended_at: null, attempts: [failed] });
    expect(lines.at(-1)).toEqual([null, 'pending', 'waiting 4000+56000']);
  });

  test('of a call that was stopped before any attempt is a wait', () => {
    const never = attempt({ attempt: 0, outcome: 'cancelled', started_at: null, first_token_ms: null });
    expect(drawn({ outcome: 'cancelled', attempts: [never] }).lines).toEqual([[null, 'cancelled', 'waiting 0+4000']]);
  });

  test('never runs backwards where clocks differ', () => {
    const early = attempt({ started_at: '2026-03-10T08:59:59Z', ended_at: '2026-03-10T08:59:59.500Z' });
    const { total, lines } = drawn({ attempts: [early], ended_at: '2026-03-10T08:59:59.500Z' });
    expect(total).toBe(1);
    expect(lines).toEqual([[1, 'complete']]);
  });
});
