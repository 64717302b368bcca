/** Logging in through another service: its button, and what is left to do or to say when the browser comes back. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearchParams } from 'react-router';

import { beginSignOn, fetchAccessConfig, fetchPendingStep } from '../api/access.js';
import { asProblem } from '../api/problems.js';
import { Button } from '../ui/Button.jsx';
import { Notice } from '../ui/Field.jsx';
import styles from './AuthPage.module.css';
import { wordsOfServiceError } from './serviceErrors.js';

function useServices() {
  return useQuery({ queryKey: ['access-config'], queryFn: fetchAccessConfig }).data?.services ?? [];
}

/** Nothing where no other service is set up. */
export function ServiceLogIn() {
  const services = useServices();
  const [problem, setProblem] = useState('');
  const [leaving, setLeaving] = useState(false);

  const leave = async () => {
    if (leaving) return;
    setLeaving(true);
    setProblem('');
    try {
      window.location.assign(await beginSignOn('login'));
    } catch (error) {
      setProblem(asProblem(error).message);
      setLeaving(false);
    }
  };

  return services.map(({ id, name }) => (
    <div key={id} className={styles.service}>
      <p className={styles.or}>or</p>
      {problem && <Notice>{problem}</Notice>}
      <Button onClick={() => void leave()} aria-busy={leaving}>
        {leaving ? 'One moment…' : `Continue with ${name}`}
      </Button>
    </div>
  ));
}

/**
 * @returns {{cameBack: boolean, message: string, codeAsked: boolean, forget: () => void}} message: what went wrong there, or
 *   what is left to do; codeAsked: a second factor is
 */
export function useServiceAnswer() {
  const [search, setSearch] = useSearchParams();
  const cameBack = search.get('from') === 'service';
  const error = search.get('error');
  const name = useServices()[0]?.name ?? 'the other service';
  const step = useQuery({ queryKey: ['pending-step'], queryFn: fetchPendingStep, enabled: cameBack && !error, gcTime: 0, staleTime: 0 });
  const forget = () => setSearch({}, { replace: true });
  let message = '';
  if (cameBack && error) message = wordsOfServiceError(error, name);
  else if (step.data === 'verify_email') message = 'Almost done: open the link in the email we have sent you, then log in.';
  return { cameBack, message, codeAsked: step.data === 'code', forget };
}
