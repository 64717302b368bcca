/** Chooses the model: of a new conversation, or for the next replies of this one. */
import { Suspense, lazy, useId, useState } from 'react';

import { asProblem } from '../../api/problems.js';
import { CheckIcon, ChevronIcon } from '../../ui/icons.jsx';
import { MenuChosen, MenuContent, MenuLabel, MenuRadioGroup, MenuRadioItem, MenuRoot, MenuTrigger } from '../../ui/Menu.jsx';
import styles from './ModelPicker.module.css';
import { byRunner, describeModel, findModel, fullName, modelName, severalRunners, useModels, withoutRunner } from './models.js';

const ModelSearch = lazy(() => import('./ModelSearch.jsx'));

/** @typedef {import('../../api/types.js').ModelInfo} ModelInfo */
/** @typedef {import('../../api/types.js').ModelList} ModelList */
/** @typedef {import('./models.js').RunnerGroup} RunnerGroup */

/** More than these are not looked through but searched. */
const MOST_IN_MENU = 8;

/** @param {{chosen: string, onChoose: (id: string) => void}} props chosen: empty for the default */
export function ModelPicker({ chosen, onChoose }) {
  const models = useModels();
  const [opened, setOpened] = useState(/** @type {'menu'|'search'|null} */ (null));
  const current = findModel(models.data, chosen);
  const name = current ? fullName(models.data, current) : chosen ? modelName(models.data, chosen) : 'Model';
  const down = current ? !current.reachable : false;
  // What is open stays what it is, however many models are listed meanwhile.
  const manner = opened ?? ((models.data?.results.length ?? 0) > MOST_IN_MENU ? 'search' : 'menu');
  /** @param {boolean} open */
  const onOpenChange = (open) => {
    if (open) void models.refetch();
    setOpened(open ? manner : null);
  };
  const trigger = {
    type: /** @type {const} */ ('button'),
    className: styles.trigger,
    'aria-label': `Model: ${name}${down ? ' (does not answer now)' : ''}`,
    children: (
      <>
        {down && <span className={styles.down} aria-hidden="true" />}
        <span className={styles.name}>{name}</span>
        <ChevronIcon />
      </>
    ),
  };

  if (manner === 'search' && models.data) {
    return (
      <>
        <button {...trigger} aria-haspopup="dialog" onClick={() => onOpenChange(true)} />
        {opened && (
          <Suspense fallback={null}>
            <ModelSearch
              list={models.data}
              current={current}
              onChoose={onChoose}
              onClose={() => onOpenChange(false)}
            />
          </Suspense>
        )}
      </>
    );
  }
  return (
    <MenuRoot open={opened !== null} onOpenChange={onOpenChange}>
      <MenuTrigger asChild>
        <button {...trigger} />
      </MenuTrigger>
      <MenuContent align="start" side="top" className={styles.menu}>
        {!models.data?.results.length && (
          <p className={styles.none}>
            {models.isError ? asProblem(models.error).message : models.isPending ? 'Asking for models…' : 'No model is available.'}
          </p>
        )}
        {models.data && <Groups list={models.data} current={current} onChoose={onChoose} />}
      </MenuContent>
    </MenuRoot>
  );
}

/** @param {{list: ModelList, current: ModelInfo|undefined, onChoose: (id: string) => void}} props */
function Groups({ list, current, onChoose }) {
  if (severalRunners(list)) {
    return byRunner(list).map((group) => <Group key={group.runner} group={group} current={current} onChoose={onChoose} />);
  }
  return (
    <MenuRadioGroup value={current?.id ?? ''} onValueChange={onChoose}>
      <Choices models={list.results} belowRunner={false} />
    </MenuRadioGroup>
  );
}

/** @param {{group: RunnerGroup, current: ModelInfo|undefined, onChoose: (id: string) => void}} props */
function Group({ group, current, onChoose }) {
  const id = useId();
  return (
    <MenuRadioGroup value={current?.id ?? ''} onValueChange={onChoose} aria-labelledby={id} className={styles.group}>
      <MenuLabel id={id} className={styles.runner}>
        <strong>{group.runner}</strong>
        {group.trouble && <span className={styles.trouble}>{group.trouble}</span>}
        {!group.trouble && group.models.length === 0 && <span>Offers no model.</span>}
      </MenuLabel>
      <Choices models={group.models} belowRunner />
    </MenuRadioGroup>
  );
}

/** @param {{models: ModelInfo[], belowRunner: boolean}} props */
function Choices({ models, belowRunner }) {
  return models.map((model) => (
    <MenuRadioItem key={`${model.runner}/${model.id}`} value={model.id}>
      <span className={styles.words}>
        <span>{withoutRunner(model.name)}</span>
        <span className={styles.about}>{describeModel(model, belowRunner)}</span>
      </span>
      <MenuChosen>
        <CheckIcon />
      </MenuChosen>
    </MenuRadioItem>
  ));
}
