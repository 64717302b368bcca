/**
 * What another program brought along that neither a person nor a model said: a system prompt, or what a tool gave back.
 * Folded, since it is seldom what one reads a conversation for.
 */
import { VersionSwitcher } from '../branches/VersionSwitcher.jsx';
import styles from './Message.module.css';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/** @type {Partial<Record<TranscriptRow['role'], string>>} */
const NAMES = { system: 'System prompt', tool: 'Answer of a tool' };

/** @param {{row: TranscriptRow} & Partial<import('./Message.jsx').Placed>} props onSwitch: only where branches can be chosen */
export function BroughtMessage({ row, linked, setSize, position, onSwitch }) {
  const name = NAMES[row.role] ?? row.role;
  return (
    <article
      aria-label={name}
      aria-setsize={setSize}
      aria-posinset={position}
      tabIndex={-1}
      className={linked ? `${styles.brought} ${styles.linked}` : styles.brought}
    >
      <details className={styles.reasoning}>
        <summary>{name}, brought along by another program</summary>
        <div>{row.content || 'No text'}</div>
      </details>
      {onSwitch && <VersionSwitcher row={row} onSwitch={onSwitch} />}
    </article>
  );
}
