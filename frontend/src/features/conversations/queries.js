/** What screens read and do about conversations: React Query over src/api, kept current by src/app/cache.js. */
import { useMutation, useQuery } from '@tanstack/react-query';

import * as api from '../../api/conversations.js';
import { livePosition, noteLivePosition } from '../../api/positions.js';
import { asProblem } from '../../api/problems.js';
import {
  catchUpList,
  catchUpTranscript,
  completeConversation,
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
    queryFn: ({ signal }) => api.fetchConversation(/** @type {string} */ (id), signal),
    initialData: () => (id === null ? undefined : findConversation(id)),
  });
}

/** @param {string|null} id */
export function useTranscript(id) {
  return useQuery({
    queryKey: keys.transcript(id ?? ''),
    enabled: id !== null,
    queryFn: async ({ signal }) => {
      const conversationId = /** @type {string} */ (id);
      const page = await api.fetchTranscript(conversationId, signal);
      /** @type {Transcript} */
      const fetched = { rows: page.results, position: page.position, older: page.next };
      /** @type {Transcript|undefined} */
      const cached = queryClient.getQueryData(keys.transcript(conversationId));
      return catchUpTranscript(conversationId, mergeLatestPage(cached, fetched));
    },
  });
}

/** @type {Set<string>} */
const loading = new Set();

/**
 * @param {string} id
 * @returns {Promise<void>}
 */
export async function loadOlderMessages(id) {
  /** @type {Transcript|undefined} */
  const transcript = queryClient.getQueryData(keys.transcript(id));
  if (!transcript?.older || loading.has(id)) return;
  loading.add(id);
  try {
    /** @type {import('../../api/types.js').Page<TranscriptRow>} */
    const page = await api.fetchPage(transcript.older);
    queryClient.setQueryData(keys.transcript(id), (/** @type {Transcript|undefined} */ now) =>
      now && now.older === transcript.older ? prependOlderPage(now, page) : now,
    );
  } finally {
    loading.delete(id);
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
