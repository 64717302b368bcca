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
