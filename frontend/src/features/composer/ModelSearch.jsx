/** Chooses a model where there are many: words narrow the list, the arrow keys go through it, Enter chooses. */
import { useEffect, useId, useRef, useState } from 'react';

import { announce } from '../../ui/announcer.jsx';
import { Dialog } from '../../ui/Dialog.jsx';
import { CheckIcon } from '../../ui/icons.jsx';
import styles from './ModelSearch.module.css';
import { byRunner, describeModel, searchModels, severalRunners, withoutRunner } from './models.js';

/** @typedef {import('../../api/types.js').ModelInfo} ModelInfo */
/** @typedef {import('../../api/types.js').ModelList} ModelList */

/**
 * @param {{
 *   list: ModelList,
 *   current: ModelInfo|undefined,
 *   onChoose: (id: string) => void,
 *   onClose: () => void,
 * }} props
 */
export default function ModelSearch({ list, current, onChoose, onClose }) {
  const id = useId();
  const [text, setText] = useState('');
  /** @type {import('react').RefObject<HTMLInputElement|null>} */
  const field = useRef(null);
  const groups = byRunner(searchModels(list, text)).filter(({ models, trouble }) => models.length > 0 || (trouble && !text.trim()));
  const found = groups.flatMap(({ models }) => models);
  const [chosenIndex, setActive] = useState(() => Math.max(0, found.findIndex((model) => model.id === current?.id)));
  const active = Math.min(chosenIndex, found.length - 1);
  const optionId = (/** @type {number} */ index) => `${id}-option-${index}`;
  const activeId = active >= 0 ? optionId(active) : undefined;

  useEffect(() => {
    if (activeId) document.getElementById(activeId)?.scrollIntoView({ block: 'nearest' });
  }, [activeId]);
  const count = found.length;
  useEffect(() => {
    if (text.trim()) announce(count === 1 ? '1 model' : `${count} models`);
  }, [text, count]);

  /** @param {ModelInfo|undefined} model */
  const choose = (model) => {
    if (!model) return;
    onClose();
    if (model.id !== current?.id) onChoose(model.id);
  };

  /** @param {import('react').KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.nativeEvent.isComposing || count === 0) return;
    if (event.key === 'ArrowDown') setActive((active + 1) % count);
    else if (event.key === 'ArrowUp') setActive((active - 1 + count) % count);
    else if (event.key === 'Enter') choose(found[active]);
    else return;
    event.preventDefault();
  };

  const named = severalRunners(list);
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title="Choose a model" first={field}>
      <input
        ref={field}
        className={styles.field}
        role="combobox"
        aria-label="Search models"
        aria-expanded={count > 0}
        aria-controls={count > 0 ? `${id}-list` : undefined}
        aria-activedescendant={activeId}
        aria-autocomplete="list"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        placeholder="Search models"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      {count === 0 && <p className={styles.none}>No model has these words in its name. Try fewer words.</p>}
      {groups.length > 0 && (
        <div id={`${id}-list`} className={styles.list} role="listbox" aria-label="Models">
          {groups.map(({ runner, models, trouble }, place) => (
            <div key={runner} role="group" aria-labelledby={named ? `${id}-runner-${place}` : undefined}>
              {named && (
                <div id={`${id}-runner-${place}`} className={styles.runner} role="presentation">
                  <strong>{runner}</strong>
                  {trouble && <span className={styles.trouble}> · {trouble}</span>}
                </div>
              )}
              {models.map((model) => (
                <Option
                  key={`${runner}/${model.id}`}
                  id={optionId(found.indexOf(model))}
                  model={model}
                  belowRunner={named}
                  active={found[active] === model}
                  chosen={model.id === current?.id}
                  onActive={() => setActive(found.indexOf(model))}
                  onChoose={() => choose(model)}
                />
              ))}
            </div>
          ))}
        </div>
      )}
    </Dialog>
  );
}

/**
 * @param {{
 *   id: string,
 *   model: ModelInfo,
 *   belowRunner: boolean,
 *   active: boolean,
 *   chosen: boolean,
 *   onActive: () => void,
 *   onChoose: () => void,
 * }} props
 */
function Option({ id, model, belowRunner, active, chosen, onActive, onChoose }) {
  return (
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the field has the focus and the keys
    <div id={id} role="option" aria-selected={active} className={styles.option} onPointerMove={onActive} onClick={onChoose}>
      <span className={styles.words}>
        <span>
          {withoutRunner(model.name)}
          {chosen && <span className="visually-hidden"> (chosen now)</span>}
        </span>
        <span className={styles.about}>{describeModel(model, belowRunner)}</span>
      </span>
      {chosen && <CheckIcon />}
    </div>
  );
}
