/** Settings of the person who is logged in: theme, presets, tokens, who read their words, password, leaving. */
import { useState, useSyncExternalStore } from 'react';
import { Link } from 'react-router';

import { changePassword } from '../../api/account.js';
import { asProblem } from '../../api/problems.js';
import { ScrollingPage } from '../../app/ScrollingPage.jsx';
import { loadSession, useSession } from '../../auth/session.js';
import { useLogOut } from '../../auth/useLogOut.js';
import { Button } from '../../ui/Button.jsx';
import { Field, Notice, useFocusOnError } from '../../ui/Field.jsx';
import { showToast } from '../../ui/toasts.jsx';
import { AuditReadsSection } from './AuditReadsSection.jsx';
import { DeleteAccount } from './DeleteAccount.jsx';
import { PresetsSection } from './PresetsSection.jsx';
import styles from './SettingsPage.module.css';
import { chooseTheme, subscribeToTheme, themeChoice } from './theme.js';

/** @typedef {import('./theme.js').ThemeChoice} ThemeChoice */

export default function SettingsPage() {
  const user = useSession((session) => session.user);
  const logOut = useLogOut();
  return (
    <ScrollingPage documentTitle="Settings" className={styles.column}>
      <h1>Settings</h1>
      <section className={styles.section} aria-labelledby="settings-look">
        <h2 id="settings-look">Appearance</h2>
        <ThemePicker />
      </section>
      <section className={styles.section} aria-labelledby="settings-presets">
        <h2 id="settings-presets">Presets</h2>
        <PresetsSection />
      </section>
      <section className={styles.section} aria-labelledby="settings-account">
        <h2 id="settings-account">Account</h2>
        <dl className={styles.facts}>
          <dt>Name</dt>
          <dd>{user?.display_name || 'Not set'}</dd>
          <dt>Email</dt>
          <dd>{user?.email}</dd>
          {user?.is_staff && (
            <>
              <dt>Role</dt>
              <dd>Administrator</dd>
            </>
          )}
          {user?.is_auditor && !user.is_staff && (
            <>
              <dt>Role</dt>
              <dd>Auditor</dd>
            </>
          )}
        </dl>
      </section>
      {user?.is_staff && (
        <section className={styles.section} aria-labelledby="settings-people">
          <h2 id="settings-people">People</h2>
          <p className={styles.about}>Who may come in, who is an auditor, and who is an administrator.</p>
          <Link className={styles.to} to="/settings/people">
            Manage people
          </Link>
        </section>
      )}
      <section className={styles.section} aria-labelledby="settings-tokens">
        <h2 id="settings-tokens">API tokens</h2>
        <p className={styles.about}>With a token, another program can use the models here, in your name and on record.</p>
        <Link className={styles.to} to="/settings/tokens">
          Manage API tokens
        </Link>
      </section>
      <section className={styles.section} aria-labelledby="settings-reads">
        <h2 id="settings-reads">Who read my content</h2>
        <AuditReadsSection />
      </section>
      <section className={styles.section} aria-labelledby="settings-password">
        <h2 id="settings-password">Password</h2>
        <PasswordForm email={user?.email ?? ''} hasPassword={user?.has_password ?? true} />
      </section>
      <section className={styles.section} aria-labelledby="settings-access">
        <h2 id="settings-access">Log-in</h2>
        <p className={styles.about}>A second factor, and log-in through another service where there is one.</p>
        <Link className={styles.to} to="/settings/log-in">
          Protect your log-in
        </Link>
      </section>
      <section className={styles.section} aria-labelledby="settings-leave">
        <h2 id="settings-leave">This browser</h2>
        <p className={styles.about}>Drafts and the theme are kept here. Your conversations stay on the server.</p>
        <Button onClick={() => void logOut()}>Log out</Button>
      </section>
      <section className={styles.section} aria-labelledby="settings-delete">
        <h2 id="settings-delete">Leave for good</h2>
        <DeleteAccount />
      </section>
    </ScrollingPage>
  );
}

/** @type {{value: ThemeChoice, label: string}[]} */
const THEMES = [
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
  { value: 'system', label: 'System' },
];

function ThemePicker() {
  const choice = useSyncExternalStore(subscribeToTheme, themeChoice);
  return (
    <fieldset className={styles.themes}>
      <legend className="visually-hidden">Theme</legend>
      {THEMES.map(({ value, label }) => (
        <label key={value}>
          <input
            type="radio"
            name="theme"
            value={value}
            checked={choice === value}
            onChange={() => chooseTheme(value)}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** @param {{email: string, hasPassword: boolean}} props hasPassword: false where somebody only logs in through another service */
function PasswordForm({ email, hasPassword }) {
  const [problem, setProblem] = useState(/** @type {import('../../api/problems.js').Problem|null} */ (null));
  const [busy, setBusy] = useState(false);
  const formRef = useFocusOnError(problem);

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    const element = event.currentTarget;
    const form = new FormData(element);
    setBusy(true);
    setProblem(null);
    try {
      await changePassword({
        currentPassword: String(form.get('current_password') ?? ''),
        newPassword: String(form.get('new_password') ?? ''),
      });
      element.reset();
      showToast({ text: hasPassword ? 'Your password is changed.' : 'You have a password now.' });
      if (!hasPassword) await loadSession();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };

  const errors = problem?.fields ?? {};
  const besideField = Boolean(errors.current_password || errors.new_password);
  return (
    <form ref={formRef} className={styles.form} onSubmit={(event) => void onSubmit(event)}>
      {problem && !besideField && <Notice>{problem.message}</Notice>}
      <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />
      {hasPassword ? (
        <Field
          label="Current password"
          name="current_password"
          type="password"
          autoComplete="current-password"
          required
          errors={errors.current_password}
        />
      ) : (
        <p className={styles.about}>You log in through another service. With a password you can also log in without it.</p>
      )}
      <Field
        label="New password"
        name="new_password"
        type="password"
        autoComplete="new-password"
        required
        minLength={8}
        hint="At least 8 characters, and not one that is easy to guess."
        errors={errors.new_password}
      />
      <Button kind="primary" type="submit" disabled={busy} className={styles.submit}>
        {busy ? 'One moment…' : hasPassword ? 'Change password' : 'Set a password'}
      </Button>
    </form>
  );
}
