/** What stands in a reply's place until its first word: two lines at most, always in the same place. */
import { useEffect, useSyncExternalStore } from 'react';

import { severalRunners, useModels } from '../composer/models.js';
import styles from './WaitingNote.module.css';
import { liveText } from './liveText.js';
import { waitWords } from './waiting.js';

/** @typedef {import('./liveText.js').LiveText} LiveText */

/** @param {() => void} listener */
function everySecond(listener) {
  const timer = setInterval(listener, 1000);
  return () => clearInterval(timer);
}
const never = () => () => undefined;
const toHalfSecond = () => Math.floor(Date.now() / 500) * 500;

/** The time while somebody counts. @param {boolean} counting */
const useNow = (counting) => useSyncExternalStore(counting ? everySecond : never, toHalfSecond);

/** @param {{replyId: string, live: LiveText}} props */
export function WaitingNote({ replyId, live }) {
  const models = useModels();
  const { wait, told, stopping } = live;
  const now = useNow(wait.retryAt !== null);
  useEffect(() => liveText.watch(replyId), [replyId]);

  const words = waitWords(wait, { severalRunners: severalRunners(models.data), now });
  return (
    <div className={told ? `${styles.waiting} ${styles.told}` : styles.waiting}>
      <p className={styles.title}>
        <span className={styles.dots} aria-hidden="true">
          <i />
          <i />
          <i />
        </span>
        {stopping ? 'Stopping…' : words.title}
      </p>
      {!stopping && words.detail && <p className={styles.detail}>{words.detail}</p>}
      {!stopping && wait.stage === 'reading' && wait.percent !== null && (
        <div
          className={styles.bar}
          role="progressbar"
          aria-label="Reading the conversation"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={wait.percent}
        >
          <span style={{ inlineSize: `${wait.percent}%` }} />
        </div>
      )}
    </div>
  );
}
