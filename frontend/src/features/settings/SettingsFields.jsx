/** Model, system prompt and parameters, as conversations, presets and replays have them. */
import { AreaField, Labelled } from '../../ui/Field.jsx';
import { byRunner, findModel, severalRunners, useModels, withoutRunner } from '../composer/models.js';
import { ParameterFields } from './ParameterFields.jsx';
import { paramErrors } from './params.js';

/** @typedef {import('./form.js').SettingsForm} SettingsForm */
/** @typedef {import('../../api/problems.js').Problem} Problem */

/**
 * @param {{
 *   form: SettingsForm,
 *   problem: Problem|null,
 *   inForce?: string,
 *   withoutModel?: string|null,
 *   onChange: (changed: Partial<SettingsForm>) => void,
 * }} props inForce: the model that is marked as the present one; withoutModel: what no model means here, null where
 *   one has to be named
 */
export function SettingsFields({ form, problem, inForce = '', withoutModel = null, onChange }) {
  return (
    <>
      <ModelField
        model={form.model}
        errors={problem?.fields.model}
        inForce={inForce}
        withoutModel={withoutModel}
        onChange={(model) => onChange({ model })}
      />
      <AreaField
        label="System prompt"
        hint="What the model is told before your messages. May be empty."
        rows={4}
        errors={problem?.fields.system_prompt}
        value={form.systemPrompt}
        onChange={(event) => onChange({ systemPrompt: event.target.value })}
      />
      <ParameterFields texts={form.params} errors={paramErrors(problem)} onChange={(params) => onChange({ params })} />
    </>
  );
}

/**
 * @param {{
 *   model: string,
 *   errors?: string[],
 *   inForce: string,
 *   withoutModel: string|null,
 *   onChange: (model: string) => void,
 * }} props
 */
export function ModelField({ model, errors, inForce, withoutModel, onChange }) {
  const models = useModels();
  const offered = models.data?.results ?? [];
  const unknown = [...new Set([inForce, model])].filter((id) => id && !offered.some((other) => other.id === id));
  return (
    <Labelled label="Model" errors={errors}>
      {(control) => (
        <select {...control} value={model} onChange={(event) => onChange(event.target.value)}>
          {withoutModel !== null && <option value="">{withoutModel}</option>}
          {unknown.map((id) => (
            <option key={id} value={id}>
              {id}
              {models.data ? ' (not offered now)' : ''}
            </option>
          ))}
          {models.data && severalRunners(models.data)
            ? byRunner(models.data).map(({ runner, models: below }) => (
                <optgroup key={runner} label={runner}>
                  {below.map((option) => modelOption(option, inForce))}
                </optgroup>
              ))
            : offered.map((option) => modelOption(option, inForce))}
        </select>
      )}
    </Labelled>
  );
}

/**
 * @param {import('../../api/types.js').ModelInfo} option
 * @param {string} inForce
 */
function modelOption(option, inForce) {
  return (
    <option key={option.id} value={option.id}>
      {withoutRunner(option.name)}
      {option.id === inForce ? ' (as now)' : ''}
      {option.reachable ? '' : ' (does not answer now)'}
    </option>
  );
}

/** What the default model is called now. */
export function useDefaultModelName() {
  const models = useModels();
  return withoutRunner(findModel(models.data, '')?.name ?? '');
}
