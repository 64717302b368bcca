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
import { Notice, useFocusOnError } from '../../ui/Field.jsx';
import { pathTo } from '../branches/tree/shape.js';
import { useShape, useTree } from '../branches/treeQueries.js';
import { findModel, useModels } from '../composer/models.js';
import { SettingsFields } from '../settings/SettingsFields.jsx';
import { changesOf, formOf } from '../settings/form.js';
import { unplacedMessage } from '../settings/params.js';
import styles from './ReplayDialog.module.css';

/** @typedef {import('../../api/types.js').Conversation} Conversation */
/** @typedef {import('../../api/types.js').ModelList} ModelList */
/** @typedef {import('../settings/form.js').SettingsForm} SettingsForm */

/** @param {{conversation: Conversation, leafId: string, onClose: () => void}} props */
export default function ReplayDialog({ conversation, leafId, onClose }) {
  const models = useModels();
  return (
    <Dialog
      open
      holdsForm
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
  const [before] = useState(() => ({
    ...formOf(settings),
    model: findModel(models, settings.model)?.id ?? settings.model,
  }));
  const [fields, setFields] = useState(before);
  const [key] = useState(() => crypto.randomUUID());
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState(/** @type {import('../../api/problems.js').Problem|null} */ (null));
  const form = useFocusOnError(problem);

  const turns = pathTo(shape, leafId).filter((node) => node.role === 'user').length;
  const wish = changesOf(fields, before, settings.params);
  const differs = Object.keys(wish).length > 0;
  /** @param {Partial<SettingsForm>} changed */
  const change = (changed) => setFields((now) => ({ ...now, ...changed }));

  /** @param {import('react').FormEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    if (sending || !differs) return;
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

  const unplaced = unplacedMessage(problem);
  return (
    <form ref={form} className={styles.form} onSubmit={(event) => void submit(event)}>
      {unplaced && <Notice>{unplaced}</Notice>}
      <SettingsFields form={fields} problem={problem} inForce={before.model} onChange={change} />
      <p id={`${id}-what`} className={styles.what}>
        {tree.isPending ? 'Counting your messages…' : whatItDoes(turns)}
        {!differs && ' Change the model, the system prompt or a parameter first.'}
      </p>
      {tree.isError && <Notice>{asProblem(tree.error).message}</Notice>}
      <div className={styles.actions}>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="primary"
          type="submit"
          disabled={sending || !differs || turns === 0}
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
