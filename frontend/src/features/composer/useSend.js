/** Sending a message, starting the conversation first where there is none, and stopping the reply. */
import { useCallback } from 'react';
import { useNavigate } from 'react-router';

import { sendMessage, startConversation } from '../../api/conversations.js';
import { cancelCall } from '../../api/modelCalls.js';
import { Problem, asProblem } from '../../api/problems.js';
import { completeConversation, showConversation, startEmptyTranscript } from '../../app/cache.js';
import { showToast } from '../../ui/toasts.jsx';
import { liveText } from '../transcript/liveText.js';
import { NEW, beginSending, draftOf, moveDraft, sendingAccepted, sendingFailed } from './drafts.js';
import { putInOutbox, readdress, setSendProblem, takeFromOutbox } from './outbox.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../../api/types.js').MessageAnswer} MessageAnswer */
/** @typedef {import('../../app/cache.js').Sent} Sent */
/** @typedef {Parameters<typeof startConversation>[0]} NewSettings */

const MOST_BYTES = 256 * 1024;

/**
 * @param {string} content
 * @returns {Problem|null}
 */
function tooLong(content) {
  if (content.length * 3 <= MOST_BYTES) return null;
  const bytes = new TextEncoder().encode(content).length;
  if (bytes <= MOST_BYTES) return null;
  const message = `A message can be at most 256 KB; this one is ${Math.ceil(bytes / 1024)} KB. Shorten it, then send again.`;
  return new Problem({ status: 413, code: 'message_too_long', message });
}

/**
 * @param {object} where
 * @param {string} where.userId
 * @param {string|null} where.conversationId null: a new conversation
 * @param {NewSettings} where.settings for a new conversation
 * @param {string|null} where.replyModel the model that will answer, for the row shown at once
 * @param {string|null} where.leafId the last message shown
 * @param {() => void} where.onSend called at once, before any answer
 * @param {(conversationId: string, answer: MessageAnswer, sent: Sent) => void} where.onSent
 */
export function useSend({ userId, conversationId, settings, replyModel, leafId, onSend, onSent }) {
  const navigate = useNavigate();
  return useCallback(async () => {
    let id = conversationId ?? NEW;
    let draft = draftOf(userId, id);
    const refused = tooLong(draft.get().text);
    if (refused) {
      setSendProblem(id, refused);
      return;
    }
    const intent = beginSending(draft, leafId);
    if (!intent) return;
    setSendProblem(id, null);
    // Tried again, it answers the same message as before: one intent makes one message.
    const parentId = intent.parentId ?? null;
    putInOutbox({ key: intent.messageKey, conversationId: id, content: intent.content, parentId });
    onSend();
    try {
      if (conversationId === null) {
        const started = await startConversation(settings, intent.conversationKey);
        id = started.id;
        showConversation(completeConversation(started, userId), started.position);
        startEmptyTranscript(id, started.position);
        readdress(intent.messageKey, id);
        const moved = draftOf(userId, id);
        moveDraft(draft, moved);
        draft = moved;
        // Somebody who has gone elsewhere in the meantime is not pulled back.
        if (window.location.pathname === '/') navigate(`/c/${id}`, { replace: true });
      }
      const answer = await sendMessage(id, intent.content, intent.messageKey, parentId);
      sendingAccepted(draft);
      onSent(id, answer, { content: intent.content, parentId, model: replyModel });
    } catch (error) {
      sendingFailed(draft);
      setSendProblem(id, asProblem(error));
    } finally {
      takeFromOutbox(intent.messageKey);
    }
  }, [userId, conversationId, settings, replyModel, leafId, onSend, onSent, navigate]);
}

/**
 * Stop a reply: what is shown stays still at once, and the server records it.
 * @param {TranscriptRow} reply
 */
export async function stopReply(reply) {
  if (!reply.call_id) return;
  liveText.stop(reply.id);
  try {
    await cancelCall(reply.call_id);
  } catch (error) {
    liveText.resume(reply.id);
    showToast({ text: `The reply could not be stopped. ${asProblem(error).message}` });
  }
}
