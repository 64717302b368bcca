/** What the model answered, as it lies in the record: plain text, since Markdown that is drawn hides what was written. */
import { Notice } from '../../ui/Field.jsx';
import { Button } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { CopyIcon } from '../../ui/icons.jsx';
import { asProblem } from '../../api/problems.js';
import styles from './CallReply.module.css';
import { LongText } from './LongText.jsx';
import { useReply } from './queries.js';

/** @param {{callId: string, version: number|undefined}} props version: of the call, as far as it is known */
export function CallReply({ callId, version }) {
  const reply = useReply(callId, version);
  if (reply.isPending) return <p className={styles.quiet}>Reading the reply…</p>;
  if (!reply.data) {
    return (
      <div className={styles.failure}>
        <Notice>
          <p>{asProblem(reply.error).message}</p>
        </Notice>
        <Button onClick={() => void reply.refetch()}>Retry</Button>
      </div>
    );
  }
  const { content, reasoning, tool_calls: toolCalls, outcome } = reply.data;
  const tools = toolCalls && toolCalls.length > 0 ? JSON.stringify(toolCalls, null, 2) : '';
  if (!content && !reasoning && !tools) {
    return <p className={styles.quiet}>{outcome === 'pending' ? 'The reply is still being written.' : 'Nothing was answered.'}</p>;
  }
  return (
    <div className={styles.reply}>
      {reasoning && (
        <details>
          <summary>Reasoning</summary>
          <LongText text={reasoning} label="Reasoning" />
        </details>
      )}
      {content && (
        <>
          <div className={styles.bar}>
            <span>{content.length.toLocaleString('en')} characters</span>
            <Button kind="quiet" onClick={() => void copyText(content)}>
              <CopyIcon />
              Copy reply
            </Button>
          </div>
          <LongText text={content} label="Reply" />
        </>
      )}
      {tools && (
        <>
          <h3>Tools it asked for</h3>
          <LongText text={tools} label="Tool calls" />
        </>
      )}
    </div>
  );
}
