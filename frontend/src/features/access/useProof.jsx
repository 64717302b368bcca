/** Does what was asked for, and where the server first wants to know who sits there, asks for that in between. */
import { useRef, useState } from 'react';

import { ProofNeeded, prove } from '../../api/access.js';
import { asProblem } from '../../api/problems.js';
import { useSession } from '../../auth/session.js';
import { Button } from '../../ui/Button.jsx';
import { Dialog } from '../../ui/Dialog.jsx';
import { Field, Notice, useFocusOnError } from '../../ui/Field.jsx';
import styles from './AccessPage.module.css';

/** @typedef {import('../../api/access.js').Proof} Proof */

/**
 * @returns {{
 *   withProof: <T>(act: () => Promise<T>) => Promise<T|undefined>,
 *   dialog: import('react').ReactNode,
 * }} withProof: undefined where the person would rather not
 */
export function useProof() {
  const [ways, setWays] = useState(/** @type {Proof[]|null} */ (null));
  const answer = useRef(/** @type {(proven: boolean) => void} */ (() => undefined));

  /** @template T @param {() => Promise<T>} act @returns {Promise<T|undefined>} */
  const withProof = async (act) => {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof ProofNeeded)) throw error;
      const needed = error.ways;
      const proven = await new Promise((/** @type {(proven: boolean) => void} */ resolve) => {
        answer.current = resolve;
        setWays(needed);
      });
      setWays(null);
      return proven ? act() : undefined;
    }
  };
  const dialog = (
    <Dialog
      open={ways !== null}
      onOpenChange={(open) => !open && answer.current(false)}
      title="Is it you?"
      description="This changes how your account is protected, so it is asked once more."
      holdsForm
    >
      {ways && <ProofForm ways={ways} onProven={() => answer.current(true)} />}
    </Dialog>
  );
  return { withProof, dialog };
}

/** @param {{ways: Proof[], onProven: () => void}} props */
function ProofForm({ ways, onProven }) {
  const email = useSession((session) => session.user?.email ?? '');
  const [way, setWay] = useState(/** @type {Proof} */ (ways[0] ?? 'password'));
  const [problem, setProblem] = useState(/** @type {import('../../api/problems.js').Problem|null} */ (null));
  const [busy, setBusy] = useState(false);
  const formRef = useFocusOnError(problem);
  const byPassword = way === 'password';

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const text = String(new FormData(event.currentTarget).get('proof') ?? '');
    setBusy(true);
    setProblem(null);
    try {
      await prove(way, text);
      onProven();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };

  const errors = problem?.fields[way];
  return (
    <form ref={formRef} className={styles.form} onSubmit={(event) => void onSubmit(event)}>
      {problem && !errors && <Notice>{problem.message}</Notice>}
      {byPassword && <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />}
      <Field
        key={way}
        label={byPassword ? 'Your password' : 'Code from your app, or a recovery code'}
        name="proof"
        type={byPassword ? 'password' : 'text'}
        inputMode={byPassword ? undefined : 'numeric'}
        autoComplete={byPassword ? 'current-password' : 'one-time-code'}
        required
        errors={errors}
      />
      <div className={styles.actions}>
        <Button kind="primary" type="submit" disabled={busy}>
          {busy ? 'One moment…' : 'Go on'}
        </Button>
        {ways.length > 1 && (
          <Button
            kind="quiet"
            onClick={() => {
              setProblem(null);
              setWay(byPassword ? 'code' : 'password');
            }}
          >
            {byPassword ? 'Use a code instead' : 'Use the password instead'}
          </Button>
        )}
      </div>
    </form>
  );
}
