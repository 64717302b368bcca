/**
 * "Run this branch again": what should differ this time, and how much work it is. Nothing is sent, and nothing is
 * remembered, before the person says so.
 */
import { useId, useState } from 'react';

import { asProblem } from '../../api/problems.js';
import { requestReplay } from '../../api/replays.js';
import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { Dialog } from '../../ui/Dialog.jsx';
import { Field, Notice, useFocusOnError } from '../../ui/Field.jsx';
import { pathTo } from '../branches/tree/shape.js';
import { useShape, useTree } from '../branches/treeQueries.js';
import { findModel, useModels } from '../composer/models.js';
import styles from './ReplayDialog.module.css';
import { PARAMETERS, fieldsOf, wishOf } from './wish.js';

/** @typedef {import('../../api/types.js').Conversation} Conversation */
/** @typedef {import('../../api/types.js').ModelList} ModelList */
/** @typedef {import('./wish.js').Fields} Fields */

/** @param {{conversation: Conversation, leafId: string, onClose: () => void}} props */
export default function ReplayDialog({ conversation, leafId, onClose }) {
  const models = useModels();
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Run this branch again"
      description="Sends your messages of this branch again, one after another, with what you change here. The answers become a new branch; the original stays as it is."
    >
      {models.isPending ? (
        <p className={styles.quiet}>Asking for models…</p>
      ) : (
        <ReplayForm conversation={conversation} leafId={leafId} models={models.data} onClose={onClose} />
      )}
    </Dialog>
  );
}

/**
 * @param {{conversation: Conversation, leafId: string, models: ModelList|undefined, onClose: () => void}} props
 */
function ReplayForm({ conversation, leafId, models, onClose }) {
  const id = useId();
  const { settings } = conversation;
  const tree = useTree(conversation.id);
  const shape = useShape(tree.data);
  const [before] = useState(() => fieldsOf(settings, findModel(models, settings.model)?.id ?? settings.model));
  const [fields, setFields] = useState(before);
  const [key] = useState(() => crypto.randomUUID());
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState(/** @type {import('../../api/problems.js').Problem|null} */ (null));
  const form = useFocusOnError(problem);

  const turns = pathTo(shape, leafId).filter((node) => node.role === 'user').length;
  const wish = wishOf(fields, before, settings);
  /** @param {Partial<Fields>} changed */
  const change = (changed) => setFields((now) => ({ ...now, ...changed }));

  /** @param {import('react').FormEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    if (sending || !wish) return;
    setSending(true);
    setProblem(null);
    try {
      await requestReplay(conversation.id, { ...wish, leaf_id: leafId }, key);
      announce('The branch is being run again');
      void queryClient.invalidateQueries({ queryKey: keys.replays(conversation.id) });
      void queryClient.invalidateQueries({ queryKey: keys.transcript(conversation.id) });
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setSending(false);
    }
  };

  const options = models?.results ?? [];
  return (
    <form ref={form} className={styles.form} onSubmit={(event) => void submit(event)}>
      {problem && <Notice>{problem.message}</Notice>}
      <div className={styles.field}>
        <label htmlFor={`${id}-model`}>Model</label>
        <select
          id={`${id}-model`}
          className={styles.input}
          value={fields.model}
          onChange={(event) => change({ model: event.target.value })}
        >
          {!options.some((model) => model.id === before.model) && <option value={before.model}>{before.model}</option>}
          {options.map((model) => (
            <option key={`${model.runner}/${model.id}`} value={model.id}>
              {model.name}
              {model.id === before.model ? ' (as now)' : ''}
              {model.reachable ? '' : ' (does not answer now)'}
            </option>
          ))}
        </select>
      </div>
      <div className={styles.field}>
        <label htmlFor={`${id}-system`}>System prompt</label>
        <textarea
          id={`${id}-system`}
          className={styles.input}
          rows={3}
          value={fields.systemPrompt}
          onChange={(event) => change({ systemPrompt: event.target.value })}
        />
      </div>
      <details className={styles.details}>
        <summary>Parameters</summary>
        <div className={styles.parameters}>
          {PARAMETERS.map(({ name, label, hint, inputMode }) => (
            <Field
              key={name}
              label={label}
              hint={hint}
              inputMode={/** @type {'decimal'|'numeric'} */ (inputMode)}
              errors={problem?.fields[name] ?? problem?.fields[`params.${name}`]}
              value={fields.params[name] ?? ''}
              onChange={(event) => change({ params: { ...fields.params, [name]: event.target.value } })}
            />
          ))}
        </div>
      </details>
      <p id={`${id}-what`} className={styles.what}>
        {tree.isPending ? 'Counting your messages…' : whatItDoes(turns)}
        {!wish && ' Change the model, the system prompt or a parameter first.'}
      </p>
      {tree.isError && <Notice>{asProblem(tree.error).message}</Notice>}
      <div className={styles.actions}>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="primary"
          type="submit"
          disabled={sending || !wish || turns === 0}
          aria-describedby={`${id}-what`}
        >
          {sending ? 'Starting…' : 'Run again'}
        </Button>
      </div>
    </form>
  );
}

/** @param {number} turns */
function whatItDoes(turns) {
  if (turns === 0) return 'This branch has no message of yours to send again.';
  const calls = turns === 1 ? 'one model call' : `${turns.toLocaleString('en')} model calls`;
  return `Makes ${calls} as a new branch; the original stays as it is.`;
}
