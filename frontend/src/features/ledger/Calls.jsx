/** Calls to models, one line each: a table where there is room for one, cards where there is not. */
import { Link, useLocation } from 'react-router';

import { Seal } from '../../ui/Marks.jsx';
import { useMedia } from '../../ui/useMedia.js';
import { modelName, useModels, withoutRunner } from '../composer/models.js';
import { sealState, seconds } from '../transcript/seal.js';
import styles from './Calls.module.css';
import { lastOpened, noteOpened } from './opened.js';
import { useRowKeys } from './useRowKeys.js';
import { OUTCOMES, PURPOSES, SOURCES, grouped, momentOf, nameOfSomebody } from './words.js';

/** @typedef {import('../../api/audit.js').LedgerRow} LedgerRow */

/**
 * @typedef {object} CallsProps
 * @property {LedgerRow[]} rows
 * @property {boolean} withUser whose call it is is of interest
 * @property {(row: LedgerRow) => string} placeOf the conversation in words
 */

/** @param {CallsProps} props */
export function Calls(props) {
  const wide = useMedia('(min-width: 60rem)');
  const keys = useRowKeys(
    props.rows.map(({ id }) => id),
    lastOpened(),
  );
  const Shape = wide ? CallTable : CallCards;
  return <Shape {...props} keys={keys} />;
}

/** @typedef {CallsProps & {keys: ReturnType<typeof useRowKeys>}} ShapeProps */

/** @param {ShapeProps} props */
function CallTable({ rows, withUser, placeOf, keys }) {
  return (
    <table className={styles.table} {...keys.around}>
      <caption className="visually-hidden">Model calls, newest first. The arrow keys go from one to the next.</caption>
      <thead>
        <tr>
          <th scope="col" className={styles.time}>Time</th>
          <th scope="col">{withUser ? 'User and conversation' : 'Conversation'}</th>
          <th scope="col">Model and runner</th>
          <th scope="col" className={styles.purpose}>Purpose and source</th>
          <th scope="col" className={styles.ending}>Outcome</th>
          <th scope="col" className={styles.number}>Tokens in, out</th>
          <th scope="col" className={styles.number}>First token, duration</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id}>
            <th scope="row">
              <CallLink row={row} keys={keys} />
            </th>
            <td>
              {withUser && <Whole text={nameOfSomebody(row.user, row.owner_id)} />}
              <Whole text={placeOf(row)} second={withUser} />
            </td>
            <td>
              <ModelName model={row.model} />
              <Whole text={row.runner ?? '–'} second />
            </td>
            <td>
              {PURPOSES[row.purpose] ?? row.purpose}
              <span className={styles.second}>{SOURCES[row.source] ?? row.source}</span>
            </td>
            <td>
              <Outcome row={row} />
            </td>
            <td className={styles.number}>
              {grouped(row.usage.prompt_tokens)}
              <span className={styles.second}>{grouped(row.usage.completion_tokens)}</span>
            </td>
            <td className={styles.number}>
              {timeOf(row.first_token_ms)}
              <span className={styles.second}>{timeOf(row.duration_ms)}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** @param {ShapeProps} props */
function CallCards({ rows, withUser, placeOf, keys }) {
  return (
    <ul className={styles.cards} aria-label="Model calls, newest first" {...keys.around}>
      {rows.map((row) => (
        <li key={row.id}>
          <span className={styles.cardHead}>
            <CallLink row={row} keys={keys} />
            <Outcome row={row} />
          </span>
          <span className={styles.cardPlace}>
            {withUser && <bdi>{nameOfSomebody(row.user, row.owner_id)}</bdi>}
            {withUser && ' · '}
            <bdi>{placeOf(row)}</bdi>
          </span>
          <span className={styles.cardFacts}>
            <span>
              <ModelName model={row.model} />
              {row.runner && ` · ${row.runner}`}
            </span>
            <span>
              {PURPOSES[row.purpose] ?? row.purpose} · {SOURCES[row.source] ?? row.source}
            </span>
            <span>
              {grouped(row.usage.prompt_tokens)} in · {grouped(row.usage.completion_tokens)} out · first token{' '}
              {timeOf(row.first_token_ms)} · {timeOf(row.duration_ms)}
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}

/** @param {number|null} milliseconds */
const timeOf = (milliseconds) => (milliseconds === null ? '–' : seconds(milliseconds));

/** The way to the call; the whole line leads there. @param {{row: LedgerRow, keys: ShapeProps['keys']}} props */
function CallLink({ row, keys }) {
  const { search } = useLocation();
  const { day, clock } = momentOf(row.requested_at);
  return (
    <Link
      className={styles.link}
      to={`/audit/calls/${row.id}`}
      state={{ ledger: search }}
      onClick={() => noteOpened(row.id)}
      {...keys.link(row.id)}
    >
      <time dateTime={row.requested_at}>
        {clock}
        <span className={styles.second}>{day}</span>
      </time>
    </Link>
  );
}

/** @param {{model: string}} props */
function ModelName({ model }) {
  const models = useModels();
  return <Whole text={modelName(models.data, withoutRunner(model))} title={model} />;
}

/**
 * On one line, cut where there is no room; all of it when it is pointed at.
 * @param {{text: string, title?: string, second?: boolean}} props
 */
function Whole({ text, title = text, second = false }) {
  return (
    <span className={second ? `${styles.whole} ${styles.second}` : styles.whole} title={title}>
      <bdi>{text}</bdi>
    </span>
  );
}

/** @param {{row: LedgerRow}} props */
function Outcome({ row }) {
  return (
    <span className={styles.outcome}>
      <Seal state={sealState(row.outcome)} />
      <span>
        {OUTCOMES[row.outcome] ?? row.outcome}
        {row.error && <span className={styles.second}>{row.error.code.replaceAll('_', ' ')}</span>}
        {row.erased && <span className={styles.second}>erased</span>}
      </span>
    </span>
  );
}
