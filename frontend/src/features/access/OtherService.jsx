/** Another service through which one may log in: connected with this account, or to be. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearchParams } from 'react-router';

import { beginSignOn, disconnectAccount, fetchLinkedAccounts } from '../../api/access.js';
import { asProblem } from '../../api/problems.js';
import { wordsOfServiceError } from '../../auth/serviceErrors.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { ConfirmDialog } from '../../ui/Dialog.jsx';
import { Notice } from '../../ui/Field.jsx';
import styles from './AccessPage.module.css';
import { useProof } from './useProof.jsx';

/** @typedef {import('../../api/access.js').LinkedAccount} LinkedAccount */

/** @param {{service: {id: string, name: string}}} props */
export function OtherService({ service: { id, name } }) {
  const accounts = useQuery({ queryKey: ['linked-accounts'], queryFn: fetchLinkedAccounts, staleTime: 0 });
  const [search] = useSearchParams();
  const { withProof, dialog } = useProof();
  const [problem, setProblem] = useState('');
  const [leaving, setLeaving] = useState(false);
  const [question, setQuestion] = useState(/** @type {LinkedAccount|null} */ (null));
  const cameBackWith = search.get('from') === 'service' ? search.get('error') : null;

  const connect = async () => {
    setProblem('');
    try {
      const address = await withProof(() => beginSignOn('connect'));
      if (address === undefined) return;
      setLeaving(true);
      window.location.assign(address);
    } catch (error) {
      setProblem(asProblem(error).message);
    }
  };
  /** @param {LinkedAccount} one */
  const disconnect = async (one) => {
    setProblem('');
    try {
      if ((await withProof(() => disconnectAccount(one))) === undefined) return;
      announce(`${name} is disconnected`);
      await accounts.refetch();
    } catch (error) {
      const refused = asProblem(error);
      setProblem(refused.code === 'no_password' ? 'It is your only way in. Set a password in the settings first.' : refused.message);
    }
  };

  const message = problem || (cameBackWith ? wordsOfServiceError(cameBackWith, name) : '') || (accounts.isError && asProblem(accounts.error).message);
  const mine = (accounts.data ?? []).filter(({ service }) => service === id);
  return (
    <>
      {message && <Notice>{message}</Notice>}
      {mine.map((one) => (
        <div key={one.account} className={styles.linked}>
          <p>
            <strong>Connected</strong> as <bdi>{one.display}</bdi>. You can log in with it.
          </p>
          <Button onClick={() => setQuestion(one)}>Disconnect…</Button>
        </div>
      ))}
      {accounts.isSuccess && mine.length === 0 && (
        <>
          <p className={styles.about}>Connect your account there, and you can log in with it as well.</p>
          <Button onClick={() => void connect()} aria-busy={leaving}>
            {leaving ? 'One moment…' : `Connect ${name}`}
          </Button>
        </>
      )}
      <ConfirmDialog
        open={question !== null}
        onOpenChange={(open) => !open && setQuestion(null)}
        title={`Disconnect ${name}?`}
        description="You can no longer log in with it. Your account here, and the one there, stay."
        confirmLabel="Disconnect"
        onConfirm={() => question && void disconnect(question)}
      />
      {dialog}
    </>
  );
}
