import { expect, test } from 'vitest';

import { eventInWords } from './eventWords.js';

test('events are told in words, whatever their version', () => {
  expect(eventInWords('ConversationRenamed.v1')).toBe('Renamed');
  expect(eventInWords('ReplyRequested.v1')).toBe('Reply asked for');
  expect(eventInWords('ReplyRequested.v2')).toBe('Reply asked for');
});

test('one that is not known yet is told by the words of its name', () => {
  expect(eventInWords('ConversationSharedWithTeam.v1')).toBe('Conversation shared with team');
});
