/** The second step of logging in, for those who have a second factor: a code of the app, or a recovery code. */
import { useState } from 'react';

import { fetchMe, logInWithCode } from '../api/account.js';
import { asProblem } from '../api/problems.js';
import { Button } from '../ui/Button.jsx';
import { Field, Notice, useFocusOnError } from '../ui/Field.jsx';
import styles from './AuthPage.module.css';
import { tellOtherWindows } from './otherWindows.js';

/** @param {{onDone: (user: import('../api/types.js').Me) => void, onBack: () => void}} props */
export function CodeForm({ onDone, onBack }) {
  const [problem, setProblem] = useState(/** @type {import('../api/problems.js').Problem|null} */ (null));
  const [busy, setBusy] = useState(false);
  const formRef = useFocusOnError(problem);

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const code = String(new FormData(event.currentTarget).get('code') ?? '').replaceAll(/\s/g, '');
    setBusy(true);
    setProblem(null);
    try {
      await logInWithCode(code);
      const user = await fetchMe();
      // The first step has worn out meanwhile.
      if (!user) return onBack();
      tellOtherWindows('in');
      onDone(user);
    } catch (error) {
      const refused = asProblem(error);
      if (refused.status === 401) return onBack();
      setProblem(refused);
    } finally {
      setBusy(false);
    }
    return undefined;
  };

  const errors = problem?.fields.code;
  return (
    <form ref={formRef} className={styles.form} onSubmit={(event) => void onSubmit(event)}>
      {problem && !errors && <Notice>{problem.message}</Notice>}
      <Field
        label="Code"
        name="code"
        inputMode="numeric"
        autoComplete="one-time-code"
        required
        hint="Your authenticator app shows it. Without your phone, give one of your recovery codes; without those, ask an administrator."
        errors={errors}
        // eslint-disable-next-line jsx-a11y/no-autofocus -- the only thing to do now
        autoFocus
      />
      <Button kind="primary" type="submit" disabled={busy} className={styles.submit}>
        {busy ? 'One moment…' : 'Log in'}
      </Button>
      <Button kind="quiet" onClick={onBack}>
        Back
      </Button>
    </form>
  );
}
