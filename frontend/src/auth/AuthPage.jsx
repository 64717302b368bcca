/** The pages for logging in and signing up. After logging in, a person gets to the page they asked for. */
import { useQuery } from '@tanstack/react-query';
import { Link, Navigate, useLocation, useNavigate } from 'react-router';

import { fetchSetup } from '../api/account.js';
import { keys } from '../app/cache.js';
import { Notice } from '../ui/Field.jsx';
import { AccountForm } from './AccountForm.jsx';
import { AuthCard } from './AuthCard.jsx';
import styles from './AuthPage.module.css';
import { CodeForm } from './CodeForm.jsx';
import { ServiceLogIn, useServiceAnswer } from './ServiceLogIn.jsx';
import { setUser, useSession } from './session.js';

/** @param {{mode: 'login'|'signup'}} props */
export default function AuthPage({ mode }) {
  const navigate = useNavigate();
  const location = useLocation();
  const setup = useQuery({ queryKey: keys.setup, queryFn: fetchSetup });
  const signingUp = mode === 'signup';
  const service = useServiceAnswer();
  const leftElsewhere = useSession((session) => session.leftElsewhere);
  const closed = setup.data?.signup === 'closed';
  const firstAccount = setup.data?.first_account ?? false;
  const heading = signingUp ? 'Create your account' : 'Welcome back';

  /** @param {import('../api/types.js').Me} user */
  const enter = (user) => {
    setUser(user);
    navigate(location.state?.from ?? '/', { replace: true });
  };

  // On a new installation there is nobody yet who could log in.
  if (!signingUp && firstAccount && !service.cameBack) return <Navigate to="/signup" replace state={location.state} />;
  return (
    <AuthCard heading={heading} title={signingUp ? 'Create account' : 'Log in'}>
      <p className={styles.lead}>
        {signingUp && firstAccount
          ? 'The first account becomes the administrator.'
          : 'A chat for language models that keeps every word.'}
      </p>
      {leftElsewhere && !signingUp && (
        <Notice tone="calm">You logged out in another window. What you have written and not sent is kept.</Notice>
      )}
      {!signingUp && service.message && (
        <div className={styles.answer}>
          <Notice>{service.message}</Notice>
        </div>
      )}
      {signingUp && closed ? (
        <Notice tone="calm">New accounts are closed here. Ask the administrator to add you.</Notice>
      ) : !signingUp && service.codeAsked ? (
        <CodeForm onDone={enter} onBack={service.forget} />
      ) : (
        <AccountForm key={mode} mode={mode} setupCodeRequired={setup.data?.setup_code_required ?? false} onDone={enter} />
      )}
      {!firstAccount && !service.codeAsked && <ServiceLogIn />}
      {!signingUp && !service.codeAsked && (
        <p className={styles.other}>
          <Link to="/account/password/reset">Forgot your password?</Link>
        </p>
      )}
      <p className={styles.other}>
        {signingUp ? (
          <>
            Already have an account?{' '}
            <Link to="/login" state={location.state}>
              Log in
            </Link>
          </>
        ) : (
          !closed && (
            <>
              New here?{' '}
              <Link to="/signup" state={location.state}>
                Create an account
              </Link>
            </>
          )
        )}
      </p>
    </AuthCard>
  );
}
