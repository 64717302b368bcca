/** The centre of the application: a conversation, or the empty page where a new one begins. */
import { Suspense, lazy, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useParams } from 'react-router';

import { regenerate } from '../../api/conversations.js';
import { asProblem } from '../../api/problems.js';
import { showSent } from '../../app/cache.js';
import { NotFoundPage } from '../../app/NotFoundPage.jsx';
import { PageHead } from '../../app/PageHead.jsx';
import { useSession } from '../../auth/session.js';
import { announce } from '../../ui/announcer.jsx';
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { showToast } from '../../ui/toasts.jsx';
import { ConversationTools } from '../branches/ConversationTools.jsx';
import { Composer } from '../composer/Composer.jsx';
import { NEW, draftOf } from '../composer/drafts.js';
import { ModelPicker } from '../composer/ModelPicker.jsx';
import { chooseForNew, findModel, modelName, useChosenForNew, useModels } from '../composer/models.js';
import { stillPending, useOutbox } from '../composer/outbox.js';
import { stopReply, useSend } from '../composer/useSend.js';
import { useChangeConversation, useConversation, useTranscript } from '../conversations/queries.js';
import styles from './ConversationPage.module.css';
import { EmptyPage } from './EmptyPage.jsx';
import { Inspector } from './Inspector.jsx';
import { firstSentence } from './seal.js';
import { Transcript } from './Transcript.jsx';

const TreePanel = lazy(() => import('../branches/tree/TreePanel.jsx'));
const ReplayBar = lazy(() => import('../replay/ReplayBar.jsx'));

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/** @type {TranscriptRow[]} */
const NO_ROWS = [];

/**
 * Say once that a reply began and once how it ended; never its words as they come.
 * @param {TranscriptRow|undefined} last
 */
function useReplyAnnouncements(last) {
  const pendingId = useRef('');
  const id = last?.id ?? '';
  const outcome = last?.outcome ?? null;
  const content = last?.content ?? '';
  useEffect(() => {
    if (outcome === 'pending') {
      if (pendingId.current !== id) announce('Assistant is replying');
      pendingId.current = id;
      return;
    }
    if (pendingId.current !== id || id === '') return;
    pendingId.current = '';
    if (outcome === 'complete') announce(`Reply finished. ${firstSentence(content)}`);
    else if (outcome === 'cancelled') announce('Reply ended by you');
    else announce('The reply did not finish');
  }, [id, outcome, content]);
}

/**
 * Esc stops the reply, unless it was meant for a menu, a dialog or a text being composed.
 * @param {TranscriptRow|undefined} pendingReply
 */
function useEscapeStops(pendingReply) {
  useEffect(() => {
    if (!pendingReply) return undefined;
    /** @param {KeyboardEvent} event */
    const onKeyDown = (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented || event.isComposing) return;
      if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]')) return;
      if (/** @type {HTMLElement} */ (event.target).closest?.('[data-owns-escape]')) return;
      void stopReply(pendingReply);
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [pendingReply]);
}

export function ConversationPage() {
  const { id = null } = useParams();
  return <ConversationView key={id ?? NEW} conversationId={id} />;
}

/** @param {{conversationId: string|null}} props */
function ConversationView({ conversationId }) {
  const userId = useSession((session) => session.user?.id ?? '');
  const conversation = useConversation(conversationId);
  const transcript = useTranscript(conversationId);
  const models = useModels();
  const chosenForNew = useChosenForNew();
  const change = useChangeConversation();
  const outbox = useOutbox();
  /** @type {import('react').RefObject<import('../composer/Composer.jsx').ComposerHandle|null>} */
  const composer = useRef(null);
  const [pinSignal, setPinSignal] = useState(0);
  const [inspected, setInspected] = useState(/** @type {string|null} */ (null));
  const [treeOpen, setTreeOpen] = useState(false);
  const [retrying, setRetrying] = useState(false);

  const rows = transcript.data?.rows ?? NO_ROWS;
  const last = rows.at(-1);
  const pendingReply = last?.outcome === 'pending' ? last : undefined;
  const pending = useMemo(() => stillPending(outbox, conversationId ?? NEW, rows), [outbox, conversationId, rows]);
  useReplyAnnouncements(last);
  useEscapeStops(pendingReply);

  const chosen = conversationId ? (conversation.data?.settings.model ?? '') : chosenForNew;
  const send = useSend({
    userId,
    conversationId,
    model: conversationId ? '' : chosen,
    replyModel: findModel(models.data, chosen)?.id ?? (chosen || null),
    leafId: last?.id ?? null,
    onSend: useCallback(() => setPinSignal((now) => now + 1), []),
  });
  const nameOf = useCallback(/** @param {string|null} model */ (model) => modelName(models.data, model), [models.data]);

  const onRetry = useCallback(
    /** @param {TranscriptRow} row */ async (row) => {
      if (!conversationId) return;
      setRetrying(true);
      try {
        const answer = await regenerate(conversationId, row.id);
        showSent(conversationId, answer, { content: null, parentId: row.parent_id, model: row.model });
        setPinSignal((now) => now + 1);
        composer.current?.focus();
      } catch (error) {
        showToast({ text: asProblem(error).message });
      } finally {
        setRetrying(false);
      }
    },
    [conversationId],
  );
  const onInspect = useCallback(/** @param {TranscriptRow} row */ (row) => setInspected(row.call_id), []);

  /** @param {string} model */
  const onChoose = (model) => {
    if (conversationId) change.mutate({ id: conversationId, fields: { model } });
    else chooseForNew(model);
  };

  const gone = [transcript.error, conversation.error].some((error) => error && asProblem(error).status === 404);
  if (gone || conversation.data?.deleted) return <NotFoundPage what="conversation" />;

  const title = conversation.data?.title ?? '';
  const empty = conversationId === null && pending.length === 0;
  return (
    <div className={styles.page}>
      <main className={styles.main} id="main">
        <PageHead
          title={empty ? '' : title || 'New conversation'}
          documentTitle={empty ? 'New conversation' : title}
          tools={
            conversationId && conversation.data && (
              <ConversationTools
                conversation={conversation.data}
                leafId={last?.id ?? null}
                treeOpen={treeOpen && inspected === null}
                onTree={() => {
                  setTreeOpen(!treeOpen || inspected !== null);
                  setInspected(null);
                }}
              />
            )
          }
        />
        {empty && (
          <EmptyPage
            onStart={(text) => {
              draftOf(userId, NEW).set((draft) => ({ ...draft, text }));
              composer.current?.focus();
            }}
          />
        )}
        {!empty && transcript.isError && (
          <div className={styles.message}>
            <Notice>{asProblem(transcript.error).message}</Notice>
            <Button onClick={() => void transcript.refetch()}>Retry</Button>
          </div>
        )}
        {!empty && !transcript.isError && conversationId && transcript.isPending && <div className={styles.message} />}
        {!empty && !transcript.isError && (!conversationId || !transcript.isPending) && (
          <Transcript
            conversationId={conversationId}
            rows={rows}
            pending={pending}
            hasOlder={Boolean(transcript.data?.older)}
            nameOf={nameOf}
            retrying={retrying || pendingReply !== undefined}
            onRetry={onRetry}
            onInspect={onInspect}
            pinSignal={pinSignal}
          />
        )}
        <div className={styles.foot}>
          {conversationId && (
            <Suspense fallback={null}>
              <ReplayBar conversationId={conversationId} />
            </Suspense>
          )}
          <Composer
            userId={userId}
            draftId={conversationId ?? NEW}
            replying={pendingReply !== undefined}
            onSend={() => void send()}
            onStop={() => pendingReply && void stopReply(pendingReply)}
            tools={<ModelPicker chosen={chosen} onChoose={onChoose} />}
            handle={composer}
          />
          <p className={styles.hint}>Models make mistakes. Every word is kept.</p>
        </div>
      </main>
      {inspected && <Inspector callId={inspected} onClose={() => setInspected(null)} />}
      {treeOpen && !inspected && conversationId && (
        <Suspense fallback={null}>
          <TreePanel conversationId={conversationId} onClose={() => setTreeOpen(false)} />
        </Suspense>
      )}
    </div>
  );
}
