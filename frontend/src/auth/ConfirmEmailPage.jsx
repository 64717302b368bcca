/** Where the link in a mail leads that confirms an address. Opening it changes nothing, since programs open links too. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';

import { confirmEmail, fetchEmailLink } from '../api/access.js';
import { asProblem } from '../api/problems.js';
import { Button } from '../ui/Button.jsx';
import { Notice } from '../ui/Field.jsx';
import { showToast } from '../ui/toasts.jsx';
import { AuthCard } from './AuthCard.jsx';
import styles from './AuthPage.module.css';
import { loadSession } from './session.js';

/** @typedef {import('../api/problems.js').Problem} Problem */

const WORN_OUT =
  'This link does not work any more: the address is confirmed already, the link is older than three days, or it was not copied in full. ' +
  'Log in; if the address still has to be confirmed, another link is sent.';

/** @param {Problem} problem */
const wordsFor = (problem) => (problem.fields.key ? WORN_OUT : problem.message);

export default function ConfirmEmailPage() {
  const { key = '' } = useParams();
  const navigate = useNavigate();
  const link = useQuery({ queryKey: ['email-link', key], queryFn: () => fetchEmailLink(key), retry: false, gcTime: 0 });
  const [problem, setProblem] = useState(/** @type {Problem|null} */ (null));
  const [busy, setBusy] = useState(false);

  const onConfirm = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await confirmEmail(key);
      const user = await loadSession();
      navigate(user ? '/' : '/login', { replace: true });
      showToast({ text: user ? 'Your address is confirmed.' : 'Your address is confirmed. Log in with it.' });
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };

  const refused = problem ?? (link.isError ? asProblem(link.error) : null);
  return (
    <AuthCard heading="Confirm your email address" title="Confirm address">
      {refused && (
        <div className={styles.answer}>
          <Notice>{wordsFor(refused)}</Notice>
        </div>
      )}
      {link.data && !problem?.fields.key && (
        <>
          <p className={styles.lead}>{link.data.email}</p>
          <div className={styles.form}>
            <Button kind="primary" disabled={busy} className={styles.submit} onClick={() => void onConfirm()}>
              {busy ? 'One moment…' : 'This is my address'}
            </Button>
          </div>
        </>
      )}
      <p className={styles.other}>
        <Link to="/login">Log in</Link>
      </p>
    </AuthCard>
  );
}
