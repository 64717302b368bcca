/** The form for logging in and for signing up: the same fields, with the server's errors beside them. */
import { useState } from 'react';

import { fetchMe, logIn, signUp } from '../api/account.js';
import { Problem, asProblem, messageWithWait } from '../api/problems.js';
import { Button } from '../ui/Button.jsx';
import { Field, Notice, useFocusOnError } from '../ui/Field.jsx';
import styles from './AuthPage.module.css';
import { CodeForm } from './CodeForm.jsx';
import { tellOtherWindows } from './otherWindows.js';

/** @typedef {import('../api/types.js').Me} Me */

const SHORTEST_PASSWORD = 8;

/**
 * A refused sign-up comes without a reason; which one it is follows from what was asked.
 * @param {Problem} problem
 * @param {boolean} signingUp
 * @param {boolean} gaveCode
 */
function explain(problem, signingUp, gaveCode) {
  if (!signingUp || problem.status !== 403) return problem;
  const { status, code } = problem;
  if (!gaveCode) return new Problem({ status, code, message: 'New accounts are closed here. Ask the administrator to add you.' });
  const message = 'This is not the code that was printed at the start. Copy it again from there.';
  return new Problem({ status, code, message, fields: { setup_code: [message] } });
}

/**
 * @param {{
 *   mode: 'login'|'signup',
 *   setupCodeRequired?: boolean,
 *   email?: string,
 *   onDone: (user: Me) => void,
 * }} props
 */
export function AccountForm({ mode, setupCodeRequired = false, email = '', onDone }) {
  const [problem, setProblem] = useState(/** @type {Problem|null} */ (null));
  const [busy, setBusy] = useState(false);
  const [codeAsked, setCodeAsked] = useState(false);
  const formRef = useFocusOnError(problem);
  const signingUp = mode === 'signup';

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const form = new FormData(event.currentTarget);
    const fields = {
      email: String(form.get('email') ?? '').trim(),
      password: String(form.get('password') ?? ''),
      setupCode: String(form.get('setup_code') ?? '').trim(),
    };
    setBusy(true);
    setProblem(null);
    try {
      await (signingUp ? signUp(fields) : logIn(fields));
      const user = await fetchMe();
      if (!user) return;
      tellOtherWindows('in');
      onDone(user);
    } catch (error) {
      const refused = asProblem(error);
      if (refused.code === 'second_factor') setCodeAsked(true);
      else setProblem(explain(refused, signingUp, fields.setupCode !== ''));
    } finally {
      setBusy(false);
    }
  };

  if (codeAsked) return <CodeForm onDone={onDone} onBack={() => setCodeAsked(false)} />;
  const errors = problem?.fields ?? {};
  const shownBesideField = ['email', 'password', 'setup_code'].some((name) => errors[name]);
  return (
    <form ref={formRef} className={styles.form} onSubmit={(event) => void onSubmit(event)}>
      {problem && !shownBesideField && problem.code !== 'verify_email' && <Notice>{messageWithWait(problem)}</Notice>}
      {problem?.code === 'verify_email' && (
        <div role="status">
          <Notice tone="calm">{problem.message}</Notice>
        </div>
      )}
      <Field
        label="Email"
        name="email"
        type="email"
        autoComplete={signingUp ? 'email' : 'username'}
        required
        defaultValue={email}
        errors={errors.email}
        // eslint-disable-next-line jsx-a11y/no-autofocus -- the only thing to do on this page
        autoFocus={!email}
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete={signingUp ? 'new-password' : 'current-password'}
        required
        minLength={signingUp ? SHORTEST_PASSWORD : undefined}
        hint={signingUp ? `At least ${SHORTEST_PASSWORD} characters, and not one that is easy to guess.` : undefined}
        errors={errors.password}
        // eslint-disable-next-line jsx-a11y/no-autofocus -- the email is known already
        autoFocus={Boolean(email)}
      />
      {signingUp && setupCodeRequired && (
        <Field
          label="Setup code"
          name="setup_code"
          autoComplete="one-time-code"
          required
          hint="Printed where Verbatim was started, once, for the first account."
          errors={errors.setup_code}
        />
      )}
      <Button kind="primary" type="submit" disabled={busy} className={styles.submit}>
        {busy ? 'One moment…' : signingUp ? 'Create account' : 'Log in'}
      </Button>
    </form>
  );
}
