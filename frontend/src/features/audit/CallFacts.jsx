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
import { CallTimeline } from './CallTimeline.jsx';
import { LongText } from './LongText.jsx';
import { ProofDownloads } from './ProofDownloads.jsx';
import { useReplyEvents } from './queries.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {import('../../api/modelCalls.js').StoredEvent} StoredEvent */
/** @typedef {import('./facts.js').EventPlace} EventPlace */
/** @typedef {import('./facts.js').Fact} Fact */

/** Everything, one below the other. @param {{call: ModelCall, readAt: number}} props readAt: milliseconds */
export function CallFacts({ call, readAt }) {
  return (
    <div className={styles.facts}>
      <CallSettings call={call} />
      <CallAttempts call={call} readAt={readAt} />
      <CallEvents call={call} />
      <CallOrigin call={call} />
    </div>
  );
}

/** @param {{call: ModelCall}} props */
export function CallSettings({ call }) {
  const parameters = parameterFacts(call);
  return (
    <>
      <Facts facts={generalFacts(call)} />
      <h3>Parameters</h3>
      {parameters.length > 0 ? <Facts facts={parameters} /> : <p>None were set: the runner used its own.</p>}
      <h3>Tokens and time</h3>
      <Facts facts={measureFacts(call)} empty="Nothing was measured." />
    </>
  );
}

/** @param {{call: ModelCall, readAt: number}} props */
export function CallAttempts({ call, readAt }) {
  return (
    <>
      <h3>Attempts</h3>
      <CallTimeline call={call} now={readAt} />
      {call.attempts.length === 0 && <p>No attempt has begun.</p>}
      {call.attempts.map((attempt) => (
        <section key={attempt.attempt} aria-label={attemptTitle(attempt)}>
          <h4>{attemptTitle(attempt)}</h4>
          <Facts facts={attemptFacts(attempt)} />
        </section>
      ))}
    </>
  );
}

/** @param {{call: ModelCall}} props */
export function CallEvents({ call }) {
  const replyEvents = useReplyEvents(call);
  return (
    <>
      <h3>Recorded events</h3>
      <Events places={eventPlaces(call, replyEvents.data ?? [])} />
      {replyEvents.isError && <p>The conversation’s own events cannot be shown: {asProblem(replyEvents.error).message}</p>}
      <RecordedReply events={replyEvents.data ?? []} />
      <h3>Proofs</h3>
      <ProofDownloads call={call} />
    </>
  );
}

/** @param {{call: ModelCall}} props */
export function CallOrigin({ call }) {
  return (
    <>
      <h3>Where it belongs</h3>
      <Facts facts={originFacts(call)} />
    </>
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
