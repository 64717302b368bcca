/** Keeps what stands in the form around it under a name of its own. It is no form itself: forms cannot be nested. */
import { useRef, useState } from 'react';

import { asProblem } from '../../api/problems.js';
import { Button } from '../../ui/Button.jsx';
import { Field } from '../../ui/Field.jsx';
import { showToast } from '../../ui/toasts.jsx';
import styles from './fields.module.css';
import { makePreset } from './presetQueries.js';

/** @typedef {import('../../api/problems.js').Problem} Problem */
/** @typedef {import('./form.js').Settings} Settings */

export const LONGEST_NAME = 200;

/**
 * @param {{settings: Settings, errors?: string[], onProblem: (problem: Problem|null) => void}} props onProblem: what
 *   the server refused, which may be a field of the form around this
 */
export function SavePreset({ settings, errors, onProblem }) {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState('');
  const [saving, setSaving] = useState(false);
  /** @type {import('react').RefObject<HTMLButtonElement|null>} */
  const opener = useRef(null);

  const save = async () => {
    if (saving || !name.trim()) return;
    setSaving(true);
    onProblem(null);
    try {
      const preset = await makePreset({ ...settings, name });
      showToast({ text: `Saved as the preset “${preset.name}”.` });
      setOpen(false);
      setName('');
      requestAnimationFrame(() => opener.current?.focus());
    } catch (error) {
      onProblem(asProblem(error));
    } finally {
      setSaving(false);
    }
  };

  if (!open) {
    return (
      <div className={styles.keepPart}>
        <Button ref={opener} onClick={() => setOpen(true)}>
          Save as preset…
        </Button>
      </div>
    );
  }
  return (
    <div className={styles.keep}>
      <Field
        label="Name of the preset"
        value={name}
        maxLength={LONGEST_NAME}
        autoComplete="off"
        errors={errors}
        // eslint-disable-next-line jsx-a11y/no-autofocus -- the person has just asked to type here
        autoFocus
        onChange={(event) => setName(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.nativeEvent.isComposing) return;
          // Else the form around this would be sent.
          event.preventDefault();
          void save();
        }}
      />
      <Button disabled={saving || !name.trim()} onClick={() => void save()}>
        {saving ? 'Saving…' : 'Save preset'}
      </Button>
    </div>
  );
}
