"""Digests of what was said so far, by which a program's list of messages is found again as a branch of ours.

Each message's digest takes in the one before it, so one digest stands for all messages up to its own. Nothing rests
on them for proof: they only say where a new call goes on. Pure.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from backend.domain.imported import ImportedContent
from backend.domain.message_tree import ASSISTANT

START: Final = b""
"""Before the first message. The system prompt is a setting of a conversation, not one of its messages."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message and what it follows. continues: the reply whose text goes on here."""

    parent_id: UUID | None
    role: str
    content: ImportedContent
    continues: UUID | None = None


class Messages(Protocol):
    """The messages of a conversation, and the digests that were made of them before."""

    def spoken(self, message_id: UUID) -> Spoken:
        """Raises CannotRebuildPrompt for a message that is not there."""

    def known_chain(self, message_id: UUID) -> bytes | None: ...

    def keep_chain(self, message_id: UUID, chain: bytes) -> None: ...


def link(before: bytes, role: str, content: ImportedContent) -> bytes:
    """The digest after one more message. before: the digest up to the message above it, or START."""
    said = json.dumps([role, content], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(before + said.encode("ascii")).digest()


def chain_of(messages: Messages, message_id: UUID) -> bytes:
    """The digest of all that was said up to a message.

    A reply that came to nothing adds nothing, and one that goes on from another is one message with it: that is how
    a program that copied the conversation would have them.
    """
    waiting: list[tuple[UUID, Spoken]] = []
    seen: set[UUID] = set()
    chain: bytes | None = None
    next_id: UUID | None = message_id
    while next_id is not None and next_id not in seen:
        if (chain := messages.known_chain(next_id)) is not None:
            break
        seen.add(next_id)
        waiting.append((next_id, messages.spoken(next_id)))
        next_id = waiting[-1][1].parent_id
    chain = START if chain is None else chain
    for waiting_id, spoken in reversed(waiting):
        if spoken.continues is not None:
            chain = _joined(messages, spoken)
        elif spoken.role != ASSISTANT or spoken.content:
            chain = link(chain, spoken.role, spoken.content)
        messages.keep_chain(waiting_id, chain)
    return chain


def _joined(messages: Messages, spoken: Spoken) -> bytes:
    """The digest after a reply that goes on from others, all of them taken as one message."""
    texts = [spoken.content]
    first, next_id = spoken, spoken.continues
    while next_id is not None:
        first = messages.spoken(next_id)
        texts.append(first.content)
        next_id = first.continues
    before = START if first.parent_id is None else chain_of(messages, first.parent_id)
    return link(before, ASSISTANT, "".join(text for text in reversed(texts) if isinstance(text, str)))
