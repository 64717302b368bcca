/** For those who do not know their password: a link by mail, or, where no mail is sent, whom to ask. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';

import { requestPasswordLink } from '../api/access.js';
import { fetchSetup } from '../api/account.js';
import { asProblem, messageWithWait } from '../api/problems.js';
import { keys } from '../app/cache.js';
import { Button } from '../ui/Button.jsx';
import { Field, Notice, useFocusOnError } from '../ui/Field.jsx';
import { AuthCard } from './AuthCard.jsx';
import styles from './AuthPage.module.css';

export default function LostPasswordPage() {
  const setup = useQuery({ queryKey: keys.setup, queryFn: fetchSetup });
  return (
    <AuthCard heading="Forgot your password?" title="Forgotten password">
      {setup.isError && <Notice>{asProblem(setup.error).message}</Notice>}
      {setup.data?.mail && <RequestForm />}
      {setup.data?.mail === false && (
        <p className={styles.lead}>
          No mail is sent from here. Ask an administrator for a link: they make it in Settings, under People, and with it you choose a new password.
        </p>
      )}
      <p className={styles.other}>
        <Link to="/login">Back to log in</Link>
      </p>
    </AuthCard>
  );
}

function RequestForm() {
  const [problem, setProblem] = useState(/** @type {import('../api/problems.js').Problem|null} */ (null));
  const [busy, setBusy] = useState(false);
  const [sentTo, setSentTo] = useState('');
  const formRef = useFocusOnError(problem);

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const email = String(new FormData(event.currentTarget).get('email') ?? '').trim();
    setBusy(true);
    setProblem(null);
    setSentTo('');
    try {
      await requestPasswordLink(email);
      setSentTo(email);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <p className={styles.lead}>We send you a link with which you choose a new one.</p>
      <form ref={formRef} className={styles.form} onSubmit={(event) => void onSubmit(event)}>
        {problem && !problem.fields.email && <Notice>{messageWithWait(problem)}</Notice>}
        <Field
          label="Email"
          name="email"
          type="email"
          autoComplete="username"
          required
          errors={problem?.fields.email}
          // eslint-disable-next-line jsx-a11y/no-autofocus -- the only thing to do on this page
          autoFocus
        />
        <Button kind="primary" type="submit" disabled={busy} className={styles.submit}>
          {busy ? 'One moment…' : sentTo ? 'Send it again' : 'Send the link'}
        </Button>
        <div role="status">
          {sentTo && (
            <Notice tone="calm">
              A mail is on its way to {sentTo}. Its link works once, for a day. If none comes, look among unwanted mail, and whether it is the right address.
            </Notice>
          )}
        </div>
      </form>
    </>
  );
}
