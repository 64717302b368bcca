/** The verdict: is what can be rebuilt now what was sent then? With the digests, so that anybody can check it. */
import { Button } from '../../ui/Button.jsx';
import { RetryIcon } from '../../ui/icons.jsx';
import { Seal } from '../../ui/Marks.jsx';
import styles from './Proof.module.css';
import { useSha256 } from './queries.js';

/** @typedef {import('../../api/modelCalls.js').PromptRecord} PromptRecord */

/**
 * @param {{
 *   record: PromptRecord,
 *   checking: boolean,
 *   onCheck: () => void,
 *   children?: import('react').ReactNode,
 * }} props children: what else can be done
 */
export function Proof({ record, checking, onCheck, children }) {
  const { identical } = record;
  return (
    <div className={styles.proof}>
      <div className={`${styles.verdict} ${identical ? styles.identical : styles.differs}`}>
        <Seal state={identical ? 'whole' : 'broken'} size={22} />
        <div>
          <strong>{identical ? 'Identical to what was sent' : 'Differs from what was sent'}</strong>
          {identical ? (
            <p>Rebuilt from the events just now; every byte matches the request that was recorded.</p>
          ) : (
            <p>
              What can be rebuilt from the events is not what was recorded before it was sent. Keep the data folder as
              it is, and run <code>make verify</code>: it names the first byte and the event that differ.
            </p>
          )}
        </div>
      </div>
      <div className={styles.tools}>
        <Button kind="quiet" disabled={checking} onClick={onCheck}>
          <RetryIcon />
          {checking ? 'Rebuilding…' : 'Rebuild again'}
        </Button>
        {children}
      </div>
      <details className={styles.details} open={!identical}>
        <summary>SHA-256 of the request</summary>
        <Digests record={record} />
      </details>
    </div>
  );
}

/** @param {{record: PromptRecord}} props */
function Digests({ record }) {
  const own = useSha256(record.body);
  return (
    <dl className={styles.digests}>
      <dt>Recorded before it was sent</dt>
      <dd>{record.recorded_sha256}</dd>
      <dt>Rebuilt just now</dt>
      <dd>{record.body_sha256}</dd>
      {own && (
        <>
          <dt>Computed by this browser from the bytes below</dt>
          <dd>{own}</dd>
        </>
      )}
    </dl>
  );
}
