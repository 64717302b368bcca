/** The foot of the search: where to look, and which filters there are. Pressing one writes it into the text. */
import { useId, useState } from 'react';

import { CheckIcon, ChevronIcon } from '../../ui/icons.jsx';
import { filtersOf } from './filters.js';
import styles from './Narrowing.module.css';

/**
 * @param {{
 *   onFilter: (filter: string) => void,
 *   onlyHere: boolean|null,
 *   onOnlyHere: (only: boolean) => void,
 * }} props onlyHere: null where no conversation is on screen
 */
export function Narrowing({ onFilter, onlyHere, onOnlyHere }) {
  const id = useId();
  const [open, setOpen] = useState(false);
  return (
    <div className={styles.foot}>
      <div className={styles.bar}>
        <button type="button" className={styles.toggle} aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
          <ChevronIcon />
          Filters
        </button>
        {onlyHere !== null && (
          <button type="button" className={styles.here} aria-pressed={onlyHere} onClick={() => onOnlyHere(!onlyHere)}>
            <span className={styles.box}>{onlyHere && <CheckIcon />}</span>
            This conversation only
          </button>
        )}
      </div>
      <div id={id} hidden={!open}>
        <ul className={styles.filters}>
          {filtersOf(new Date()).map(({ example, insert, meaning }) => (
            <li key={insert}>
              <button type="button" className={styles.filter} onClick={() => onFilter(insert)}>
                {example}
              </button>
              <span>{meaning}</span>
            </li>
          ))}
        </ul>
        <p className={styles.hint}>
          <code>&quot;two words&quot;</code> finds them side by side, <code>-word</code> leaves out, <code>wor*</code>{' '}
          finds a beginning.
        </p>
      </div>
    </div>
  );
}
