/** A new preset, or another one's name and settings. */
import { useState } from 'react';

import { asProblem } from '../../api/problems.js';
import { Button } from '../../ui/Button.jsx';
import { Dialog } from '../../ui/Dialog.jsx';
import { Field, Notice, useFocusOnError } from '../../ui/Field.jsx';
import { showToast } from '../../ui/toasts.jsx';
import styles from './fields.module.css';
import { changesOf, formOf, settingsOf } from './form.js';
import { unplacedMessage } from './params.js';
import { changePreset, makePreset } from './presetQueries.js';
import { LONGEST_NAME } from './SavePreset.jsx';
import { SettingsFields } from './SettingsFields.jsx';

/** @typedef {import('../../api/presets.js').Preset} Preset */
/** @typedef {import('../../api/presets.js').PresetFields} PresetFields */
/** @typedef {import('../../api/problems.js').Problem} Problem */

/** @type {import('./form.js').Settings} */
const NOTHING_SET = { system_prompt: '', model: '', params: {} };

/** @param {{preset: Preset|null, onClose: () => void}} props preset: null for a new one */
export function PresetDialog({ preset, onClose }) {
  return (
    <Dialog
      open
      holdsForm
      onOpenChange={(open) => !open && onClose()}
      title={preset ? 'Edit preset' : 'New preset'}
      description="Conversations take over what a preset holds when it is used. A change here reaches none that have begun."
    >
      <PresetForm preset={preset} onClose={onClose} />
    </Dialog>
  );
}

/** @param {{preset: Preset|null, onClose: () => void}} props */
function PresetForm({ preset, onClose }) {
  const [before] = useState(() => formOf(preset ?? NOTHING_SET));
  const [form, setForm] = useState(before);
  const [name, setName] = useState(preset?.name ?? '');
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState(/** @type {Problem|null} */ (null));
  const element = useFocusOnError(problem);
  /** @type {Partial<PresetFields>} */
  const changes = {
    ...(name === preset?.name ? {} : { name }),
    ...changesOf(form, before, preset?.params),
  };
  const canSave = !saving && name.trim() !== '' && Object.keys(changes).length > 0;

  /** @param {import('react').FormEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    if (!canSave) return;
    setSaving(true);
    setProblem(null);
    try {
      const saved = preset ? await changePreset(preset, changes) : await makePreset({ ...settingsOf(form), name });
      showToast({ text: `Preset “${saved.name}” saved.` });
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setSaving(false);
    }
  };

  const unplaced = unplacedMessage(problem);
  return (
    <form ref={element} className={styles.form} onSubmit={(event) => void submit(event)}>
      {unplaced && <Notice>{unplaced}</Notice>}
      <Field
        label="Name"
        value={name}
        required
        maxLength={LONGEST_NAME}
        autoComplete="off"
        errors={problem?.fields.name}
        onChange={(event) => setName(event.target.value)}
      />
      <SettingsFields
        form={form}
        problem={problem}
        withoutModel="None of its own"
        onChange={(some) => setForm((now) => ({ ...now, ...some }))}
      />
      <div className={styles.actions}>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" type="submit" disabled={!canSave}>
          {saving ? 'Saving…' : 'Save preset'}
        </Button>
      </div>
    </form>
  );
}
