/** Where the time of a call went: a line for each attempt, to scale. The words say the same as the drawing. */
import { OUTCOMES } from '../ledger/words.js';
import { seconds } from '../transcript/seal.js';
import styles from './CallTimeline.module.css';
import { timelineOf } from './timeline.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {import('./timeline.js').Line} Line */
/** @typedef {import('./timeline.js').Phase} Phase */

/** Narrower than this nothing could be seen of it. */
const NARROWEST_PERCENT = 0.6;

/** @param {{call: ModelCall, now: number}} props now: milliseconds, when the call was read */
export function CallTimeline({ call, now }) {
  const { total, lines } = timelineOf(call, now);
  return (
    <div className={styles.timeline}>
      <ol aria-label="Timeline of attempts">
        {lines.map((line) => (
          <li key={line.attempt ?? 0} className={styles[line.outcome]}>
            <p className={styles.words}>
              <strong>{line.attempt === null ? 'Waiting' : `Attempt ${line.attempt}`}</strong>
              {line.attempt !== null && <span>· {OUTCOMES[line.outcome] ?? line.outcome}</span>}{' '}
              <span className={styles.times}>{phasesInWords(line)}</span>
            </p>
            <div className={styles.track} aria-hidden="true">
              {line.spans.map(({ phase, start, length }) => (
                <span
                  key={phase}
                  className={`${styles.span} ${styles[phase]}`}
                  style={{ left: percent(start / total), width: percent(Math.max(NARROWEST_PERCENT / 100, length / total)) }}
                />
              ))}
            </div>
          </li>
        ))}
      </ol>
      <p className={styles.scale}>
        <span>asked</span>
        <span>{seconds(total)}</span>
      </p>
    </div>
  );
}

/** @param {number} share */
const percent = (share) => `${Math.min(100, share * 100).toFixed(2)}%`;

/** @param {Line} line */
function phasesInWords({ delivered, spans }) {
  /** @type {Record<Phase, string>} */
  const words = { waiting: 'waited', reading: delivered ? 'until the first token' : 'without a token', writing: 'writing' };
  return spans.map(({ phase, length }) => `${seconds(length)} ${words[phase]}`).join(' · ');
}
