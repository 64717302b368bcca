/** Messages as they were: to be read and copied, with nothing else to be done to them. */
import { memo } from 'react';

import { LazyMarkdown } from '../../markdown/LazyMarkdown.jsx';
import { IconButton } from '../../ui/Button.jsx';
import { copyText } from '../../ui/clipboard.js';
import { CopyIcon } from '../../ui/icons.jsx';
import { Quotes, Seal } from '../../ui/Marks.jsx';
import { BroughtMessage } from '../transcript/BroughtMessage.jsx';
import { outcomeNote, sealLine, sealState } from '../transcript/seal.js';
import styles from './PastMessages.module.css';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/** @param {{rows: TranscriptRow[], nameOf: (model: string|null) => string}} props */
export function PastMessages({ rows, nameOf }) {
  return rows.map((row) => {
    if (row.role === 'user') return <PastUserMessage key={row.id} row={row} />;
    if (row.role === 'assistant') return <PastReply key={row.id} row={row} model={row.call_id === null ? 'Another program' : nameOf(row.model)} />;
    return <BroughtMessage key={row.id} row={row} />;
  });
}

const PastUserMessage = memo(
  /** @param {{row: TranscriptRow}} props */
  function PastUserMessage({ row }) {
    return (
      <article className={styles.user} aria-label="You">
        <h2 className="visually-hidden">You said</h2>
        <div className={styles.bubble}>{row.content}</div>
        <Copy text={row.content} />
      </article>
    );
  },
);

const PastReply = memo(
  /** @param {{row: TranscriptRow, model: string}} props */
  function PastReply({ row, model }) {
    const note = outcomeNote(row);
    return (
      <article className={styles.reply} aria-label={model}>
        <h2 className="visually-hidden">{model} said</h2>
        <span className={styles.mark}>
          <Quotes size={15} />
        </span>
        <div className={styles.body}>
          {row.content && <LazyMarkdown text={row.content} />}
          {row.outcome === 'pending' && <p className={styles.quiet}>The reply was still being written.</p>}
          {note && <p className={styles.note}>{note.detail}</p>}
          <div className={styles.foot}>
            <span className={styles.seal}>
              {row.call_id !== null && <Seal state={sealState(row.outcome)} />}
              {sealLine(row, model)}
            </span>
            {row.content && <Copy text={row.content} />}
          </div>
        </div>
      </article>
    );
  },
);

/** @param {{text: string}} props */
function Copy({ text }) {
  return (
    <IconButton small label="Copy message" onClick={() => void copyText(text)}>
      <CopyIcon />
    </IconButton>
  );
}
