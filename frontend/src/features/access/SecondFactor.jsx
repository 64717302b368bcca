/** The second factor of the person who is logged in: off, being set up, or on; and its recovery codes. */
import { useState } from 'react';

import { fetchRecoveryCodes, renewRecoveryCodes, turnOffSecondFactor } from '../../api/access.js';
import { asProblem } from '../../api/problems.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { ConfirmDialog } from '../../ui/Dialog.jsx';
import { Notice } from '../../ui/Field.jsx';
import styles from './AccessPage.module.css';
import { RecoveryCodes } from './RecoveryCodes.jsx';
import { SetUp } from './SetUp.jsx';
import { useProof } from './useProof.jsx';

/** @typedef {import('../../api/access.js').SecondFactor} Factor */

/** @param {{factor: Factor, offered: boolean, onChanged: () => Promise<unknown>}} props */
export function SecondFactor({ factor, offered, onChanged }) {
  const { withProof, dialog } = useProof();
  const [settingUp, setSettingUp] = useState(false);
  const [codes, setCodes] = useState(/** @type {string[]|null} */ (null));
  const [problem, setProblem] = useState('');
  // What was opened closes again: the focus goes back to the button that opened it.
  const [closed, setClosed] = useState(false);
  const [question, setQuestion] = useState(/** @type {'off'|'renew'|null} */ (null));

  /** @template T @param {() => Promise<T>} act @param {(done: T) => void} then */
  const once = async (act, then) => {
    setProblem('');
    try {
      const done = await withProof(act);
      if (done === undefined) return;
      then(done);
      await onChanged();
    } catch (error) {
      setProblem(asProblem(error).message);
    }
  };
  const turnOff = () =>
    once(
      async () => {
        await turnOffSecondFactor();
        return true;
      },
      () => {
        setCodes(null);
        announce('The second factor is off');
      },
    );

  return (
    <>
      {factor.on ? (
        <p>
          <strong>On</strong>
          {factor.since && ` since ${factor.since.toLocaleDateString([], { dateStyle: 'medium' })}`}. Whoever logs in with your
          password is asked for a code of your app as well.
        </p>
      ) : (
        <p className={styles.about}>
          {offered
            ? 'Off. With it, a password that somebody found out is not enough: log-in also asks for a code that an app on your phone shows.'
            : 'Off. It cannot be set up here; whoever runs this installation has decided that.'}
        </p>
      )}
      {problem && <Notice>{problem}</Notice>}
      {!factor.on && offered && !settingUp && (
        // eslint-disable-next-line jsx-a11y/no-autofocus -- it had the focus before
        <Button kind="primary" autoFocus={closed} onClick={() => setSettingUp(true)}>
          Set it up
        </Button>
      )}
      {!factor.on && settingUp && (
        <SetUp
          onCancel={() => {
            setClosed(true);
            setSettingUp(false);
          }}
          onDone={async () => {
            setSettingUp(false);
            announce('The second factor is on');
            await once(fetchRecoveryCodes, setCodes);
          }}
        />
      )}
      {codes && (
        <RecoveryCodes
          codes={codes}
          onDone={() => {
            setClosed(true);
            setCodes(null);
          }}
        />
      )}
      {factor.on && !codes && (
        <>
          <p className={styles.about}>
            {factor.codesLeft === 0
              ? 'No recovery codes are left. Make new ones, or a lost phone locks you out.'
              : `${factor.codesLeft} recovery ${factor.codesLeft === 1 ? 'code is' : 'codes are'} left, for a day without your phone.`}
          </p>
          <div className={styles.actions}>
            {/* eslint-disable-next-line jsx-a11y/no-autofocus -- it had the focus before */}
            <Button autoFocus={closed} onClick={() => void once(fetchRecoveryCodes, setCodes)}>
              Show recovery codes
            </Button>
            <Button onClick={() => setQuestion('renew')}>Make new codes…</Button>
            <Button onClick={() => setQuestion('off')}>Turn off…</Button>
          </div>
        </>
      )}
      <ConfirmDialog
        open={question === 'renew'}
        onOpenChange={(open) => !open && setQuestion(null)}
        title="Make new recovery codes?"
        description="The ones you have are worth nothing from then on."
        confirmLabel="Make new codes"
        onConfirm={() => void once(renewRecoveryCodes, setCodes)}
      />
      <ConfirmDialog
        open={question === 'off'}
        onOpenChange={(open) => !open && setQuestion(null)}
        title="Turn the second factor off?"
        description="Your password alone is enough then. The recovery codes go too."
        confirmLabel="Turn off"
        onConfirm={() => void turnOff()}
      />
      {dialog}
    </>
  );
}
