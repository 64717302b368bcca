/** Where a message is written. Enter sends, Shift+Enter makes a line; the text is safe until it is accepted. */
import { useEffect, useImperativeHandle, useRef, useState } from 'react';

import { Button } from '../../ui/Button.jsx';
import { SendIcon, StopIcon } from '../../ui/icons.jsx';
import { useMedia } from '../../ui/useMedia.js';
import styles from './Composer.module.css';
import { draftOf, useDraft } from './drafts.js';
import { setSendProblem, useSendProblem } from './outbox.js';
import { isSendKey } from './sendKey.js';

/** @typedef {import('../../api/problems.js').Problem} Problem */

/** Browsers that size a text area by its content do it faster than any script can. */
const SIZES_ITSELF = typeof CSS !== 'undefined' && CSS.supports?.('field-sizing', 'content');
/** A text this long fills the highest size anyway: measuring it would only make typing slow. */
const CERTAINLY_HIGH = 8_000;

/**
 * @typedef {object} ComposerProps
 * @property {string} userId
 * @property {string} draftId the conversation's id, or NEW
 * @property {boolean} replying
 * @property {() => void} onSend
 * @property {() => void} onStop
 * @property {import('react').ReactNode} tools what stands at the left of the foot: the model picker
 * @property {import('react').Ref<ComposerHandle>} [handle]
 *
 * @typedef {object} ComposerHandle
 * @property {() => void} focus
 */

/** @param {ComposerProps} props */
export function Composer({ userId, draftId, replying, onSend, onStop, tools, handle }) {
  const draft = useDraft(userId, draftId);
  const problem = useSendProblem(draftId);
  const onTouch = useMedia('(pointer: coarse)');
  /** @type {import('react').RefObject<HTMLTextAreaElement|null>} */
  const area = useRef(null);
  const composing = useRef(false);
  useImperativeHandle(handle, () => ({ focus: () => area.current?.focus() }), []);

  useEffect(() => {
    const element = area.current;
    if (!element || SIZES_ITSELF) return;
    element.style.height = '';
    if (draft.text.length > CERTAINLY_HIGH) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [draft.text]);

  const canSend = !replying && draft.sending === null && draft.text.trim() !== '';
  const submit = () => {
    if (canSend) onSend();
    area.current?.focus();
  };

  /** @param {import('react').KeyboardEvent<HTMLTextAreaElement>} event */
  const onKeyDown = (event) => {
    if (!isSendKey(event, { composing: composing.current, onTouch })) return;
    event.preventDefault();
    submit();
  };

  return (
    <form
      className={styles.composer}
      aria-label="Write a message"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {problem && <SendProblem key={problem.message} problem={problem} canRetry={canSend} onRetry={submit} />}
      <div className={styles.box}>
        <textarea
          ref={area}
          className={draft.text.length > CERTAINLY_HIGH ? `${styles.area} ${styles.high}` : styles.area}
          aria-label="Message"
          placeholder="Write a message"
          rows={1}
          value={draft.text}
          // eslint-disable-next-line jsx-a11y/no-autofocus -- the composer is what a person comes to this page for
          autoFocus={!onTouch}
          onChange={(event) => {
            const text = event.target.value;
            draftOf(userId, draftId).set((now) => ({ ...now, text }));
            if (problem) setSendProblem(draftId, null);
          }}
          onKeyDown={onKeyDown}
          onCompositionStart={() => {
            composing.current = true;
          }}
          onCompositionEnd={() => {
            composing.current = false;
          }}
        />
        <div className={styles.foot}>
          {tools}
          {replying ? (
            <Button
              key="stop"
              className={styles.send}
              kind="primary"
              aria-label="Stop"
              title="Stop (Esc)"
              onClick={() => {
                onStop();
                area.current?.focus();
              }}
            >
              <StopIcon />
            </Button>
          ) : (
            <Button
              key="send"
              className={styles.send}
              kind="primary"
              type="submit"
              aria-label="Send"
              title="Send (Enter)"
              disabled={!canSend}
            >
              <SendIcon />
            </Button>
          )}
        </div>
      </div>
    </form>
  );
}

/**
 * @param {number|null} seconds
 * @returns {number} what is left of them
 */
function useCountdown(seconds) {
  const [left, setLeft] = useState(seconds ?? 0);
  useEffect(() => {
    if (left <= 0) return undefined;
    const timer = setTimeout(() => setLeft((now) => now - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return left;
}

/** @param {{problem: Problem, canRetry: boolean, onRetry: () => void}} props */
function SendProblem({ problem, canRetry, onRetry }) {
  const left = useCountdown(problem.retryAfterSeconds);
  return (
    <div className={styles.problem}>
      <p role="alert">
        <strong>Not sent.</strong> {problem.message}
      </p>
      <Button disabled={left > 0 || !canRetry} onClick={onRetry}>
        Retry
        {left > 0 && ` in ${left} s`}
      </Button>
    </div>
  );
}
