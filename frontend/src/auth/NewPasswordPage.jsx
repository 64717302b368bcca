/** Where a link for a new password leads, handed over by an administrator or mailed: choose one, then log in. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';

import { fetchPasswordLink, setPasswordByLink } from '../api/access.js';
import { asProblem } from '../api/problems.js';
import { Button } from '../ui/Button.jsx';
import { Field, Notice, useFocusOnError } from '../ui/Field.jsx';
import { showToast } from '../ui/toasts.jsx';
import { AuthCard } from './AuthCard.jsx';
import styles from './AuthPage.module.css';
import { loadSession } from './session.js';

/** @typedef {import('../api/problems.js').Problem} Problem */

const WORN_OUT = 'This link does not work any more: it was used, is older than a day, or was not copied in full. Ask for a new one.';

/** @param {Problem} problem */
const isWornOut = (problem) => problem.code === 'invalid_password_reset' || Boolean(problem.fields.key);

export default function NewPasswordPage() {
  const { key = '' } = useParams();
  const link = useQuery({ queryKey: ['password-link', key], queryFn: () => fetchPasswordLink(key), retry: false, gcTime: 0 });
  const [wornOut, setWornOut] = useState(false);

  const refused = link.isError ? asProblem(link.error) : null;
  const message = wornOut || (refused && isWornOut(refused)) ? WORN_OUT : refused?.message;
  return (
    <AuthCard heading="Choose a new password" title="New password">
      {message ? (
        <>
          <p className={styles.lead}>Nothing was changed.</p>
          <Notice>{message}</Notice>
          <p className={styles.other}>
            <Link to="/login">Log in</Link>
          </p>
        </>
      ) : (
        link.data && (
          <>
            <p className={styles.lead}>For {link.data.email}. You are logged out everywhere, and log in with it.</p>
            <NewPasswordForm linkKey={key} email={link.data.email} onWornOut={() => setWornOut(true)} />
          </>
        )
      )}
    </AuthCard>
  );
}

/** @param {{linkKey: string, email: string, onWornOut: () => void}} props */
function NewPasswordForm({ linkKey, email, onWornOut }) {
  const navigate = useNavigate();
  const [problem, setProblem] = useState(/** @type {Problem|null} */ (null));
  const [busy, setBusy] = useState(false);
  const formRef = useFocusOnError(problem);

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const password = String(new FormData(event.currentTarget).get('new_password') ?? '');
    setBusy(true);
    setProblem(null);
    try {
      await setPasswordByLink({ key: linkKey, password });
      // Whoever was logged in here with the old password is not any more.
      await loadSession();
      navigate('/login', { replace: true });
      showToast({ text: 'Your new password is set. Log in with it.' });
    } catch (error) {
      const refused = asProblem(error);
      if (isWornOut(refused)) onWornOut();
      else setProblem(refused);
      setBusy(false);
    }
  };

  const errors = problem?.fields.password;
  return (
    <form ref={formRef} className={styles.form} onSubmit={(event) => void onSubmit(event)}>
      {problem && !errors && <Notice>{problem.message}</Notice>}
      <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />
      <Field
        label="New password"
        name="new_password"
        type="password"
        autoComplete="new-password"
        required
        minLength={8}
        hint="At least 8 characters, and not one that is easy to guess."
        errors={errors}
        // eslint-disable-next-line jsx-a11y/no-autofocus -- the only thing to do on this page
        autoFocus
      />
      <Button kind="primary" type="submit" disabled={busy} className={styles.submit}>
        {busy ? 'One moment…' : 'Set password'}
      </Button>
    </form>
  );
}
