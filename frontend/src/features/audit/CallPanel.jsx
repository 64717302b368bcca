/**
 * Everything that is known of one model call: the exact request, rebuilt by the server from the events and compared
 * with what was recorded before it was sent; what changed since the call before; how the call went.
 */
import { Tabs } from 'radix-ui';

import { asProblem } from '../../api/problems.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { Notice } from '../../ui/Field.jsx';
import { CopyIcon } from '../../ui/icons.jsx';
import { useModels } from '../composer/models.js';
import { CallFacts } from './CallFacts.jsx';
import styles from './CallPanel.module.css';
import { asCurl } from './curl.js';
import { LongText } from './LongText.jsx';
import { Proof } from './Proof.jsx';
import { PromptChanges } from './PromptChanges.jsx';
import { PromptMessages } from './PromptMessages.jsx';
import { useCall, usePrompt } from './queries.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {import('../../api/modelCalls.js').PromptRecord} PromptRecord */

const TABS = [
  { value: 'messages', label: 'Messages' },
  { value: 'changes', label: 'Changes' },
  { value: 'bytes', label: 'Bytes' },
  { value: 'call', label: 'Call' },
];

/** @param {{callId: string}} props */
export default function CallPanel({ callId }) {
  const prompt = usePrompt(callId);
  const call = useCall(callId);
  if (prompt.isPending) return <p className={styles.waiting}>Rebuilding the request from the events…</p>;
  if (!prompt.data) return <Failure query={prompt} />;

  const checkAgain = async () => {
    const { data } = await prompt.refetch();
    if (data) announce(data.identical ? 'Rebuilt: identical to what was sent' : 'Rebuilt: differs from what was sent');
  };
  return (
    <div className={styles.panel}>
      <Proof record={prompt.data} checking={prompt.isFetching} onCheck={() => void checkAgain()} />
      {prompt.isError && <Failure query={prompt} />}
      <Tabs.Root defaultValue="messages" className={styles.tabs}>
        <Tabs.List className={styles.list} aria-label="Parts of this call">
          {TABS.map(({ value, label }) => (
            <Tabs.Trigger key={value} value={value} className={styles.tab}>
              {label}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        <Tabs.Content value="messages" className={styles.content}>
          <PromptMessages
            messages={prompt.data.messages}
            omittedCount={prompt.data.omitted_count}
            trimming={call.data?.trimming ?? null}
          />
        </Tabs.Content>
        <Tabs.Content value="changes" className={styles.content}>
          <PromptChanges record={prompt.data} />
        </Tabs.Content>
        <Tabs.Content value="bytes" className={styles.content}>
          <Bytes record={prompt.data} call={call.data} />
        </Tabs.Content>
        <Tabs.Content value="call" className={styles.content}>
          {call.isPending && <p className={styles.quiet}>Reading the call…</p>}
          {call.isError && <Failure query={call} />}
          {call.data && <CallFacts call={call.data} />}
        </Tabs.Content>
      </Tabs.Root>
    </div>
  );
}

/** @param {{query: {error: unknown, refetch: () => unknown}}} props */
function Failure({ query }) {
  return (
    <div className={styles.failure}>
      <Notice>
        <p>{asProblem(query.error).message}</p>
      </Notice>
      <Button onClick={() => void query.refetch()}>Retry</Button>
    </div>
  );
}

/** @param {{record: PromptRecord, call: ModelCall|undefined}} props */
function Bytes({ record, call }) {
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
      </div>
      <LongText text={record.body} label="Request body" />
    </>
  );
}
