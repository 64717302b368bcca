/** What this request says that the call before it on the same branch did not, and the other way round. */
import { useMemo } from 'react';

import { asProblem } from '../../api/problems.js';
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { countedMessages } from './facts.js';
import styles from './PromptChanges.module.css';
import { compareMessages, compareSettings, countOf } from './promptDiff.js';
import { MessageList } from './PromptMessages.jsx';
import { usePrompt } from './queries.js';

/** @typedef {import('../../api/modelCalls.js').PromptRecord} PromptRecord */
/** @typedef {import('./promptDiff.js').Run} Run */
/** @typedef {import('./promptDiff.js').SettingChange} SettingChange */

/** @param {{record: PromptRecord}} props */
export function PromptChanges({ record }) {
  const previous = usePrompt(record.previous_call_id);
  if (record.previous_call_id === null) {
    return <p className={styles.quiet}>This was the first call on this branch, so everything in it was new to the model.</p>;
  }
  if (previous.isError) {
    return (
      <div className={styles.failure}>
        <Notice>
          <p>{asProblem(previous.error).message}</p>
        </Notice>
        <Button onClick={() => void previous.refetch()}>Retry</Button>
      </div>
    );
  }
  if (!previous.data) return <p className={styles.quiet}>Rebuilding the request before this one…</p>;
  return <Comparison before={previous.data} now={record} />;
}

/** @param {{before: PromptRecord, now: PromptRecord}} props */
function Comparison({ before, now }) {
  const runs = useMemo(() => compareMessages(before.messages, now.messages), [before, now]);
  const settings = useMemo(() => compareSettings(before.body, now.body), [before, now]);
  const [same, added, gone] = [countOf(runs, 'same'), countOf(runs, 'new'), countOf(runs, 'gone')];
  return (
    <>
      <h3 className={styles.heading}>Changes since the previous call</h3>
      <ul className={styles.summary}>
        <li>{countedMessages(same)} the same</li>
        <li>{countedMessages(added)} new</li>
        {gone > 0 && <li>{countedMessages(gone)} left out</li>}
        <li>
          {settings.length === 0
            ? 'Model and parameters are the same'
            : `${settings.length} ${settings.length === 1 ? 'setting differs' : 'settings differ'}`}
        </li>
      </ul>
      {settings.length > 0 && <Settings settings={settings} />}
      <div className={styles.runs}>
        {runs.map((run, index) => (
          <MessagesOf key={index} run={run} />
        ))}
      </div>
    </>
  );
}

/** @param {{settings: SettingChange[]}} props */
function Settings({ settings }) {
  return (
    <table className={styles.settings}>
      <caption className="visually-hidden">Settings that differ</caption>
      <thead>
        <tr>
          <th scope="col">Setting</th>
          <th scope="col">Before</th>
          <th scope="col">Now</th>
        </tr>
      </thead>
      <tbody>
        {settings.map(({ name, before, now }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{before ?? 'not sent'}</td>
            <td>{now ?? 'not sent'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const SIGNS = { new: '+', gone: '−' };

/** @param {{run: Run}} props */
function MessagesOf({ run }) {
  if (run.kind === 'same') {
    return (
      <details className={styles.same}>
        <summary>{countedMessages(run.messages.length)} the same</summary>
        <MessageList messages={run.messages} firstNumber={null} label="Messages that are the same" />
      </details>
    );
  }
  const label = run.kind === 'new' ? 'New' : 'Left out';
  return (
    <section className={`${styles.run} ${styles[run.kind]}`} aria-label={`${label}: ${countedMessages(run.messages.length)}`}>
      <p className={styles.label}>
        <span className={styles.sign} aria-hidden="true">
          {SIGNS[run.kind]}
        </span>
        {label}
      </p>
      <MessageList messages={run.messages} firstNumber={null} label={`${label} messages`} />
    </section>
  );
}
