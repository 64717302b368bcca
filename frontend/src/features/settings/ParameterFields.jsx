/** The parameters of a model call, all of them, each with its own error: the one form that every dialog shows. */
import { useState } from 'react';

import { AreaField, Field } from '../../ui/Field.jsx';
import styles from './fields.module.css';
import { PARAMETERS, STOP_HINT, countSet } from './params.js';

/**
 * @param {{
 *   texts: import('./params.js').ParamTexts,
 *   errors: Record<string, string[]>,
 *   onChange: (texts: import('./params.js').ParamTexts) => void,
 * }} props
 */
export function ParameterFields({ texts, errors, onChange }) {
  const [open, setOpen] = useState(() => countSet(texts) > 0);
  const count = countSet(texts);
  // What was refused has to be in sight.
  const refused = Object.keys(errors).length > 0;
  return (
    <details className={styles.details} open={open || refused} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{count === 0 ? 'Parameters' : `Parameters · ${count} set`}</summary>
      <p className={styles.about}>What is left empty is up to the model runner.</p>
      <div className={styles.parameters}>
        {PARAMETERS.map(({ name, label, hint, inputMode }) => (
          <Field
            key={name}
            label={label}
            hint={hint}
            inputMode={inputMode}
            autoComplete="off"
            errors={errors[name]}
            value={texts[name] ?? ''}
            onChange={(event) => onChange({ ...texts, [name]: event.target.value })}
          />
        ))}
      </div>
      <AreaField
        label="Stop texts"
        hint={STOP_HINT}
        rows={2}
        spellCheck={false}
        errors={errors.stop}
        value={texts.stop ?? ''}
        onChange={(event) => onChange({ ...texts, stop: event.target.value })}
      />
    </details>
  );
}
