/** On the empty page: which preset the new conversation begins with. Not there while there is no preset. */
import { useId } from 'react';

import { useChosenForNew } from '../composer/models.js';
import { choosePreset, useChosenPreset } from './newSettings.js';
import styles from './PresetChoice.module.css';
import { usePresets } from './presetQueries.js';

export function PresetChoice() {
  const id = useId();
  const presets = usePresets();
  const chosen = useChosenPreset(presets.data);
  const model = useChosenForNew();
  if (!presets.data || presets.data.length === 0) return null;

  /** @param {string} presetId */
  const choose = (presetId) =>
    choosePreset(presets.data.find((preset) => preset.id === presetId) ?? null, chosen, model);
  return (
    <div className={styles.choice}>
      <label htmlFor={id}>Begin with</label>
      <select id={id} value={chosen?.id ?? ''} onChange={(event) => choose(event.target.value)}>
        <option value="">No preset</option>
        {presets.data.map((preset) => (
          <option key={preset.id} value={preset.id}>
            {preset.name}
          </option>
        ))}
      </select>
    </div>
  );
}
