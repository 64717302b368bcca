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
