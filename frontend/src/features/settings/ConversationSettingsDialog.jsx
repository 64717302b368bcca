/** The settings of one conversation, from its next message on. Only what was changed is sent. */
import { useState } from 'react';

import { changeConversation } from '../../api/conversations.js';
import { asProblem } from '../../api/problems.js';
import { completeConversation, showConversation } from '../../app/cache.js';
import { useSession } from '../../auth/session.js';
import { Button } from '../../ui/Button.jsx';
import { Dialog } from '../../ui/Dialog.jsx';
import { Notice, useFocusOnError } from '../../ui/Field.jsx';
import { showToast } from '../../ui/toasts.jsx';
import { ApplyPreset } from './ApplyPreset.jsx';
import styles from './fields.module.css';
import { changesOf, formOf, settingsOf, withPreset } from './form.js';
import { SavePreset } from './SavePreset.jsx';
import { unplacedMessage } from './params.js';
import { SettingsFields, useDefaultModelName } from './SettingsFields.jsx';

/** @typedef {import('../../api/types.js').Conversation} Conversation */
/** @typedef {import('../../api/problems.js').Problem} Problem */
/** @typedef {import('./form.js').SettingsForm} SettingsForm */

/** @param {{conversation: Conversation, onClose: () => void}} props */
export default function ConversationSettingsDialog({ conversation, onClose }) {
  return (
    <Dialog
      open
      holdsForm
      onOpenChange={(open) => !open && onClose()}
      title="Conversation settings"
      description="In force from your next message on. Earlier replies keep what was in force then."
    >
      <ConversationSettingsForm conversation={conversation} onClose={onClose} />
    </Dialog>
  );
}

/** @param {{conversation: Conversation, onClose: () => void}} props */
function ConversationSettingsForm({ conversation, onClose }) {
  const ownerId = useSession((session) => session.user?.id ?? '');
  const defaultModel = useDefaultModelName();
  const [before] = useState(() => formOf(conversation.settings));
  const [form, setForm] = useState(before);
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState(/** @type {Problem|null} */ (null));
  const element = useFocusOnError(problem);
  const changes = changesOf(form, before, conversation.settings.params);
  const changed = Object.keys(changes).length > 0;

  /** @param {Partial<SettingsForm>} some */
  const change = (some) => setForm((now) => ({ ...now, ...some }));

  /** @param {import('react').FormEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    if (saving || !changed) return;
    setSaving(true);
    setProblem(null);
    try {
      const answer = await changeConversation(conversation.id, changes);
      showConversation(completeConversation(answer, ownerId), answer.position);
      showToast({ text: 'Settings saved. They are in force from your next message on.' });
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setSaving(false);
    }
  };

  const unplaced = unplacedMessage(problem);
  return (
    <form ref={element} className={styles.form} onSubmit={(event) => void submit(event)}>
      <ApplyPreset onApply={(preset) => setForm((now) => withPreset(now, preset))} />
      {unplaced && <Notice>{unplaced}</Notice>}
      <SettingsFields
        form={form}
        problem={problem}
        inForce={before.model}
        withoutModel={before.model === '' ? defaultName(defaultModel) : null}
        onChange={change}
      />
      <hr className={styles.line} />
      <SavePreset settings={settingsOf(form)} errors={problem?.fields.name} onProblem={setProblem} />
      <div className={styles.actions}>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" type="submit" disabled={saving || !changed}>
          {saving ? 'Saving…' : 'Save settings'}
        </Button>
      </div>
    </form>
  );
}

/** @param {string} name */
const defaultName = (name) => (name ? `The default (${name})` : 'The default');
