/**
 * A text exactly as it is, in parts where it is long: a browser that has to lay out a megabyte at once stands still.
 */
import { useState } from 'react';

import { Button } from '../../ui/Button.jsx';
import styles from './LongText.module.css';
import { partsOf } from './parts.js';

const PART_CHARACTERS = 24_000;

/** @param {{text: string, label: string}} props */
export function LongText({ text, label }) {
  const [wanted, setWanted] = useState(0);
  const parts = partsOf(text, PART_CHARACTERS);
  const index = Math.min(wanted, parts.length - 1);
  return (
    <div className={styles.longText}>
      {parts.length > 1 && (
        <div className={styles.parts}>
          <Button kind="quiet" disabled={index === 0} onClick={() => setWanted(index - 1)}>
            Previous part
          </Button>
          <span>
            Part {index + 1} of {parts.length}
          </span>
          <Button kind="quiet" disabled={index === parts.length - 1} onClick={() => setWanted(index + 1)}>
            Next part
          </Button>
        </div>
      )}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <pre key={index} tabIndex={0} role="region" aria-label={label}>
        {parts[index]}
      </pre>
    </div>
  );
}
