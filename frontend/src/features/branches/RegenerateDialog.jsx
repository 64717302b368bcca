/** "Regenerate with…": another model or other parameters for one reply. The conversation's settings stay as they are. */
import { useState } from 'react';

import { Button } from '../../ui/Button.jsx';
import { Dialog } from '../../ui/Dialog.jsx';
import { findModel, useModels } from '../composer/models.js';
import { ParameterFields } from '../settings/ParameterFields.jsx';
import { ModelField } from '../settings/SettingsFields.jsx';
import { paramErrors, paramsOf, sameParams, textsOf } from '../settings/params.js';
import styles from '../settings/fields.module.css';

/** @typedef {import('../../api/branches.js').RegenerateWish} RegenerateWish */
/** @typedef {import('../../api/types.js').ConversationSettings} ConversationSettings */

/**
 * @param {{
 *   settings: ConversationSettings,
 *   onRegenerate: (wish: RegenerateWish) => void,
 *   onClose: () => void,
 * }} props
 */
export default function RegenerateDialog({ settings, onRegenerate, onClose }) {
  const models = useModels();
  const inForce = findModel(models.data, settings.model)?.id ?? settings.model;
  const [before] = useState(() => textsOf(settings.params));
  const [texts, setTexts] = useState(before);
  const [chosen, setChosen] = useState('');
  const model = chosen || inForce;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Regenerate with…"
      description="Makes another version of this reply. The one there is stays, and so do the settings of the conversation."
    >
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
          onRegenerate({
            ...(model && model !== inForce ? { model } : {}),
            ...(sameParams(texts, before) ? {} : { params: paramsOf(texts, settings.params) }),
          });
        }}
      >
        <ModelField model={model} inForce={inForce} withoutModel={null} onChange={setChosen} />
        <ParameterFields texts={texts} errors={paramErrors(null)} onChange={setTexts} />
        <div className={styles.actions}>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit">
            Regenerate
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
