/** What an administrator can do for somebody who has lost their password or their second factor. */
import { useRef, useState } from 'react';

import { makePasswordLink } from '../../api/people.js';
import { asProblem } from '../../api/problems.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { ConfirmDialog, Dialog } from '../../ui/Dialog.jsx';
import { CopyButton } from '../tokens/CopyButton.jsx';
import styles from './PeoplePage.module.css';
import { removeSecondFactor } from './queries.js';

/** @typedef {import('../../api/people.js').Person} Person */
/** @typedef {'link'|'factor'} Question */

/** @param {{person: Person, name: string, onProblem: (message: string) => void}} props name: what they are called here */
export function HelpBackIn({ person, name, onProblem }) {
  const [question, setQuestion] = useState(/** @type {Question|null} */ (null));
  const [link, setLink] = useState(/** @type {{address: string, until: Date}|null} */ (null));
  const busy = useRef(false);

  /** @param {() => Promise<void>} act */
  const once = async (act) => {
    if (busy.current) return;
    busy.current = true;
    onProblem('');
    try {
      await act();
    } catch (error) {
      onProblem(asProblem(error).message);
    } finally {
      busy.current = false;
    }
  };
  const makeLink = async () => {
    const made = await makePasswordLink(person.id);
    setLink({ address: window.location.origin + made.path, until: new Date(made.expires_at) });
  };
  const takeOff = async () => {
    await removeSecondFactor(person);
    announce(`${name} logs in without a second factor now`);
  };

  return (
    <div className={styles.help}>
      <Button aria-label={`Reset password of ${name}…`} onClick={() => setQuestion('link')}>
        Reset password…
      </Button>
      {person.has_second_factor && (
        <Button aria-label={`Take off second factor of ${name}…`} onClick={() => setQuestion('factor')}>
          Take off second factor…
        </Button>
      )}
      <ConfirmDialog
        open={question === 'link'}
        onOpenChange={(open) => !open && setQuestion(null)}
        title={`Reset the password of ${name}?`}
        description="You get a link to hand over to them. Whoever opens it sets a new password, once, within a day. That you made it is recorded, and they see that."
        confirmLabel="Make a link"
        onConfirm={() => void once(makeLink)}
      />
      <ConfirmDialog
        open={question === 'factor'}
        onOpenChange={(open) => !open && setQuestion(null)}
        title={`Take the second factor off ${name}?`}
        description="Make sure that it is really them who asks. From then on their password is enough, until they set up another one. That you did it is recorded, and they see that."
        confirmLabel="Take it off"
        onConfirm={() => void once(takeOff)}
      />
      <Dialog open={link !== null} onOpenChange={(open) => !open && setLink(null)} title="Hand this link over" holdsForm>
        {link && (
          <div className={styles.link}>
            <p>
              <strong>Copy it now. It will not be shown again.</strong> Give it to {name} in a way that only they can read:
              whoever opens it can take the account over. It works once, until{' '}
              {link.until.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}.
            </p>
            <code className={styles.secret} aria-label="The link" role="group">
              {link.address}
            </code>
            <CopyButton kind="primary" text={link.address} what="link" wordy />
          </div>
        )}
      </Dialog>
    </div>
  );
}
