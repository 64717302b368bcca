/** Setting a second factor up: the app takes the secret, and a code of it shows that it did. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import { PICTURE, offerSecondFactor, prove, turnOnSecondFactor } from '../../api/access.js';
import { asProblem } from '../../api/problems.js';
import { useSession } from '../../auth/session.js';
import { Button } from '../../ui/Button.jsx';
import { Field, Notice, useFocusOnError } from '../../ui/Field.jsx';
import { CopyButton } from '../tokens/CopyButton.jsx';
import styles from './AccessPage.module.css';

/** @param {{onCancel: () => void, onDone: () => Promise<void>}} props */
export function SetUp({ onCancel, onDone }) {
  // Asked for once: each time the server is asked, the secret is another one.
  const offer = useQuery({
    queryKey: ['second-factor-offer'],
    queryFn: offerSecondFactor,
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  /** @type {import('react').RefObject<HTMLOListElement|null>} */
  const steps = useRef(null);
  const shown = offer.isSuccess;
  useEffect(() => {
    // The button that led here is gone.
    if (shown) steps.current?.focus();
  }, [shown]);
  if (offer.isError) {
    return (
      <div className={styles.trouble}>
        <Notice>{asProblem(offer.error).message}</Notice>
        <Button onClick={onCancel}>Cancel</Button>
      </div>
    );
  }
  if (!offer.data) return <p className={styles.about}>One moment…</p>;
  const { secret, link } = offer.data;
  return (
    <ol className={styles.steps} ref={steps} tabIndex={-1} aria-label="Setting up the second factor">
      <li>
        <p>Scan this with an authenticator app, such as the one of your password manager.</p>
        <img className={styles.picture} src={`${PICTURE}?at=${offer.dataUpdatedAt}`} alt="QR code of the secret below" width="200" height="200" />
        <p className={styles.about}>
          Or <a href={link}>open it in an app here</a>, or type this secret into one:
        </p>
        <code className={styles.secret} aria-label="The secret" role="group">
          {(secret.match(/.{1,4}/g) ?? []).join(' ')}
        </code>
        <CopyButton text={secret} what="secret" wordy />
      </li>
      <li>
        <p>The app now shows a code of six digits, and a new one every half minute.</p>
        <ConfirmForm onCancel={onCancel} onDone={onDone} />
      </li>
    </ol>
  );
}

/** @param {{onCancel: () => void, onDone: () => Promise<void>}} props */
function ConfirmForm({ onCancel, onDone }) {
  const user = useSession((session) => session.user);
  const [problem, setProblem] = useState(/** @type {import('../../api/problems.js').Problem|null} */ (null));
  const [busy, setBusy] = useState(false);
  const formRef = useFocusOnError(problem);
  const hasPassword = user?.has_password ?? true;

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem(null);
    try {
      if (hasPassword) await prove('password', String(form.get('password') ?? ''));
      await turnOnSecondFactor(String(form.get('code') ?? '').replaceAll(/\s/g, ''));
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
      return;
    }
    await onDone();
  };

  const errors = problem?.fields ?? {};
  return (
    <form ref={formRef} className={styles.form} onSubmit={(event) => void onSubmit(event)}>
      {problem && !errors.code && !errors.password && <Notice>{problem.message}</Notice>}
      {hasPassword && (
        <>
          <input type="text" name="username" autoComplete="username" value={user?.email ?? ''} readOnly hidden />
          <Field label="Your password" name="password" type="password" autoComplete="current-password" required errors={errors.password} />
        </>
      )}
      <Field label="Code" name="code" inputMode="numeric" autoComplete="one-time-code" required errors={errors.code} />
      <div className={styles.actions}>
        <Button kind="primary" type="submit" disabled={busy}>
          {busy ? 'One moment…' : 'Turn on'}
        </Button>
        <Button onClick={onCancel}>Cancel</Button>
      </div>
    </form>
  );
}
