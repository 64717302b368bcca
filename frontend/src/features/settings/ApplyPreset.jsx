/** Fills in the settings of a preset. Nothing is in force before the dialog around it is saved. */
import { useState } from 'react';

import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { Labelled } from '../../ui/Field.jsx';
import styles from './fields.module.css';
import { usePresets } from './presetQueries.js';

/** @typedef {import('../../api/presets.js').Preset} Preset */

/** @param {{onApply: (preset: Preset) => void}} props */
export function ApplyPreset({ onApply }) {
  const presets = usePresets();
  const [id, setId] = useState('');
  const chosen = presets.data?.find((preset) => preset.id === id);
  if (!presets.data || presets.data.length === 0) return null;

  const apply = () => {
    if (!chosen) return;
    onApply(chosen);
    announce(`Filled in from “${chosen.name}”. Save to put it in force.`);
  };
  return (
    <div className={styles.preset}>
      <Labelled label="Fill in from a preset">
        {(control) => (
          <select {...control} value={chosen ? id : ''} onChange={(event) => setId(event.target.value)}>
            <option value="">Choose a preset</option>
            {presets.data.map((preset) => (
              <option key={preset.id} value={preset.id}>
                {preset.name}
              </option>
            ))}
          </select>
        )}
      </Labelled>
      <Button disabled={!chosen} onClick={apply}>
        Fill in
      </Button>
    </div>
  );
}
