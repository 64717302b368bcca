/** The centre of the application: a conversation, or the empty page where a new one begins. */
import { Suspense, lazy, useCallback, useMemo, useRef, useState } from 'react';
import { useParams } from 'react-router';

import { asProblem } from '../../api/problems.js';
import { NotFoundPage } from '../../app/NotFoundPage.jsx';
import { PageHead } from '../../app/PageHead.jsx';
import { useSession } from '../../auth/session.js';
import { Button } from '../../ui/Button.jsx';
import { Notice } from '../../ui/Field.jsx';
import { MenuItem, MenuLine } from '../../ui/Menu.jsx';
import { BranchBar } from '../branches/BranchBar.jsx';
import { ConversationTools } from '../branches/ConversationTools.jsx';
import { OriginLine } from '../branches/OriginLine.jsx';
import { useBranchView } from '../branches/useBranchView.js';
import { useStay } from '../branches/useStay.js';
import { useMessageActions } from '../branches/useMessageActions.js';
import { Composer } from '../composer/Composer.jsx';
import { NEW, draftOf } from '../composer/drafts.js';
import { ModelPicker } from '../composer/ModelPicker.jsx';
import { chooseForNew, findModel, modelName, useChosenForNew, useModels } from '../composer/models.js';
import { stillPending, useOutbox } from '../composer/outbox.js';
import { stopReply, useSend } from '../composer/useSend.js';
import { UNTITLED, isUnnamed } from '../conversations/naming.js';
import { useChangeConversation, useConversation } from '../conversations/queries.js';
import { useNewSettings } from '../settings/newSettings.js';
import styles from './ConversationPage.module.css';
import { EmptyPage } from './EmptyPage.jsx';
import { useEscapeStops, useReplyAnnouncements, useWaitAnnouncements } from './replySignals.js';
import { Transcript } from './Transcript.jsx';

const RegenerateDialog = lazy(() => import('../branches/RegenerateDialog.jsx'));
const Inspector = lazy(() => import('./Inspector.jsx'));
const TreePanel = lazy(() => import('../branches/tree/TreePanel.jsx'));
const ReplayBar = lazy(() => import('../replay/ReplayBar.jsx'));

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

/** @type {TranscriptRow[]} */
const NO_ROWS = [];

export function ConversationPage() {
  const { id = null } = useParams();
  return <ConversationView key={id ?? NEW} conversationId={id} />;
}

/** @param {{conversationId: string|null}} props */
function ConversationView({ conversationId }) {
  const userId = useSession((session) => session.user?.id ?? '');
  const conversation = useConversation(conversationId);
  const view = useBranchView(conversationId);
  const { transcript } = view;
  const models = useModels();
  const chosenForNew = useChosenForNew();
  const change = useChangeConversation();
  const outbox = useOutbox();
  /** @type {import('react').RefObject<import('../composer/Composer.jsx').ComposerHandle|null>} */
  const composer = useRef(null);
  const [pinSignal, setPinSignal] = useState(0);
  const [inspected, setInspected] = useState(/** @type {string|null} */ (null));
  const [tree, setTree] = useState(/** @type {'closed'|'open'|'withHidden'} */ ('closed'));
  const [differing, setDiffering] = useState(/** @type {TranscriptRow|null} */ (null));

  const rows = transcript.data?.rows ?? NO_ROWS;
  const last = rows.at(-1);
  const leafId = last?.id ?? null;
  const pendingReply = last?.outcome === 'pending' ? last : undefined;
  const pending = useMemo(() => stillPending(outbox, conversationId ?? NEW, rows), [outbox, conversationId, rows]);
  useReplyAnnouncements(last);
  useWaitAnnouncements(pendingReply);
  const selectedLeafId = conversation.data?.selected_leaf_id ?? null;
  const stayed = useStay(conversationId, view, selectedLeafId);
  useEscapeStops(pendingReply);

  const chosen = conversationId ? (conversation.data?.settings.model ?? '') : chosenForNew;
  const replyModel = findModel(models.data, chosen)?.id ?? (chosen || null);
  const toEnd = useCallback(() => setPinSignal((now) => now + 1), []);
  const onSent = useCallback(() => {
    toEnd();
    composer.current?.focus();
  }, [toEnd]);
  const { actions, busy, onAccepted } = useMessageActions({
    userId,
    conversationId,
    view,
    replyModel,
    onSent,
    onAskWhatDiffers: setDiffering,
  });
  const newSettings = useNewSettings(conversationId === null);
  const send = useSend({
    userId,
    conversationId,
    settings: newSettings,
    replyModel,
    leafId,
    onSend: toEnd,
    onSent: onAccepted,
  });
  const nameOf = useCallback(/** @param {string|null} model */ (model) => modelName(models.data, model), [models.data]);
  const onInspect = useCallback(/** @param {TranscriptRow} row */ (row) => setInspected(row.call_id), []);

  /** @param {string} model */
  const onChoose = (model) => {
    if (conversationId) change.mutate({ id: conversationId, fields: { model } });
    else chooseForNew(model);
  };

  const missing = [transcript.error, conversation.error].find((error) => error && asProblem(error).status === 404);
  if (missing || conversation.data?.deleted) return <NotFoundPage what="conversation" why={whyErased(missing)} />;

  // Its first message is on its way, or has just been sent: it brings the name.
  const coming = pending.length > 0 || rows.length > 0 || (conversationId !== null && !conversation.data);
  const title = coming && isUnnamed(conversation.data) ? '' : conversation.data?.title || UNTITLED;
  const origin = conversation.data?.forked_from ?? null;
  const empty = conversationId === null && pending.length === 0;
  return (
    <div className={styles.page}>
      <main className={styles.main} id="main">
        <PageHead
          title={empty ? '' : title}
          documentTitle={title || UNTITLED}
          tools={
            conversationId && conversation.data && (
              <ConversationTools
                conversation={conversation.data}
                leafId={leafId}
                treeOpen={tree !== 'closed' && inspected === null}
                onTree={() => {
                  setTree(tree === 'closed' || inspected !== null ? 'open' : 'closed');
                  setInspected(null);
                }}
              >
                <MenuLine />
                <MenuItem disabled={!leafId} onSelect={() => void actions.copyBranchLink()}>
                  Copy link to this branch
                </MenuItem>
                <MenuItem disabled={!leafId || busy} onSelect={actions.hideShown}>
                  Hide this branch
                </MenuItem>
                {Boolean(conversation.data.hidden_branch_count) && (
                  <MenuItem
                    onSelect={() => {
                      setTree('withHidden');
                      setInspected(null);
                    }}
                  >
                    Show hidden branches ({conversation.data.hidden_branch_count})
                  </MenuItem>
                )}
              </ConversationTools>
            )
          }
        />
        {origin && <OriginLine origin={origin} />}
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
            leafId={view.leafId}
            target={view.target}
            rows={rows}
            pending={pending}
            hasOlder={Boolean(transcript.data?.older)}
            nameOf={nameOf}
            sourceTitle={origin?.title ?? ''}
            busy={busy}
            actions={actions}
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
          {conversationId && (
            <BranchBar
              view={view}
              selectedLeafId={selectedLeafId}
              stayed={stayed}
              busy={busy}
              actions={actions}
              onDone={() => composer.current?.focus()}
            />
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
      {inspected && (
        <Suspense fallback={null}>
          <Inspector callId={inspected} onClose={() => setInspected(null)} />
        </Suspense>
      )}
      {tree !== 'closed' && !inspected && conversationId && (
        <Suspense fallback={null}>
          <TreePanel
            key={tree}
            conversationId={conversationId}
            withHidden={tree === 'withHidden'}
            onClose={() => setTree('closed')}
          />
        </Suspense>
      )}
      {differing && conversation.data && (
        <Suspense fallback={null}>
          <RegenerateDialog
            settings={conversation.data.settings}
            onRegenerate={(wish) => void actions.regenerate(differing, wish)}
            onClose={() => setDiffering(null)}
          />
        </Suspense>
      )}
    </div>
  );
}

/** The server's words for a conversation that was erased: when, by whom and why. @param {unknown} error */
function whyErased(error) {
  const problem = error ? asProblem(error) : null;
  return problem?.code === 'conversation_erased' ? problem.message : undefined;
}
