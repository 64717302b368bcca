/** What screens read and do about conversations: React Query over src/api, kept current by src/app/cache.js. */
import { useMutation, useQuery } from '@tanstack/react-query';

import * as api from '../../api/conversations.js';
import { livePosition, noteLivePosition } from '../../api/positions.js';
import { asProblem } from '../../api/problems.js';
import {
  catchUpConversation,
  catchUpList,
  completeConversation,
  fetchCurrent,
  findConversation,
  keys,
  showConversation,
} from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { appendPage, mergeLatestPage, prependOlderPage, toList } from '../../app/reduceChange.js';
import { useSession } from '../../auth/session.js';
import { showToast } from '../../ui/toasts.jsx';

/** @typedef {import('../../api/types.js').Conversation} Conversation */
/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('../../app/reduceChange.js').ConversationList} ConversationList */
/** @typedef {import('../../app/reduceChange.js').Transcript} Transcript */
/** @typedef {import('../../app/reduceChange.js').View} View */

/**
 * @param {View} view
 * @param {{enabled?: boolean}} [options]
 */
export function useConversationList(view, { enabled = true } = {}) {
  return useQuery({
    queryKey: keys.list(view),
    enabled,
    queryFn: async ({ signal }) => {
      const list = toList(await api.fetchConversations(view, signal));
      // The live stream starts where the first page ends.
      if (view === 'active' && livePosition() === null) noteLivePosition(list.position);
      return catchUpList(list, view);
    },
  });
}

/** @param {string|null} id */
export function useConversation(id) {
  return useQuery({
    queryKey: keys.conversation(id ?? ''),
    enabled: id !== null,
    queryFn: async ({ signal }) => {
      const fetched = catchUpConversation(await api.fetchConversation(/** @type {string} */ (id), signal));
      /** @type {Conversation|undefined} */
      const cached = queryClient.getQueryData(keys.conversation(fetched.id));
      if (!cached || cached.version <= fetched.version) return fetched;
      // A change was faster: only what the detail alone says is taken.
      const { forked_from, branch_count, hidden_branch_count } = fetched;
      return { ...cached, forked_from, branch_count, hidden_branch_count };
    },
    initialData: () => (id === null ? undefined : findConversation(id)),
    // A row of the list is shown at once; what only the detail says is fetched.
    staleTime: (query) => (query.state.data?.branch_count === undefined ? 0 : Infinity),
  });
}

/**
 * @param {string|null} id
 * @param {string|null} [leafId] the end of a branch to look at; null: the selected branch
 * @param {{enabled?: boolean}} [options]
 */
export function useTranscript(id, leafId = null, { enabled = true } = {}) {
  const queryKey = leafId === null ? keys.transcript(id ?? '') : keys.branch(id ?? '', leafId);
  return useQuery({
    queryKey,
    enabled: id !== null && enabled,
    queryFn: ({ signal }) => {
      const conversationId = /** @type {string} */ (id);
      return fetchCurrent(conversationId, leafId === null, async () => {
        const page = await api.fetchTranscript(conversationId, leafId === null ? {} : { leaf: leafId }, signal);
        /** @type {Transcript} */
        const fetched = { rows: page.results, position: page.position, older: page.next };
        /** @type {Transcript|undefined} */
        const cached = queryClient.getQueryData(queryKey);
        return mergeLatestPage(cached, fetched);
      });
    },
  });
}

/** @type {Set<string>} */
const loading = new Set();

/**
 * @param {string} id
 * @param {string|null} [leafId] null: of the selected branch
 * @returns {Promise<void>}
 */
export async function loadOlderMessages(id, leafId = null) {
  const queryKey = leafId === null ? keys.transcript(id) : keys.branch(id, leafId);
  /** @type {Transcript|undefined} */
  const transcript = queryClient.getQueryData(queryKey);
  const what = leafId ?? id;
  if (!transcript?.older || loading.has(what)) return;
  loading.add(what);
  try {
    /** @type {import('../../api/types.js').Page<TranscriptRow>} */
    const page = await api.fetchPage(transcript.older);
    queryClient.setQueryData(queryKey, (/** @type {Transcript|undefined} */ now) =>
      now && now.older === transcript.older ? prependOlderPage(now, page) : now,
    );
  } finally {
    loading.delete(what);
  }
}

/**
 * @param {View} view
 * @returns {Promise<void>}
 */
export async function loadMoreConversations(view) {
  /** @type {ConversationList|undefined} */
  const list = queryClient.getQueryData(keys.list(view));
  if (!list?.next || loading.has(view)) return;
  loading.add(view);
  try {
    /** @type {import('../../api/types.js').Page<Conversation>} */
    const page = await api.fetchPage(list.next);
    queryClient.setQueryData(keys.list(view), (/** @type {ConversationList|undefined} */ now) =>
      now && now.next === list.next ? appendPage(now, page) : now,
    );
  } finally {
    loading.delete(view);
  }
}

/** @param {unknown} error */
const tell = (error) => showToast({ text: asProblem(error).message });

/** Rename, pin, unpin, archive, unarchive, choose another model. */
export function useChangeConversation() {
  const ownerId = useSession((session) => session.user?.id ?? '');
  return useMutation({
    /** @param {{id: string, fields: Parameters<typeof api.changeConversation>[1]}} change */
    mutationFn: ({ id, fields }) => api.changeConversation(id, fields),
    onSuccess: (answer, { id, fields }) => {
      const { model, ...plain } = fields;
      const completed = completeConversation({ ...plain, ...answer, id }, ownerId);
      const settings = answer.settings ?? (model ? { ...completed.settings, model } : completed.settings);
      showConversation({ ...completed, settings }, answer.position);
    },
    onError: tell,
  });
}

/** Deleting can be undone: the note that says so carries the button. */
export function useDeleteConversation() {
  const restore = useRestoreConversation();
  return useMutation({
    /** @param {Conversation} conversation */
    mutationFn: (conversation) => api.deleteConversation(conversation.id),
    onSuccess: (answer, conversation) => {
      showConversation({ ...conversation, deleted: true, version: conversation.version + 1 }, answer.position);
      showToast({
        text: 'Conversation deleted.',
        action: { label: 'Undo', run: () => restore.mutate(conversation) },
      });
    },
    onError: tell,
  });
}

function useRestoreConversation() {
  return useMutation({
    /** @param {Conversation} conversation */
    mutationFn: (conversation) => api.restoreConversation(conversation.id),
    onSuccess: (answer, conversation) => {
      const known = findConversation(conversation.id) ?? conversation;
      const version = Math.max(known.version, conversation.version + 2);
      showConversation({ ...known, deleted: false, version }, answer.position);
      showToast({ text: 'Conversation restored.' });
    },
    onError: tell,
  });
}
