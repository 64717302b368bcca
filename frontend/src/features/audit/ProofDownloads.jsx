/**
 * Proofs to keep: each shows, to anybody who has the log's key, that one event of this call stands in the log as it
 * was recorded. The proof is made when it is asked for.
 */
import { useState } from 'react';

import { fetchProof } from '../../api/audit.js';
import { asProblem } from '../../api/problems.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { saveText } from '../../ui/download.js';
import { Notice } from '../../ui/Field.jsx';
import { DownloadIcon } from '../../ui/icons.jsx';
import styles from './ProofDownloads.module.css';

/** @typedef {import('../../api/audit.js').ProvenEvent} ProvenEvent */
/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */

/** @type {Record<ProvenEvent, string>} */
const LABELS = { requested: 'That it was asked for', terminal: 'How it ended', reply: 'The reply' };

/** Which events of a call there are to prove. @param {ModelCall} call @returns {ProvenEvent[]} */
export function provenEvents(call) {
  if (call.outcome === 'pending') return ['requested'];
  return call.reply_id === null ? ['requested', 'terminal'] : ['requested', 'terminal', 'reply'];
}

/** @param {{call: ModelCall}} props */
export function ProofDownloads({ call }) {
  const [busy, setBusy] = useState(/** @type {ProvenEvent|null} */ (null));
  const [problem, setProblem] = useState('');

  /** @param {ProvenEvent} event */
  const save = async (event) => {
    if (busy !== null) return;
    setBusy(event);
    setProblem('');
    try {
      saveText(await fetchProof(call.id, event), `${call.id}-${event}.tlog-proof`);
      announce('Proof saved');
    } catch (error) {
      setProblem(asProblem(error).message);
    } finally {
      setBusy(null);
    }
  };
  return (
    <div className={styles.proofs}>
      <p>Each file proves that one event stands in the log as it was recorded. Anybody can check it, without this server.</p>
      <div className={styles.buttons} role="group" aria-label="Proofs to download">
        {provenEvents(call).map((event) => (
          <Button key={event} aria-disabled={busy !== null || undefined} onClick={() => void save(event)}>
            <DownloadIcon />
            {busy === event ? 'Making the proof…' : LABELS[event]}
          </Button>
        ))}
      </div>
      {problem && <Notice>{problem}</Notice>}
    </div>
  );
}
