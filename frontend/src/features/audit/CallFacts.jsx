/** How a call went: settings, figures, attempts, the events that say so, and the reply as it lies in the record. */
import { asProblem } from '../../api/problems.js';
import { Button } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { CopyIcon } from '../../ui/icons.jsx';
import styles from './CallFacts.module.css';
import {
  attemptFacts,
  eventPlaces,
  exactTime,
  generalFacts,
  measureFacts,
  originFacts,
  parameterFacts,
} from './facts.js';
import { LongText } from './LongText.jsx';
import { useReplyEvents } from './queries.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {import('../../api/modelCalls.js').StoredEvent} StoredEvent */
/** @typedef {import('./facts.js').EventPlace} EventPlace */
/** @typedef {import('./facts.js').Fact} Fact */

/** @param {{call: ModelCall}} props */
export function CallFacts({ call }) {
  const replyEvents = useReplyEvents(call);
  const parameters = parameterFacts(call);
  return (
    <div className={styles.facts}>
      <Facts facts={generalFacts(call)} />
      <h3>Parameters</h3>
      {parameters.length > 0 ? <Facts facts={parameters} /> : <p>None were set: the runner used its own.</p>}
      <h3>Tokens and time</h3>
      <Facts facts={measureFacts(call)} empty="Nothing was measured." />
      <h3>Attempts</h3>
      {call.attempts.length === 0 && <p>No attempt has begun.</p>}
      {call.attempts.map((attempt) => (
        <section key={attempt.attempt} aria-label={attemptTitle(attempt)}>
          <h4>{attemptTitle(attempt)}</h4>
          <Facts facts={attemptFacts(attempt)} />
        </section>
      ))}
      <h3>Recorded events</h3>
      <Events places={eventPlaces(call, replyEvents.data ?? [])} />
      {replyEvents.isError && <p>The conversation’s own events cannot be shown: {asProblem(replyEvents.error).message}</p>}
      <h3>Where it belongs</h3>
      <Facts facts={originFacts(call)} />
      <RecordedReply events={replyEvents.data ?? []} />
    </div>
  );
}

/** @param {ModelCall['attempts'][number]} attempt */
function attemptTitle({ attempt, outcome }) {
  return attempt === 0 ? `Before any attempt · ${outcome}` : `Attempt ${attempt} · ${outcome}`;
}

/** @param {{facts: Fact[], empty?: string}} props */
function Facts({ facts, empty = '' }) {
  if (facts.length === 0) return empty ? <p>{empty}</p> : null;
  return (
    <dl>
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** @param {{places: EventPlace[]}} props */
function Events({ places }) {
  return (
    <ol className={styles.events} aria-label="Recorded events">
      {places.map((place) => (
        <li key={place.position}>
          <strong>{place.topic}</strong>
          <span>
            position {place.position} · version {place.version} of the {place.stream}
          </span>
          <time dateTime={place.at}>{exactTime(place.at)}</time>
          {place.eventId && <span className={styles.id}>{place.eventId}</span>}
        </li>
      ))}
    </ol>
  );
}

/** @param {{events: StoredEvent[]}} props */
function RecordedReply({ events }) {
  const recorded = events.find(({ topic }) => topic.startsWith('ReplyRecorded'));
  if (!recorded) return null;
  const text = JSON.stringify(recorded.payload, null, 2);
  return (
    <details className={styles.reply}>
      <summary>The reply as it was recorded (JSON)</summary>
      <Button kind="quiet" onClick={() => void copyText(text)}>
        <CopyIcon />
        Copy reply
      </Button>
      <LongText text={text} label="Recorded reply" />
    </details>
  );
}
