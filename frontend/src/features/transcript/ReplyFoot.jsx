/** What stands below a reply: how it ended where that is not simply "complete", its seals, and what can be done with it. */
import { Button, IconButton } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { CopyIcon, RetryIcon } from '../../ui/icons.jsx';
import { Seal } from '../../ui/Marks.jsx';
import { MessageMenu } from '../branches/MessageMenu.jsx';
import { VersionSwitcher } from '../branches/VersionSwitcher.jsx';
import { useModels } from '../composer/models.js';
import { joinedText } from './items.js';
import styles from './Message.module.css';
import { outcomeNote, sealLine, sealState } from './seal.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('./Reply.jsx').ReplyProps} ReplyProps */

/** @param {TranscriptRow} row */
function endedTooEarly(row) {
  return row.content !== '' && ['truncated', 'interrupted', 'cancelled'].includes(row.outcome ?? '');
}

/** @param {ReplyProps} props */
export function ReplyFoot({ rows, nameOf, last, busy, actions, onInspect, onSwitch }) {
  const first = /** @type {TranscriptRow} */ (rows[0]);
  const end = /** @type {TranscriptRow} */ (rows.at(-1));
  const pending = end.outcome === 'pending';
  const text = joinedText(rows);
  const quiet = last ? '' : styles.onHover;
  return (
    <>
      <HowItEnded row={end} last={last} busy={busy} actions={actions} />
      <div className={styles.foot}>
        {rows.map((row) => (
          <span key={row.parent_id} className={styles.part}>
            <SealLine row={row} model={nameOf(row.model)} onInspect={onInspect} />
            <VersionSwitcher row={row} onSwitch={onSwitch} />
          </span>
        ))}
        {!pending && (
          <span className={styles.part}>
            {text && (
              <IconButton small label="Copy message" className={quiet} onClick={() => void copyText(text)}>
                <CopyIcon />
              </IconButton>
            )}
            <IconButton
              small
              label="Regenerate"
              className={quiet}
              disabled={busy}
              onClick={() => void actions.regenerate(first)}
            >
              <RetryIcon />
            </IconButton>
            <MessageMenu
              row={first}
              last={end}
              busy={busy}
              canContinue={endedTooEarly(end)}
              actions={actions}
              className={quiet}
            />
          </span>
        )}
      </div>
    </>
  );
}

/** @param {{row: TranscriptRow, model: string, onInspect: (row: TranscriptRow) => void}} props */
function SealLine({ row, model, onInspect }) {
  const pending = row.outcome === 'pending';
  // No call of ours made it: there is nothing to prove, and no seal.
  if (row.call_id === null) return <span className={styles.seal}>{sealLine(row, model)}</span>;
  return (
    <button
      type="button"
      className={styles.seal}
      disabled={pending}
      onClick={() => onInspect(row)}
      title={pending ? undefined : 'What did the model see?'}
    >
      <Seal state={sealState(row.outcome)} />
      <span>
        {row.continues && 'continued · '}
        {sealLine(row, model)}
      </span>
      <span className="visually-hidden">: what did the model see?</span>
    </button>
  );
}

/** @param {{row: TranscriptRow, last: boolean, busy: boolean, actions: ReplyProps['actions']}} props */
function HowItEnded({ row, last, busy, actions }) {
  const note = outcomeNote(row);
  if (!note) return null;
  const failed = row.outcome === 'failed';
  const overflow = row.error?.code === 'context_overflow';
  return (
    <div className={`${styles.note} ${failed ? styles.failed : styles.cut}`}>
      <p>
        {failed && <strong>{note.title}</strong>}
        {note.detail}
      </p>
      {(last || failed) && (
        <div className={styles.ways}>
          {endedTooEarly(row) && (
            <Button disabled={busy} onClick={() => void actions.goOn(row)}>
              Continue
            </Button>
          )}
          {overflow && (
            <Button disabled={busy} onClick={() => void actions.regenerate(row, { tighter_cut: true })}>
              <RetryIcon />
              Retry with fewer earlier messages
            </Button>
          )}
          {!overflow && (
            <Button disabled={busy} onClick={() => void actions.regenerate(row)}>
              <RetryIcon />
              Retry
            </Button>
          )}
          {failed && <OtherModel row={row} busy={busy} actions={actions} />}
        </div>
      )}
    </div>
  );
}

/**
 * Where there is another model to choose at all.
 * @param {{row: TranscriptRow, busy: boolean, actions: ReplyProps['actions']}} props
 */
function OtherModel({ row, busy, actions }) {
  const models = useModels();
  const another = (models.data?.results ?? []).filter((model) => model.reachable).length > 1;
  if (!another) return null;
  return (
    <Button disabled={busy} onClick={() => actions.askWhatDiffers(row)}>
      Choose another model
    </Button>
  );
}
