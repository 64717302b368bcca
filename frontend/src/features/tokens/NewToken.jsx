/** The one moment in which a token can be read: right after it was made. Only this component's parent holds it. */
import { useEffect, useRef } from 'react';

import { Button } from '../../ui/Button.jsx';
import { CopyButton } from './CopyButton.jsx';
import styles from './TokensPage.module.css';

/** @param {{made: {name: string, token: string}, onDone: () => void}} props */
export function NewToken({ made, onDone }) {
  /** @type {import('react').RefObject<HTMLHeadingElement|null>} */
  const heading = useRef(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <section className={styles.made} aria-labelledby="made-token">
      <h2 id="made-token" ref={heading} tabIndex={-1}>
        “<bdi>{made.name}</bdi>” is made
      </h2>
      <p>
        <strong>Copy the token now. It will not be shown again.</strong> Whoever has it can do here what you can: keep it
        like a password.
      </p>
      <code className={styles.token} aria-label="The token" role="group">
        {made.token}
      </code>
      <div className={styles.actions}>
        <CopyButton kind="primary" text={made.token} what="token" wordy />
        <Button onClick={onDone}>Done</Button>
      </div>
    </section>
  );
}
