/** Chooses the model: of a new conversation, or for the next replies of this one. */
import { asProblem } from '../../api/problems.js';
import { CheckIcon, ChevronIcon } from '../../ui/icons.jsx';
import { MenuChosen, MenuContent, MenuRadioGroup, MenuRadioItem, MenuRoot, MenuTrigger } from '../../ui/Menu.jsx';
import styles from './ModelPicker.module.css';
import { findModel, modelName, useModels } from './models.js';

/** @typedef {import('../../api/types.js').ModelInfo} ModelInfo */

/** @param {ModelInfo} model */
function describe(model) {
  const parts = [model.runner];
  if (model.context_tokens) parts.push(`${model.context_tokens.toLocaleString('en')} tokens of context`);
  if (model.demonstration) parts.push('demonstration model');
  if (!model.reachable) parts.push('does not answer now');
  return parts.filter(Boolean).join(' · ');
}

/** @param {{chosen: string, onChoose: (id: string) => void}} props chosen: empty for the default */
export function ModelPicker({ chosen, onChoose }) {
  const models = useModels();
  const current = findModel(models.data, chosen);
  const name = current?.name ?? (chosen ? modelName(models.data, chosen) : 'Model');
  const list = models.data?.results ?? [];
  return (
    <MenuRoot onOpenChange={(open) => open && void models.refetch()}>
      <MenuTrigger asChild>
        <button type="button" className={styles.trigger} aria-label={`Model: ${name}`}>
          {current && !current.reachable && <span className={styles.down} aria-hidden="true" />}
          <span className={styles.name}>{name}</span>
          <ChevronIcon />
        </button>
      </MenuTrigger>
      <MenuContent align="start" side="top" className={styles.menu}>
        {list.length === 0 && (
          <p className={styles.none}>
            {models.isError ? asProblem(models.error).message : models.isPending ? 'Asking for models…' : 'No model is available.'}
          </p>
        )}
        <MenuRadioGroup value={current?.id ?? ''} onValueChange={onChoose}>
          {list.map((model) => (
            <MenuRadioItem key={`${model.runner}/${model.id}`} value={model.id}>
              <span className={styles.words}>
                <span>{model.name}</span>
                <span className={styles.about}>{describe(model)}</span>
              </span>
              <MenuChosen>
                <CheckIcon />
              </MenuChosen>
            </MenuRadioItem>
          ))}
        </MenuRadioGroup>
      </MenuContent>
    </MenuRoot>
  );
}
