/** A reply: the model's text on the page with its seal below. What continues a reply is part of the same article. */
import { memo } from 'react';

import { LazyMarkdown } from '../../markdown/LazyMarkdown.jsx';
import { Quotes } from '../../ui/Marks.jsx';
import { ReplyFoot } from './ReplyFoot.jsx';
import { WaitingNote } from './WaitingNote.jsx';
import { joinedText } from './items.js';
import { useLiveText } from './liveText.js';
import styles from './Message.module.css';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/**
 * @typedef {import('./Message.jsx').Placed & {
 *   rows: TranscriptRow[],
 *   nameOf: (model: string|null) => string,
 *   last: boolean,
 *   onInspect: (row: TranscriptRow) => void,
 * }} ReplyProps rows: the reply and what continues it; last: nothing follows on this branch
 */

/** @param {TranscriptRow[]} rows */
const endOf = (rows) => /** @type {TranscriptRow} */ (rows.at(-1));

export const Reply = memo(
  /** @param {ReplyProps} props */
  function Reply(props) {
    const { rows, nameOf, linked, setSize, position } = props;
    const model = rows[0]?.call_id === null ? 'Another program' : nameOf(rows[0]?.model ?? null);
    return (
      <article
        className={linked ? `${styles.reply} ${styles.linked}` : styles.reply}
        aria-label={model}
        aria-setsize={setSize}
        aria-posinset={position}
        tabIndex={-1}
      >
        <h2 className="visually-hidden">{model} said</h2>
        <span className={styles.mark}>
          <Quotes size={15} />
        </span>
        <div className={styles.body}>
          <Omitted {...props} />
          <ReplyText rows={rows} />
          <ReplyFoot {...props} />
        </div>
      </article>
    );
  },
  // The rows of a reply are put together anew whenever the branch changes.
  ({ rows: before, ...others }, { rows: now, ...next }) =>
    before.length === now.length &&
    before.every((row, index) => row === now[index]) &&
    Object.entries(others).every(([name, value]) => next[/** @type {keyof typeof next} */ (name)] === value),
);

/** @param {ReplyProps} props */
function Omitted({ rows, onInspect }) {
  const row = rows.find((part) => (part.omitted_count ?? 0) > 0);
  if (!row) return null;
  const count = row.omitted_count ?? 0;
  const messages = count === 1 ? '1 earlier message was' : `${count.toLocaleString('en')} earlier messages were`;
  return (
    <p className={styles.omitted}>
      <button type="button" onClick={() => onInspect(row)} disabled={!row.call_id}>
        {messages} not sent
      </button>
      . The model cannot read more at once. Nothing is deleted.
    </p>
  );
}

/**
 * The same elements while the text grows and after it is recorded, so that nothing is parsed or drawn again.
 * @param {{rows: TranscriptRow[]}} props
 */
function ReplyText({ rows }) {
  const row = endOf(rows);
  const live = useLiveText(row.id);
  const pending = row.outcome === 'pending';
  const text = pending ? joinedText(rows.slice(0, -1)) + live.text : joinedText(rows);
  const reasoning = pending ? live.reasoning : rows.map((part) => part.reasoning).filter(Boolean).join('\n\n');
  const growing = pending && !live.stopping;
  return (
    <>
      {reasoning && <Reasoning key={`reasoning ${row.id}`} text={reasoning} open={pending && !text} />}
      {text && (
        <div key="text" className={growing ? `${styles.text} ${styles.growing}` : styles.text}>
          <LazyMarkdown text={text} />
        </div>
      )}
      {pending && !live.text && (
        <div key="thinking" className={styles.thinking}>
          <WaitingNote replyId={row.id} live={live} />
        </div>
      )}
    </>
  );
}

/** @param {{text: string, open: boolean}} props */
function Reasoning({ text, open }) {
  return (
    <details className={styles.reasoning} open={open}>
      <summary>Reasoning</summary>
      <div>{text}</div>
    </details>
  );
}
