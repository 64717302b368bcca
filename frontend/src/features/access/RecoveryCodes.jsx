/** The codes for a day without the phone: to read, to copy, to keep as a file. */
import { useEffect, useRef } from 'react';

import { Button } from '../../ui/Button.jsx';
import { saveText } from '../../ui/download.js';
import { CopyButton } from '../tokens/CopyButton.jsx';
import styles from './AccessPage.module.css';

/** @param {{codes: string[], onDone: () => void}} props */
export function RecoveryCodes({ codes, onDone }) {
  /** @type {import('react').RefObject<HTMLHeadingElement|null>} */
  const heading = useRef(null);
  useEffect(() => heading.current?.focus(), []);
  const text = codes.join('\n');
  return (
    <section className={styles.codes} aria-labelledby="recovery-codes">
      <h3 id="recovery-codes" ref={heading} tabIndex={-1}>
        Keep these recovery codes
      </h3>
      <p>
        <strong>Each gets you in once, in place of a code of your app.</strong> Put them where you find them when your phone is
        gone: into your password manager, or on paper. Without them only an administrator can help you in.
      </p>
      <ul aria-label="Recovery codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className={styles.actions}>
        <Button kind="primary" onClick={() => saveText(`Recovery codes for Verbatim at ${window.location.host}\n\n${text}\n`, 'verbatim-recovery-codes.txt')}>
          Save as a file
        </Button>
        <CopyButton text={text} what="codes" wordy />
        <Button onClick={onDone}>Done</Button>
      </div>
    </section>
  );
}
