/** Goes through the versions of a message: each is the beginning of another branch, and all of them stay. */
import { useId } from 'react';

import { IconButton } from '../../ui/Button.jsx';
import { NextIcon, PreviousIcon } from '../../ui/icons.jsx';
import styles from './VersionSwitcher.module.css';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/**
 * At the ends the button stays what can have the focus: a disabled one would lose it.
 * @param {{
 *   row: TranscriptRow,
 *   onSwitch: (versionId: string, button: HTMLElement) => void,
 * }} props
 */
export function VersionSwitcher({ row, onSwitch }) {
  const id = useId();
  if (row.sibling_count < 2) return null;
  /** @param {number} place */
  const button = (place) => {
    const version = row.sibling_ids[place];
    return {
      'aria-disabled': version === undefined || undefined,
      'aria-describedby': id,
      className: version === undefined ? styles.end : '',
      onClick: (/** @type {import('react').MouseEvent<HTMLElement>} */ event) => {
        if (version !== undefined) onSwitch(version, event.currentTarget);
      },
    };
  };
  const label = `Version ${row.sibling_index + 1} of ${row.sibling_count}`;
  return (
    <div className={styles.switcher} role="group" aria-label={label}>
      <IconButton small label="Previous version" {...button(row.sibling_index - 1)}>
        <PreviousIcon />
      </IconButton>
      <span className={styles.place} aria-hidden="true">
        {row.sibling_index + 1} / {row.sibling_count}
      </span>
      <span id={id} className="visually-hidden">
        {label}
      </span>
      <IconButton small label="Next version" {...button(row.sibling_index + 1)}>
        <NextIcon />
      </IconButton>
    </div>
  );
}
