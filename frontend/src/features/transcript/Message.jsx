/** One message: the user's as a tinted bubble, the model's as text on the page with its seal below. */
import { memo } from 'react';

import { LazyMarkdown } from '../../markdown/LazyMarkdown.jsx';
import { Button, IconButton } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { CopyIcon, RetryIcon } from '../../ui/icons.jsx';
import { Quotes, Seal } from '../../ui/Marks.jsx';
import { useLiveText } from './liveText.js';
import styles from './Message.module.css';
import { outcomeNote, sealLine, sealState } from './seal.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/** @param {string} at RFC 3339 */
const timeOf = (at) =>
  new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });

export const UserMessage = memo(
  /**
   * @param {{content: string, at: string|null, sending: boolean, setSize: number, position: number}} props
   */
  function UserMessage({ content, at, sending, setSize, position }) {
    return (
      <article className={styles.user} aria-label="You" aria-setsize={setSize} aria-posinset={position}>
        <h2 className="visually-hidden">You said</h2>
        <div className={`${styles.bubble} ${sending ? styles.sending : ''}`}>{content}</div>
        <div className={styles.actions}>
          {sending ? (
            <span className={styles.time}>Sending…</span>
          ) : (
            <>
              {at && (
                <time className={`${styles.time} ${styles.onHover}`} dateTime={at}>
                  {timeOf(at)}
                </time>
              )}
              <IconButton small label="Copy message" className={styles.onHover} onClick={() => void copyText(content)}>
                <CopyIcon />
              </IconButton>
            </>
          )}
        </div>
      </article>
    );
  },
);

/**
 * @typedef {object} ReplyProps
 * @property {TranscriptRow} row
 * @property {string} model the model's display name
 * @property {boolean} last
 * @property {boolean} retrying
 * @property {number} setSize
 * @property {number} position
 * @property {(row: TranscriptRow) => void} onRetry
 * @property {(row: TranscriptRow) => void} onInspect
 */

export const Reply = memo(
  /** @param {ReplyProps} props */
  function Reply(props) {
    const { row, model, setSize, position } = props;
    return (
      <article className={styles.reply} aria-label={model} aria-setsize={setSize} aria-posinset={position}>
        <h2 className="visually-hidden">{model} said</h2>
        <span className={styles.mark}>
          <Quotes size={15} />
        </span>
        <div className={styles.body}>
          <ReplyText row={row} />
          <ReplyFoot {...props} />
        </div>
      </article>
    );
  },
);

/**
 * The same elements while the text grows and after it is recorded, so that nothing is parsed or drawn again.
 * @param {{row: TranscriptRow}} props
 */
function ReplyText({ row }) {
  const live = useLiveText(row.id);
  const pending = row.outcome === 'pending';
  const text = pending ? live.text : row.content;
  const reasoning = pending ? live.reasoning : row.reasoning;
  const growing = pending && !live.stopping;
  return (
    <>
      {reasoning && <Reasoning key="reasoning" text={reasoning} open={pending && !text} />}
      {text && (
        <div key="text" className={growing ? `${styles.text} ${styles.growing}` : styles.text}>
          <LazyMarkdown text={text} />
        </div>
      )}
      {pending && !text && (
        <p key="thinking" className={styles.thinking}>
          <span className={styles.dots} aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {live.stopping ? 'Stopping…' : live.state === 'retrying' ? 'Trying again…' : 'Thinking…'}
        </p>
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

/** @param {ReplyProps} props */
function ReplyFoot({ row, model, last, retrying, onRetry, onInspect }) {
  const note = outcomeNote(row);
  const pending = row.outcome === 'pending';
  const failed = row.outcome === 'failed';
  return (
    <>
      {note && (
        <div className={`${styles.note} ${failed ? styles.failed : styles.cut}`}>
          <p>
            {failed && <strong>{note.title}</strong>}
            {note.detail}
          </p>
          {(last || failed) && (
            <Button disabled={retrying} onClick={() => onRetry(row)}>
              <RetryIcon />
              Retry
            </Button>
          )}
        </div>
      )}
      <div className={styles.foot}>
        <button
          type="button"
          className={styles.seal}
          disabled={!row.call_id || pending}
          onClick={() => onInspect(row)}
          title={pending ? undefined : 'What did the model see?'}
        >
          <Seal state={sealState(row.outcome)} />
          <span>{sealLine(row, model)}</span>
          <span className="visually-hidden">: what did the model see?</span>
        </button>
        {!pending && row.content && (
          <IconButton
            small
            label="Copy message"
            className={last ? '' : styles.onHover}
            onClick={() => void copyText(row.content)}
          >
            <CopyIcon />
          </IconButton>
        )}
      </div>
    </>
  );
}
