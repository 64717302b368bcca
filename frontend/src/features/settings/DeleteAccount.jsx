/** Leaving for good: what goes and what stays is said before it is asked for, and the password decides. */
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { deleteMyAccount } from '../../api/account.js';
import { asProblem } from '../../api/problems.js';
import { tellOtherWindows } from '../../auth/otherWindows.js';
import { setUser, useSession } from '../../auth/session.js';
import { Button } from '../../ui/Button.jsx';
import { Dialog } from '../../ui/Dialog.jsx';
import { Field, Notice, useFocusOnError } from '../../ui/Field.jsx';
import { showToast } from '../../ui/toasts.jsx';
import styles from './SettingsPage.module.css';

export function DeleteAccount() {
  const [open, setOpen] = useState(false);
  return (
    <>
      <p className={styles.about}>You lose your way in at once, and nobody can give it back. What was recorded stays on record.</p>
      <Button kind="danger" onClick={() => setOpen(true)}>
        Delete my account…
      </Button>
      <Dialog open={open} onOpenChange={setOpen} title="Delete your account?" holdsForm>
        <WhatHappens />
        <LeaveForm onCancel={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

function WhatHappens() {
  return (
    <div className={styles.consequences}>
      <h3>This goes, and cannot be brought back</h3>
      <ul>
        <li>Your name, email address and password. The address is free for a new account.</li>
        <li>All sessions, API tokens, presets, and links to other services.</li>
        <li>Your conversations, for you and everybody who chats. Replies under way are stopped.</li>
      </ul>
      <h3>This stays</h3>
      <ul>
        <li>What was said, and every model call, under a number instead of your name. Auditors can still read it; each reading is recorded.</li>
        <li>Words are erased only by whoever runs this installation. If you want that, ask them before you go on.</li>
      </ul>
    </div>
  );
}

/** @param {{onCancel: () => void}} props */
function LeaveForm({ onCancel }) {
  const navigate = useNavigate();
  const user = useSession((session) => session.user);
  const [problem, setProblem] = useState(/** @type {import('../../api/problems.js').Problem|null} */ (null));
  const [busy, setBusy] = useState(false);
  const formRef = useFocusOnError(problem);
  const hasPassword = user?.has_password ?? true;

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const given = String(new FormData(event.currentTarget).get('proof') ?? '');
    setBusy(true);
    setProblem(null);
    try {
      await deleteMyAccount(hasPassword ? { password: given } : { confirm: given });
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
      return;
    }
    tellOtherWindows('out');
    setUser(null);
    navigate('/login', { replace: true });
    showToast({ text: 'Your account is deleted.' });
  };

  const errors = problem?.fields.password ?? problem?.fields.confirm;
  return (
    <form ref={formRef} className={styles.form} onSubmit={(event) => void onSubmit(event)}>
      {problem && !errors && <Notice>{problem.message}</Notice>}
      {hasPassword && <input type="text" name="username" autoComplete="username" value={user?.email ?? ''} readOnly hidden />}
      <Field
        key={hasPassword ? 'password' : 'confirm'}
        label={hasPassword ? 'Your password' : `Type ${user?.email ?? 'your email address'} to confirm`}
        name="proof"
        type={hasPassword ? 'password' : 'text'}
        autoComplete={hasPassword ? 'current-password' : 'off'}
        required
        errors={errors}
      />
      <div className={styles.actions}>
        <Button onClick={onCancel}>Cancel</Button>
        <Button kind="danger" type="submit" disabled={busy}>
          {busy ? 'One moment…' : 'Delete my account'}
        </Button>
      </div>
    </form>
  );
}
