/**
 * "What did the model see?": the exact request behind a reply, rebuilt by the server from the events and
 * compared with what was recorded when it was sent.
 */
import { useQuery } from '@tanstack/react-query';

import { fetchPrompt } from '../../api/modelCalls.js';
import { asProblem } from '../../api/problems.js';
import { keys } from '../../app/cache.js';
import { Button, IconButton } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { Notice } from '../../ui/Field.jsx';
import { CopyIcon } from '../../ui/icons.jsx';
import { Seal } from '../../ui/Marks.jsx';
import { SidePanel } from '../../ui/SidePanel.jsx';
import styles from './Inspector.module.css';

/** @typedef {import('../../api/types.js').PromptRecord} PromptRecord */

/** @param {{callId: string, onClose: () => void}} props */
export function Inspector({ callId, onClose }) {
  return (
    <SidePanel title="What did the model see?" onClose={onClose}>
      <InspectorPanel callId={callId} />
    </SidePanel>
  );
}

/** @param {{callId: string}} props */
function InspectorPanel({ callId }) {
  const prompt = useQuery({
    queryKey: keys.prompt(callId),
    queryFn: ({ signal }) => fetchPrompt(callId, signal),
  });
  return (
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
