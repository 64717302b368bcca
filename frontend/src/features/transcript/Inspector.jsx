/**
 * "What did the model see?": the exact request behind a reply, rebuilt by the server from the events and
 * compared with what was recorded when it was sent.
 */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import { fetchPrompt } from '../../api/modelCalls.js';
import { asProblem } from '../../api/problems.js';
import { keys } from '../../app/cache.js';
import { Button, IconButton } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { Sheet } from '../../ui/Dialog.jsx';
import { Notice } from '../../ui/Field.jsx';
import { CloseIcon, CopyIcon } from '../../ui/icons.jsx';
import { Seal } from '../../ui/Marks.jsx';
import { useMedia } from '../../ui/useMedia.js';
import styles from './Inspector.module.css';

const TITLE = 'What did the model see?';
const NARROWEST_REM = 18;
const WIDEST_REM = 44;
const STEP_REM = 2;

/** @typedef {import('../../api/types.js').PromptRecord} PromptRecord */

/** @param {{callId: string, onClose: () => void}} props */
export function Inspector({ callId, onClose }) {
  const beside = useMedia('(min-width: 64rem)');
  const [width, setWidth] = useState(24);
  useFocusBackAtTheEnd();
  const panel = <InspectorPanel callId={callId} onClose={onClose} />;
  if (!beside) {
    return (
      <Sheet open title={TITLE} side="right" onOpenChange={(open) => !open && onClose()}>
        {panel}
      </Sheet>
    );
  }
  return (
    <aside className={styles.aside} style={{ width: `${width}rem` }} aria-label={TITLE}>
      <Resizer width={width} onWidth={setWidth} />
      {panel}
    </aside>
  );
}

/** When the panel goes, focus goes back to what opened it, unless it has moved elsewhere meanwhile. */
function useFocusBackAtTheEnd() {
  useEffect(() => {
    const opener = document.activeElement;
    return () => {
      const lost = document.activeElement === null || document.activeElement === document.body;
      if (lost && opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
}

/** @param {{width: number, onWidth: (rem: number) => void}} props */
function Resizer({ width, onWidth }) {
  const start = useRef({ x: 0, width });
  const limit = (/** @type {number} */ rem) => Math.min(WIDEST_REM, Math.max(NARROWEST_REM, rem));
  return (
    /* eslint-disable jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/no-noninteractive-tabindex --
       a separator that can be focused is a control: it sets the panel's width */
    <div
      className={styles.resizer}
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the panel"
      aria-valuemin={NARROWEST_REM}
      aria-valuemax={WIDEST_REM}
      aria-valuenow={width}
      tabIndex={0}
      onKeyDown={(event) => {
        if (event.key === 'ArrowLeft') onWidth(limit(width + STEP_REM));
        else if (event.key === 'ArrowRight') onWidth(limit(width - STEP_REM));
        else return;
        event.preventDefault();
      }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { x: event.clientX, width };
      }}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        onWidth(limit(Math.round(start.current.width + (start.current.x - event.clientX) / 16)));
      }}
    />
    /* eslint-enable jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/no-noninteractive-tabindex */
  );
}

/** @param {{callId: string, onClose: () => void}} props */
function InspectorPanel({ callId, onClose }) {
  const prompt = useQuery({
    queryKey: keys.prompt(callId),
    queryFn: ({ signal }) => fetchPrompt(callId, signal),
  });
  return (
    <div className={styles.panel}>
      <div className={styles.head}>
        <h2>{TITLE}</h2>
        <IconButton label="Close" onClick={onClose}>
          <CloseIcon />
        </IconButton>
      </div>
      <div className={styles.scroll}>
        {prompt.isPending && <p className={styles.quiet}>Rebuilding the request from the events…</p>}
        {prompt.isError && (
          <Notice>
            <p>{asProblem(prompt.error).message}</p>
            <Button onClick={() => void prompt.refetch()}>Retry</Button>
          </Notice>
        )}
        {prompt.data && <Prompt record={prompt.data} />}
      </div>
    </div>
  );
}

/** @param {{record: PromptRecord}} props */
function Prompt({ record }) {
  return (
    <>
      <div className={`${styles.verdict} ${record.identical ? styles.identical : styles.differs}`}>
        <Seal state={record.identical ? 'whole' : 'broken'} size={22} />
        <div>
          <strong>{record.identical ? 'Identical to what was sent' : 'Differs from what was sent'}</strong>
          <p>
            {record.identical
              ? 'Rebuilt from the events just now; every byte matches the request that was recorded.'
              : 'The request rebuilt from the events is not the one that was recorded. Compare the two digests below.'}
          </p>
        </div>
      </div>
      <h3 className={styles.heading}>Messages</h3>
      <ol className={styles.messages}>
        {record.messages.map((message, index) => (
          <li key={index}>
            <span className={styles.role}>{message.role}</span>
            <div className={styles.content}>{contentText(message.content)}</div>
          </li>
        ))}
      </ol>
      <details className={styles.details}>
        <summary>The request body, byte for byte</summary>
        <div className={styles.bodyHead}>
          <span>{new TextEncoder().encode(record.body).length.toLocaleString('en')} bytes</span>
          <IconButton small label="Copy request body" onClick={() => void copyText(record.body)}>
            <CopyIcon />
          </IconButton>
        </div>
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
        <pre tabIndex={0} role="region" aria-label="Request body">
          {record.body}
        </pre>
      </details>
      <dl className={styles.digests}>
        <dt>SHA-256, rebuilt</dt>
        <dd>{record.body_sha256}</dd>
        <dt>SHA-256, recorded before sending</dt>
        <dd>{record.recorded_sha256}</dd>
      </dl>
    </>
  );
}

/** @param {unknown} content text, or parts as JSON */
function contentText(content) {
  return typeof content === 'string' ? content : JSON.stringify(content, null, 2);
}
