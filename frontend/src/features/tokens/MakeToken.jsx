/** Making a token: it needs a name, to be told from others later. */
import { useState } from 'react';

import { asProblem } from '../../api/problems.js';
import { Button } from '../../ui/Button.jsx';
import { Field, Notice, useFocusOnError } from '../../ui/Field.jsx';
import { makeToken, refetchTokens } from './queries.js';
import styles from './TokensPage.module.css';

/** @typedef {import('../../api/problems.js').Problem} Problem */

const LONGEST_NAME = 150;

/**
 * @param {{
 *   field: import('react').RefObject<HTMLInputElement|null>,
 *   onMade: (made: Awaited<ReturnType<typeof makeToken>>) => void,
 * }} props
 */
export function MakeToken({ field, onMade }) {
  const [name, setName] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {Problem|null} */ (null));
  const form = useFocusOnError(problem);

  /** @param {import('react').FormEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    // Nothing is disabled meanwhile: what is disabled loses the focus.
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      onMade(await makeToken(name));
      setName('');
    } catch (error) {
      const refused = asProblem(error);
      setProblem(refused);
      // It may have been made although no answer came: then it is listed, can be told by its time, and be revoked.
      if (refused.status === 0 || refused.status >= 500) void refetchTokens();
    } finally {
      setBusy(false);
    }
  };

  const elsewhere = problem && !problem.fields.name;
  return (
    <form ref={form} className={styles.make} aria-label="Make a token" onSubmit={(event) => void submit(event)}>
      <Field
        ref={field}
        label="Name of a new token"
        hint="What it is for, such as the program that will use it."
        value={name}
        required
        maxLength={LONGEST_NAME}
        autoComplete="off"
        errors={problem?.fields.name}
        onChange={(event) => setName(event.target.value)}
      />
      <Button kind="primary" type="submit" aria-disabled={busy || undefined}>
        {busy ? 'Making it…' : 'Make token'}
      </Button>
      {elsewhere && (
        <div className={styles.refusal}>
          <Notice>{problem.message}</Notice>
        </div>
      )}
    </form>
  );
}
