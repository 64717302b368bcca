<<<<<<< HEAD
/**
 * What another program brought along that neither a person nor a model said: a system prompt, or what a tool gave back.
 * Folded, since it is seldom what one reads a conversation for.
 */
import styles from './Message.module.css';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/** @type {Partial<Record<TranscriptRow['role'], string>>} */
const NAMES = { system: 'System prompt', tool: 'Answer of a tool' };

/** @param {{row: TranscriptRow, setSize?: number, position?: number}} props */
export function BroughtMessage({ row, setSize, position }) {
  const name = NAMES[row.role] ?? row.role;
  return (
    <article aria-label={name} aria-setsize={setSize} aria-posinset={position} tabIndex={-1} className={styles.brought}>
      <details className={styles.reasoning}>
        <summary>{name}, brought along by another program</summary>
        <div>{row.content || 'No text'}</div>
      </details>
    </article>
  );
}
=======
/** A message that a program brought along which is neither the person's nor a model's: an instruction, or what a tool gave. */
import { memo } from 'react';

import { IconButton } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { CopyIcon } from '../../ui/icons.jsx';
import { VersionSwitcher } from '../branches/VersionSwitcher.jsx';
import styles from './BroughtMessage.module.css';
import { nameOfRole } from './roles.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

export const BroughtMessage = memo(
  /** @param {Pick<import('./Message.jsx').Placed, 'linked'|'setSize'|'position'|'onSwitch'> & {row: TranscriptRow}} props */
  function BroughtMessage({ row, linked, setSize, position, onSwitch }) {
    const name = nameOfRole(row.role);
    return (
      <article
        className={linked ? `${styles.brought} ${styles.linked}` : styles.brought}
        aria-label={name}
        aria-setsize={setSize}
        aria-posinset={position}
        tabIndex={-1}
      >
        <h2 className={styles.name}>{name}</h2>
        <div className={styles.text}>{row.content || 'No text'}</div>
        <div className={styles.foot}>
          <span>From another tool</span>
          {row.content && (
            <IconButton small label="Copy message" onClick={() => void copyText(row.content)}>
              <CopyIcon />
            </IconButton>
          )}
          <VersionSwitcher row={row} onSwitch={onSwitch} />
        </div>
      </article>
    );
  },
);
>>>>>>> origin/i5-openai
