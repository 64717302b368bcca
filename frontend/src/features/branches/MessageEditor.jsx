/**
 * Another text for a message of the person, written in its place. Sending it makes another version beside the
 * message; the message itself stays as it is.
 */
import { useEffect, useRef } from 'react';

import { Button } from '../../ui/Button.jsx';
import { useMedia } from '../../ui/useMedia.js';
import { isSendKey } from '../composer/sendKey.js';
import { changeEdit } from './edits.js';
import styles from './MessageEditor.module.css';

/** @typedef {import('./edits.js').Edit} Edit */

/**
 * @param {{messageId: string, edit: Edit, onSend: () => void, onCancel: () => void}} props
 */
export function MessageEditor({ messageId, edit, onSend, onCancel }) {
  const onTouch = useMedia('(pointer: coarse)');
  /** @type {import('react').RefObject<HTMLTextAreaElement|null>} */
  const area = useRef(null);
  const composing = useRef(false);

  useEffect(() => {
    const element = area.current;
    if (!element) return;
    element.focus({ preventScroll: true });
    element.setSelectionRange(element.value.length, element.value.length);
  }, []);
  useEffect(() => {
    const element = area.current;
    if (!element || CSS.supports?.('field-sizing', 'content')) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [edit.text]);

  const canSend = !edit.sending && edit.text.trim() !== '';
  const submit = () => {
    if (canSend) onSend();
    area.current?.focus();
  };

  // On its way it can no longer be taken back.
  const cancel = () => {
    if (!edit.sending) onCancel();
  };

  /** @param {import('react').KeyboardEvent<HTMLTextAreaElement>} event */
  const onKeyDown = (event) => {
    if (event.key === 'Escape' && !composing.current && !event.nativeEvent.isComposing) {
      event.preventDefault();
      cancel();
    } else if (isSendKey(event, { composing: composing.current, onTouch })) {
      event.preventDefault();
      submit();
    }
  };

  return (
    <form
      className={styles.editor}
      aria-label="Edit your message"
      data-owns-escape
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        ref={area}
        className={styles.area}
        aria-label="Your message"
        rows={1}
        value={edit.text}
        readOnly={edit.sending}
        onChange={(event) => changeEdit(messageId, event.target.value)}
        onKeyDown={onKeyDown}
        onCompositionStart={() => {
          composing.current = true;
        }}
        onCompositionEnd={() => {
          composing.current = false;
        }}
      />
      {edit.problem && (
        <p className={styles.problem} role="alert">
          <strong>Not sent.</strong> {edit.problem.message}
        </p>
      )}
      <div className={styles.foot}>
        <p className={styles.hint}>Makes another version. This one stays.</p>
        <Button onClick={cancel} aria-disabled={edit.sending || undefined}>
          Cancel
        </Button>
        <Button kind="primary" type="submit" aria-disabled={!canSend || undefined}>
          {edit.problem ? 'Retry' : edit.sending ? 'Sending…' : 'Send'}
        </Button>
      </div>
    </form>
  );
}
