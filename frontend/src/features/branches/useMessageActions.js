/**
 * What can be done with a message: another version of it, going on, going to another version, a new conversation from
 * here, leaving its branch out of sight, links. Each asks the server once and shows the outcome at once; none of them
 * changes a message.
 */
import { useCallback, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useNavigate } from 'react-router';

import * as api from '../../api/branches.js';
import { asProblem } from '../../api/problems.js';
import {
  adoptBranch,
  catchUpTranscript,
  completeConversation,
  findConversation,
  keys,
  showConversation,
  showSent,
} from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { selectingHere } from '../../app/selections.js';
import { announce } from '../../ui/announcer.jsx';
import { copyText } from '../../ui/clipboard.js';
import { showToast } from '../../ui/toasts.jsx';
import { fetchBeside } from './branchPages.js';
import { beginSendingEdit, endEdit, sendingEditFailed } from './edits.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../../api/types.js').MessageAnswer} MessageAnswer */
/** @typedef {import('../../api/branches.js').SelectionAnswer} SelectionAnswer */
/** @typedef {import('../../app/cache.js').Sent} Sent */
/** @typedef {import('../../app/reduceChange.js').Transcript} Transcript */
/** @typedef {import('./useBranchView.js').BranchView} BranchView */

/** The server's own words, until its row comes. */
const GO_ON = 'Continue exactly where you stopped.';

/**
 * @typedef {object} Around what the actions are done in; read when one is done
 * @property {string} userId
 * @property {string|null} conversationId
 * @property {BranchView} view
 * @property {string|null} replyModel the model that answers when nothing else is said
 * @property {() => void} onSent a reply was asked for: go to the end, and to the composer
 * @property {(row: TranscriptRow) => void} onAskWhatDiffers a reply is to be made again with something else
 */

/**
 * @typedef {ReturnType<typeof useMessageActions>['actions']} MessageActions
 */

/** @param {Around} around */
export function useMessageActions(around) {
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const lastSwitch = useRef(0);
  const now = useRef(around);
  useLayoutEffect(() => {
    now.current = around;
  });

  /** Show what was sent on the branch that is on screen: it is the selected one now. */
  const onAccepted = useCallback(
    /** @param {string} conversationId @param {MessageAnswer} answer @param {Sent} sent */
    (conversationId, answer, sent) => {
      const { view } = now.current;
      const shown = view.leafId === null ? undefined : view.transcript.data;
      if (shown) queryClient.setQueryData(keys.transcript(conversationId), shown);
      showSent(conversationId, answer, sent);
      view.showSelected();
    },
    [],
  );

  const actions = useMemo(() => {
    /** Where it fails, the person is told why. @param {() => Promise<void>} action */
    const attempt = async (action) => {
      setBusy(true);
      try {
        await action();
      } catch (error) {
        showToast({ text: asProblem(error).message });
      } finally {
        setBusy(false);
      }
    };

    /** @param {(conversationId: string) => Promise<void>} action */
    const run = async (action) => {
      const { conversationId } = now.current;
      if (conversationId !== null) await attempt(() => action(conversationId));
    };

    const select = (/** @type {string} */ id, /** @type {string} */ messageId) =>
      selectingHere(id, api.selectBranch(id, messageId));

    /** @param {string} conversationId @param {SelectionAnswer} answer */
    const noteSelection = (conversationId, answer) => {
      const known = findConversation(conversationId);
      if (!known || known.version > answer.version) return;
      const { version, selected_leaf_id } = answer;
      showConversation({ ...known, version, selected_leaf_id }, answer.position);
    };

    /** @param {string} conversationId */
    const refetch = (conversationId) => {
      void queryClient.invalidateQueries({ queryKey: keys.conversation(conversationId) });
      void queryClient.invalidateQueries({ queryKey: keys.tree(conversationId) });
      return queryClient.invalidateQueries({ queryKey: keys.transcript(conversationId) });
    };

    /** @param {string} messageId of a branch to hide, or of all branches through it */
    const hide = (messageId) =>
      run(async (conversationId) => {
        const { view } = now.current;
        const before = view.leafId === null ? view.transcript.data?.rows.at(-1)?.id : undefined;
        noteSelection(conversationId, await selectingHere(conversationId, api.hideBranch(conversationId, messageId)));
        await refetch(conversationId);
        showToast({
          text: 'Branch hidden. Nothing is deleted: “Show hidden branches” brings it back.',
          action: {
            label: 'Undo',
            run: () =>
              void attempt(async () => {
                await api.showBranch(conversationId, messageId);
                if (before) noteSelection(conversationId, await select(conversationId, before));
                await refetch(conversationId);
                announce('Branch shown again');
              }),
          },
        });
      });

    return {
      /** @param {TranscriptRow} row a reply, or a message without one @param {api.RegenerateWish} [wish] */
      regenerate: (row, wish = {}) =>
        run(async (conversationId) => {
          const answer = await api.regenerateReply(conversationId, row.id, wish);
          const parentId = row.role === 'user' ? row.id : row.parent_id;
          const model = wish.model ?? now.current.replyModel;
          onAccepted(conversationId, answer, { content: null, parentId, model, continues: row.continues });
          now.current.onSent();
        }),

      /** @param {TranscriptRow} row a reply */
      askWhatDiffers: (row) => now.current.onAskWhatDiffers(row),

      /** @param {TranscriptRow} row a reply that ended too early */
      goOn: (row) =>
        run(async (conversationId) => {
          const answer = await api.continueReply(conversationId, row.id);
          const content = answer.message_id ? GO_ON : null;
          const model = now.current.replyModel;
          onAccepted(conversationId, answer, { content, parentId: row.id, model, continues: row.id });
          now.current.onSent();
        }),

      /** Send what was written in place of a message; where that fails, it stays there with the reason. @param {TranscriptRow} row */
      sendEdit: async (row) => {
        const { conversationId } = now.current;
        const intent = conversationId === null ? null : beginSendingEdit(row.id);
        if (conversationId === null || !intent) return;
        try {
          const answer = await api.editMessage(conversationId, row.id, intent.text, intent.key);
          endEdit(row.id);
          const model = now.current.replyModel;
          onAccepted(conversationId, answer, { content: intent.text, parentId: row.parent_id, model });
          now.current.onSent();
        } catch (error) {
          sendingEditFailed(row.id, asProblem(error));
        }
      },

      /** @param {string} versionId another version of a message on screen */
      switchTo: (versionId) =>
        run(async (conversationId) => {
          const { view } = now.current;
          const shown = view.transcript.data;
          lastSwitch.current += 1;
          const turn = lastSwitch.current;
          const [answer, guess] = await Promise.all([
            select(conversationId, versionId),
            fetchBeside(conversationId, { through: versionId }, shown),
          ]);
          const leaf = answer.selected_leaf_id ?? versionId;
          const branch = guess.leafId === leaf ? guess : await fetchBeside(conversationId, { leaf }, shown);
          // Who goes on quickly sees the version that was chosen last.
          if (turn !== lastSwitch.current) return;
          const { rows, older, position } = branch;
          // What was said elsewhere in the meantime does not move the branch that was just chosen.
          await adoptBranch(conversationId, catchUpTranscript(conversationId, { rows, older, position }, false));
          noteSelection(conversationId, answer);
          view.showSelected();
          const version = rows.find((candidate) => candidate.id === versionId);
          announce(version ? `Version ${version.sibling_index + 1} of ${version.sibling_count}` : '');
        }),

      /** Select the branch that is only looked at so far. */
      selectShown: () =>
        run(async (conversationId) => {
          const { view } = now.current;
          if (view.leafId === null) return;
          const answer = await select(conversationId, view.leafId);
          const shown = view.transcript.data;
          if (shown && answer.selected_leaf_id === shown.rows.at(-1)?.id) await adoptBranch(conversationId, shown);
          else void queryClient.invalidateQueries({ queryKey: keys.transcript(conversationId) });
          noteSelection(conversationId, answer);
          view.showSelected();
          announce('This is the selected branch now');
        }),

      /** @param {TranscriptRow} row */
      fork: (row) =>
        run(async (conversationId) => {
          const answer = await api.forkConversation(conversationId, row.id);
          const started = completeConversation(answer, now.current.userId);
          showConversation(started, answer.position);
          announce('Forked to a new conversation');
          await navigate(`/c/${answer.id}`);
        }),

      hide,

      /** Leave the branch on screen out of sight. */
      hideShown: () => {
        const leafId = now.current.view.transcript.data?.rows.at(-1)?.id;
        if (leafId) void hide(leafId);
      },

      /** Bring the branch on screen back into sight. */
      showShown: () =>
        run(async (conversationId) => {
          const leafId = now.current.view.transcript.data?.rows.at(-1)?.id;
          if (!leafId) return;
          await api.showBranch(conversationId, leafId);
          await refetch(conversationId);
          announce('Branch shown again');
        }),

      /** @param {TranscriptRow} row */
      copyMessageLink: (row) => copyText(linkTo(now.current.conversationId, `message=${row.id}`)),

      copyBranchLink: () => {
        const leafId = now.current.view.transcript.data?.rows.at(-1)?.id ?? '';
        return copyText(linkTo(now.current.conversationId, `leaf=${leafId}`));
      },
    };
  }, [navigate, onAccepted]);

  return { busy, actions, onAccepted };
}

/** @param {string|null} conversationId @param {string} query */
function linkTo(conversationId, query) {
  return `${window.location.origin}/c/${conversationId}?${query}`;
}
