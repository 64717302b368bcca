/** A message of the person: a tinted bubble, or the place where another version of it is written. */
import { memo, useRef } from 'react';

import { IconButton } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { CopyIcon, PencilIcon } from '../../ui/icons.jsx';
import { MessageEditor } from '../branches/MessageEditor.jsx';
import { MessageMenu } from '../branches/MessageMenu.jsx';
import { VersionSwitcher } from '../branches/VersionSwitcher.jsx';
import { beginEdit, endEdit, useEdit } from '../branches/edits.js';
import styles from './Message.module.css';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../branches/useMessageActions.js').MessageActions} MessageActions */

/** @param {string} at RFC 3339 */
const timeOf = (at) =>
  new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });

/**
 * @typedef {object} Placed what every message in the list is told
 * @property {boolean} busy an action is on its way
 * @property {boolean} linked the address names this message
 * @property {number} setSize
 * @property {number} position
 * @property {MessageActions} actions
 * @property {(versionId: string, button: HTMLElement) => void} onSwitch
 */

export const UserMessage = memo(
  /** @param {Placed & {row: TranscriptRow}} props */
  function UserMessage({ row, busy, linked, setSize, position, actions, onSwitch }) {
    const edit = useEdit(row.id);
    /** @type {import('react').RefObject<HTMLElement|null>} */
    const article = useRef(null);

    const cancel = () => {
      endEdit(row.id);
      // The button comes back with the next drawing of the message; the focus goes back to it.
      requestAnimationFrame(() => {
        const button = article.current?.querySelector('[data-edit]');
        if (button instanceof HTMLElement) button.focus();
      });
    };

    return (
      <article
        ref={article}
        className={linked ? `${styles.user} ${styles.linked}` : styles.user}
        aria-label="You"
        aria-setsize={setSize}
        aria-posinset={position}
        tabIndex={-1}
      >
        <h2 className="visually-hidden">You said</h2>
        {edit ? (
          <MessageEditor
            key={row.id}
            messageId={row.id}
            edit={edit}
            onSend={() => void actions.sendEdit(row)}
            onCancel={cancel}
          />
        ) : (
          <>
            <div className={styles.bubble}>{row.content}</div>
            <div className={styles.actions}>
              <time className={`${styles.time} ${styles.onHover}`} dateTime={row.at}>
                {timeOf(row.at)}
              </time>
              <IconButton
                small
                label="Edit"
                data-edit
                className={styles.onHover}
                onClick={() => beginEdit(row.id, row.content)}
              >
                <PencilIcon />
              </IconButton>
              <IconButton
                small
                label="Copy message"
                className={styles.onHover}
                onClick={() => void copyText(row.content)}
              >
                <CopyIcon />
              </IconButton>
              <MessageMenu row={row} busy={busy} actions={actions} className={styles.onHover} />
              <VersionSwitcher row={row} onSwitch={onSwitch} />
            </div>
          </>
        )}
      </article>
    );
  },
);

/** A message on its way to the server. @param {{content: string, setSize: number, position: number}} props */
export function SendingMessage({ content, setSize, position }) {
  return (
    <article className={styles.user} aria-label="You" aria-setsize={setSize} aria-posinset={position}>
      <h2 className="visually-hidden">You said</h2>
      <div className={`${styles.bubble} ${styles.sending}`}>{content}</div>
      <div className={styles.actions}>
        <span className={styles.time}>Sending…</span>
      </div>
    </article>
  );
}
