/** "Replay this call?" Nothing is sent, and nothing is recorded, before the person says so. */
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { regenerateReply } from '../../api/branches.js';
import { asProblem } from '../../api/problems.js';
import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { Dialog } from '../../ui/Dialog.jsx';
import { Notice } from '../../ui/Field.jsx';
import { modelName, useModels } from '../composer/models.js';
import styles from './CallPage.module.css';
import { wishOf } from './replayCall.js';

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */

/** @param {{call: ModelCall & {conversation_id: string, reply_id: string}, onClose: () => void}} props */
export default function ReplayCallDialog({ call, onClose }) {
  const models = useModels();
  const navigate = useNavigate();
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState('');
  const wish = wishOf(call, models.data);
  const id = call.conversation_id;

  const replay = async () => {
    setSending(true);
    setProblem('');
    try {
      await regenerateReply(id, call.reply_id, wish);
      for (const queryKey of [keys.transcript(id), keys.tree(id), keys.conversation(id)]) {
        void queryClient.invalidateQueries({ queryKey });
      }
      announce('The call is being made again, in a new branch');
      await navigate(`/c/${id}`);
    } catch (error) {
      setProblem(asProblem(error).message);
      setSending(false);
    }
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Replay this call?"
      description={`Asks ${modelName(models.data, wish.model ?? call.model)} again, after the same messages and with the parameters of this call; the system prompt is the one in force now. The answer becomes a new branch of the conversation. What is recorded stays as it is.`}
    >
      {problem && <Notice>{problem}</Notice>}
      <div className={styles.actions}>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" disabled={sending || models.isPending} onClick={() => void replay()}>
          {sending ? 'Asking…' : 'Replay in a new branch'}
        </Button>
      </div>
    </Dialog>
  );
}
