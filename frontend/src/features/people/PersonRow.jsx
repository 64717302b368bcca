/** One person: who they are, what they may do, and whether they may come in. */
import { useState } from 'react';

import { asProblem } from '../../api/problems.js';
import { loadSession, useSession } from '../../auth/session.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { ConfirmDialog } from '../../ui/Dialog.jsx';
import { Notice } from '../../ui/Field.jsx';
import { HelpBackIn } from './HelpBackIn.jsx';
import styles from './PeoplePage.module.css';
import { changePerson } from './queries.js';

/** @typedef {import('../../api/people.js').Person} Person */
/** @typedef {import('../../api/people.js').PersonChange} PersonChange */

/** @typedef {'deactivate'|'demoteSelf'} Question */

/** @param {{person: Person}} props */
export function PersonRow({ person }) {
  const me = useSession((session) => session.user?.id === person.id);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const [question, setQuestion] = useState(/** @type {Question|null} */ (null));
  // Two people may go by the same name; what is done is said of the address.
  const name = person.email;

  /** @param {PersonChange} wanted @param {string} done */
  const change = async (wanted, done) => {
    // Nothing is disabled meanwhile: what is disabled loses the focus.
    if (busy) return;
    setBusy(true);
    setProblem('');
    try {
      await changePerson(person, wanted);
      announce(done);
      // Who has changed what they themselves may do sees this page, or not, by that at once.
      if (me) await loadSession();
    } catch (error) {
      setProblem(asProblem(error).message);
    } finally {
      setBusy(false);
    }
  };
  /** @param {boolean} wanted */
  const setAdministrator = (wanted) => {
    if (me && !wanted) setQuestion('demoteSelf');
    else void change({ is_staff: wanted }, wanted ? `${name} is an administrator now` : `${name} is no longer an administrator`);
  };
  const deactivate = () => change({ is_active: false }, `${name} is deactivated`);

  return (
    <li className={styles.person} aria-busy={busy}>
      <div className={styles.who}>
        <strong>
          {person.display_name || name}
          {me && ' (you)'}
        </strong>
        {person.display_name && <span>{person.email}</span>}
        {!person.is_active && <span className={styles.inactive}>Deactivated</span>}
      </div>
      <fieldset className={styles.roles}>
        <legend className="visually-hidden">What {name} may do</legend>
        <Role
          label="Auditor"
          checked={person.is_auditor}
          onChange={(wanted) =>
            void change({ is_auditor: wanted }, wanted ? `${name} is an auditor now` : `${name} is no longer an auditor`)
          }
        />
        <Role label="Administrator" checked={person.is_staff} onChange={setAdministrator} />
      </fieldset>
      {person.is_active ? (
        <Button aria-label={`Deactivate ${name}…`} onClick={() => setQuestion('deactivate')}>
          Deactivate…
        </Button>
      ) : (
        <Button aria-label={`Activate ${name}`} onClick={() => void change({ is_active: true }, `${name} may log in again`)}>
          Activate
        </Button>
      )}
      {!me && person.is_active && <HelpBackIn person={person} name={name} onProblem={setProblem} />}
      {problem && (
        <div className={styles.refusal}>
          <Notice>{problem}</Notice>
        </div>
      )}
      <ConfirmDialog
        open={question === 'deactivate'}
        onOpenChange={(open) => !open && setQuestion(null)}
        title={`Deactivate ${name}?`}
        description="They are logged out everywhere at once, their API tokens stop working, and they cannot log in. What they wrote stays. They can be activated again."
        confirmLabel="Deactivate"
        onConfirm={() => void deactivate()}
      />
      <ConfirmDialog
        open={question === 'demoteSelf'}
        onOpenChange={(open) => !open && setQuestion(null)}
        title="Give up being an administrator?"
        description="This page is closed to you then. Another administrator can give it back."
        confirmLabel="Give it up"
        onConfirm={() => void change({ is_staff: false }, 'You are no longer an administrator')}
      />
    </li>
  );
}

/** @param {{label: string, checked: boolean, onChange: (wanted: boolean) => void}} props */
function Role({ label, checked, onChange }) {
  return (
    <label>
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}
