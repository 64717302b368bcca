/** Pure: what happened to a conversation, in words instead of stored names. */

/** @type {Record<string, string>} */
const WORDS = {
  ConversationStarted: 'Conversation started',
  SystemPromptChanged: 'System prompt changed',
  ModelSettingsChanged: 'Model or parameters changed',
  UserMessageSent: 'Message sent',
  ReplyRequested: 'Reply asked for',
  ReplyRecorded: 'Reply recorded',
  MessageImported: 'Message imported',
  BranchSelected: 'Another branch selected',
  BranchHidden: 'Branch hidden',
  BranchShown: 'Branch shown again',
  ReplayRequested: 'Replay started',
  ReplayStopped: 'Replay stopped at a failed turn',
  ReplayResumed: 'Replay resumed',
  ReplayFinished: 'Replay finished',
  ReplayCancelled: 'Replay cancelled',
  ConversationRenamed: 'Renamed',
  ConversationTitled: 'Named by a model',
  ConversationPinned: 'Pinned',
  ConversationUnpinned: 'Unpinned',
  ConversationArchived: 'Archived',
  ConversationUnarchived: 'Taken out of the archive',
  ConversationDeleted: 'Deleted',
  ConversationRestored: 'Restored',
};

/**
 * @param {string} topic a stored name, such as ConversationRenamed.v1
 * @returns {string}
 */
export function eventInWords(topic) {
  const name = topic.replace(/\.v\d+$/, '');
  const known = WORDS[name];
  if (known) return known;
  // An event that is younger than this page: its name is made of words.
  const words = name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
