/**
 * What was said in one model call: the exact request, rebuilt by the server from the events and compared with what was
 * recorded before it was sent; what changed since the call before; its bytes. Panel and page show the same.
 */
import { Tabs } from 'radix-ui';

import { rawAddress } from '../../api/audit.js';
import { asProblem } from '../../api/problems.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { Notice } from '../../ui/Field.jsx';
import { CopyIcon, DownloadIcon } from '../../ui/icons.jsx';
import { useModels } from '../composer/models.js';
import styles from './CallContent.module.css';
import { asCurl } from './curl.js';
import { LongText } from './LongText.jsx';
import { Proof } from './Proof.jsx';
import { PromptChanges } from './PromptChanges.jsx';
import { PromptMessages } from './PromptMessages.jsx';
import { usePrompt } from './queries.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {import('../../api/modelCalls.js').PromptRecord} PromptRecord */
/** @typedef {{value: string, label: string, content: import('react').ReactNode}} Part */

/**
 * @param {{
 *   callId: string,
 *   call: ModelCall|undefined,
 *   parts: Part[],
 *   children?: import('react').ReactNode,
 * }} props call: as soon as it is known; parts: more tabs, after those about the request; children: beside the verdict
 */
export function CallContent({ callId, call, parts, children }) {
  const prompt = usePrompt(callId);
  if (prompt.isPending) return <p className={styles.waiting}>Rebuilding the request from the events…</p>;
  if (!prompt.data) return <Failure query={prompt} />;

  const record = prompt.data;
  const checkAgain = async () => {
    const { data } = await prompt.refetch();
    if (data) announce(data.identical ? 'Rebuilt: identical to what was sent' : 'Rebuilt: differs from what was sent');
  };
  /** @type {Part[]} */
  const all = [
    {
      value: 'messages',
      label: 'Messages',
      content: (
        <PromptMessages messages={record.messages} omittedCount={record.omitted_count} trimming={call?.trimming ?? null} />
      ),
    },
    { value: 'changes', label: 'Changes', content: <PromptChanges record={record} /> },
    { value: 'bytes', label: 'Bytes', content: <Bytes callId={callId} record={record} call={call} /> },
    ...parts,
  ];
  return (
    <div className={styles.panel}>
      <Proof record={record} checking={prompt.isFetching} onCheck={() => void checkAgain()}>
        {children}
      </Proof>
      {prompt.isError && <Failure query={prompt} />}
      <Tabs.Root defaultValue="messages" className={styles.tabs}>
        <Tabs.List className={styles.list} aria-label="Parts of this call">
          {all.map(({ value, label }) => (
            <Tabs.Trigger key={value} value={value} className={styles.tab}>
              {label}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        {all.map(({ value, content }) => (
          <Tabs.Content key={value} value={value} className={styles.content}>
            {content}
          </Tabs.Content>
        ))}
      </Tabs.Root>
    </div>
  );
}

/** @param {{query: {error: unknown, refetch: () => unknown}}} props */
export function Failure({ query }) {
  return (
    <div className={styles.failure}>
      <Notice>
        <p>{asProblem(query.error).message}</p>
      </Notice>
      <Button onClick={() => void query.refetch()}>Retry</Button>
    </div>
  );
}

/** @param {{callId: string, record: PromptRecord, call: ModelCall|undefined}} props */
function Bytes({ callId, record, call }) {
  const models = useModels();
  const runner = call?.attempts.at(-1)?.runner ?? null;
  const url = models.data?.runners.find(({ name }) => name === runner)?.url ?? '';
  const length = new TextEncoder().encode(record.body).length;
  return (
    <>
      <div className={styles.bar}>
        <span>{length.toLocaleString('en')} bytes</span>
        <Button kind="quiet" onClick={() => void copyText(record.body)}>
          <CopyIcon />
          Copy request
        </Button>
        <Button kind="quiet" onClick={() => void copyText(asCurl(record.body, url))}>
          <CopyIcon />
          Copy as curl
        </Button>
        <a className={styles.save} href={rawAddress(callId)} download={`${callId}.request.json`}>
          <DownloadIcon />
          Save the bytes
        </a>
      </div>
      <LongText text={record.body} label="Request body" />
    </>
  );
}
