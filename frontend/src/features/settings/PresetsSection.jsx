/** The presets of the person who is logged in, on the settings page: all of them, each to be edited or deleted. */
import { useEffect, useRef, useState } from 'react';

import { asProblem } from '../../api/problems.js';
import { Button } from '../../ui/Button.jsx';
import { ConfirmDialog } from '../../ui/Dialog.jsx';
import { Notice } from '../../ui/Field.jsx';
import { showToast } from '../../ui/toasts.jsx';
import { modelName, useModels } from '../composer/models.js';
import { summaryOf } from './form.js';
import { PresetDialog } from './PresetDialog.jsx';
import { deletePreset, usePresets } from './presetQueries.js';
import styles from './PresetsSection.module.css';

/** @typedef {import('../../api/presets.js').Preset} Preset */

export function PresetsSection() {
  const presets = usePresets();
  const models = useModels();
  const [editing, setEditing] = useState(/** @type {Preset|'new'|null} */ (null));
  const [deleting, setDeleting] = useState(/** @type {Preset|null} */ (null));
  /** @type {import('react').RefObject<HTMLButtonElement|null>} */
  const newButton = useRef(null);
  const removed = useRef('');

  useEffect(() => {
    if (removed.current === '' || presets.data?.some(({ id }) => id === removed.current)) return undefined;
    removed.current = '';
    // Its buttons had the focus and are gone; the question about it has closed by the next frame.
    const frame = requestAnimationFrame(() => {
      if (document.activeElement === document.body) newButton.current?.focus();
    });
    return () => cancelAnimationFrame(frame);
  }, [presets.data]);

  /** @param {Preset} preset */
  const remove = async (preset) => {
    try {
      removed.current = preset.id;
      await deletePreset(preset);
      showToast({ text: `Preset “${preset.name}” deleted.` });
    } catch (error) {
      removed.current = '';
      showToast({ text: asProblem(error).message });
    }
  };

  return (
    <>
      <p className={styles.about}>
        A preset keeps a system prompt, a model and parameters under a name. A new conversation can begin with one.
      </p>
      {presets.isError && !presets.data && (
        <div className={styles.trouble}>
          <Notice>{asProblem(presets.error).message}</Notice>
          <Button disabled={presets.isFetching} onClick={() => void presets.refetch()}>
            {presets.isFetching ? 'Asking…' : 'Retry'}
          </Button>
        </div>
      )}
      {presets.data && presets.data.length > 0 && (
        <ul className={styles.list} aria-label="Presets">
          {presets.data.map((preset) => (
            <li key={preset.id} className={styles.row}>
              <div className={styles.words}>
                <strong>{preset.name}</strong>
                <span>{summaryOf(preset, (model) => modelName(models.data, model))}</span>
              </div>
              <Button aria-label={`Edit ${preset.name}`} onClick={() => setEditing(preset)}>
                Edit
              </Button>
              <Button aria-label={`Delete ${preset.name}`} onClick={() => setDeleting(preset)}>
                Delete
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Button ref={newButton} onClick={() => setEditing('new')}>
        New preset…
      </Button>
      {editing && <PresetDialog preset={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
      <ConfirmDialog
        open={deleting !== null}
        onOpenChange={(open) => !open && setDeleting(null)}
        title="Delete this preset?"
        description={`“${deleting?.name ?? ''}” cannot be brought back. Conversations that were begun with it stay as they are.`}
        confirmLabel="Delete"
        onConfirm={() => deleting && void remove(deleting)}
      />
    </>
  );
}
