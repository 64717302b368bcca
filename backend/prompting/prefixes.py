"""Prompts of one conversation, fast: what branches and calls have in common is encoded and digested once.

The bytes are those of `build.build_prompt`, which stays the definition; the tests hold the two against
each other. A body is a head (parameters, the system message), the messages, and a tail, so the digest
after any message can be kept and gone on from. Pure; safe to share between threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from uuid import UUID

from backend.domain import events as e
from backend.domain.imported import ImportedContent, reply_content
from backend.domain.prompt_request import TITLE_BUILDER, PromptRequest
from backend.prompting.build import as_sent, check_builder, in_a_circle, title_prompt
from backend.prompting.chains import Spoken
from backend.prompting.pieces import (
    Digested,
    Frame,
    KeptMessage,
    closing,
    first_kept_of,
    frame_of,
    not_in_the_history,
    not_on_the_branch,
    piece_of,
    written,
)

KEPT_HEADS = 8
MESSAGE_SIZE = 500
"""About how many bytes of memory a message takes besides its text."""


@dataclass(frozen=True, slots=True)
class PromptBytes:
    """body: the exact bytes of one request. body_sha256: their digest in hex."""

    body: bytes
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Place:
    """A message of a branch. version: of the event that gave it its text; 0 for what a fork inherits."""

    message_id: UUID
    version: int


class BranchPrompts:
    """The messages of one conversation, in the form in which prompts need them.

    Events are taken in as they come; a fork begins with what it inherits. What has been taken in is
    never changed, except that a reply's text comes after its request.
    """

    def __init__(self, base: BranchPrompts | None = None) -> None:
        self.version = 0
        self.size = 0
        self._base = base
        self._messages: dict[UUID, KeptMessage] = {}
        self._system_prompts: list[tuple[int, str]] = []
        self._digested: dict[tuple[bytes, UUID | None], dict[UUID, Digested]] = {}
        # What was said, where that is more than the text that prompts hold of it.
        self._said: dict[UUID, tuple[str, ImportedContent]] = {}
        self._chains: dict[UUID, bytes] = {}
        self._lock = RLock()

    # ---- taking in --------------------------------------------------------------------------

    @classmethod
    def forked(cls, source: BranchPrompts, origin: e.ForkOrigin) -> BranchPrompts:
        """The beginning of a fork: the branch it inherits, and the system prompt in force there."""
        prompts = cls()
        for message_id, message in source._path(origin.message_id):
            # A text that came after the fork does not count in it; the reply is as empty as it was then.
            text = message.text if message.since <= origin.version else b""
            prompts._messages[message_id] = replace(message, text=text, made=0, since=0)
            if text == message.text and (said := source.said(message_id)) is not None:
                prompts._said[message_id] = said
            prompts.size += len(text) + MESSAGE_SIZE
        prompts._system_prompts = [(0, source.system_prompt_at(origin.version))]
        return prompts

    def take(self, events: Iterable[e.VerbatimEvent]) -> None:
        """Take in the next events of the conversation's own stream."""
        with self._lock:
            for event in events:
                self._take(event)
                self.version = event.originator_version

    def _take(self, event: e.VerbatimEvent) -> None:
        version = event.originator_version
        match event:
            case e.SystemPromptChanged():
                self._system_prompts.append((version, event.text))
            case e.UserMessageSent():
                self._put(event.message_id, event.parent_id, "user", event.content, None, version, version)
            case e.ReplyRequested():
                self._put(event.reply_id, event.parent_id, "assistant", "", event.continues, version, version)
            case e.MessageImported():
                role, text = as_sent(event.role, event.content)
                self._put(event.message_id, event.parent_id, role, text, None, version, version)
                self._said[event.message_id] = (event.role, event.content)
            case e.ReplyRecorded():
                if event.tool_calls:
                    self._said[event.reply_id] = (
                        "assistant",
                        reply_content(event.content, event.tool_calls),
                    )
                self._forget_digests_with(event.reply_id)
                asked = self._message(event.reply_id)
                self._put(
                    event.reply_id,
                    asked.parent_id,
                    "assistant",
                    event.content,
                    asked.continues,
                    asked.made,
                    version,
                )
            case _:
                pass

    def _put(
        self,
        message_id: UUID,
        parent_id: UUID | None,
        role: str,
        content: str,
        continues: UUID | None,
        made: int,
        since: int,
    ) -> None:
        text = written(message_id, content)
        self.size += len(text) + MESSAGE_SIZE
        self._messages[message_id] = KeptMessage(parent_id, role, text, continues, made, since)

    def _forget_digests_with(self, reply_id: UUID) -> None:
        """Digests made while a reply had no text; seldom any, since a pending reply is answered by nobody."""
        for known in self._digested.values():
            if reply_id in known:
                known.clear()
        if reply_id in self._chains:
            self._chains.clear()

    def with_pending(self, events: Sequence[e.VerbatimEvent]) -> BranchPrompts:
        """These prompts with events that are not stored yet; this object stays as it is."""
        twin = BranchPrompts(base=self)
        twin.take(events)
        return twin

    # ---- asking -----------------------------------------------------------------------------

    def digest(self, request: PromptRequest) -> tuple[str, int]:
        """The digest in hex and the length of a call's body, without making the body.

        Raises CannotRebuildPrompt as `build_prompt` does.
        """
        check_builder(request)
        if request.builder == TITLE_BUILDER:
            built = self.build(request)
            return built.body_sha256, len(built.body)
        frame = self._frame(request)
        messages = self._digested_to(frame, request.leaf_id, first_kept_of(request))
        if messages.since > request.version:
            messages = self._digested_as_of(frame, request)
        end = closing(messages.role) + frame.tail
        digest = messages.digest.copy()
        digest.update(end)
        return digest.hexdigest(), messages.length + len(end)

    def build(self, request: PromptRequest) -> PromptBytes:
        """The exact body of a call. Raises CannotRebuildPrompt as `build_prompt` does."""
        check_builder(request)
        if request.builder == TITLE_BUILDER:
            prompt = title_prompt(request, [message.content for message in self._kept(request)])
            return PromptBytes(prompt.body, prompt.body_sha256)
        frame = self._frame(request)
        pieces, role = [frame.head], "system"
        for message in self._kept(request):
            piece, role = piece_of(message, role)
            pieces.append(piece)
        pieces.append(closing(role) + frame.tail)
        body = b"".join(pieces)
        return PromptBytes(body, hashlib.sha256(body).hexdigest())

    def text_of(self, message_id: UUID) -> str:
        """A message's text as it was recorded."""
        return self._message(message_id).content

    def said(self, message_id: UUID) -> tuple[str, ImportedContent] | None:
        """Role and content of a message that was more than a text; None for any other."""
        found = self._said.get(message_id)
        return found if found is not None or self._base is None else self._base.said(message_id)

    def spoken(self, message_id: UUID) -> Spoken:
        """A message as it was said, for digests of what was said so far."""
        message = self._message(message_id)
        role, content = self.said(message_id) or (message.role, message.content)
        return Spoken(message.parent_id, role, content, message.continues)

    def known_chain(self, message_id: UUID) -> bytes | None:
        """The digest kept by `keep_chain`, if one is."""
        found = self._chains.get(message_id)
        return found if found is not None or self._base is None else self._base.known_chain(message_id)

    def keep_chain(self, message_id: UUID, chain: bytes) -> None:
        """Keep the digest of all that was said up to a message; it never changes once the message has its text."""
        if self._base is not None and message_id not in self._messages:
            self._base.keep_chain(message_id, chain)
        else:
            self._chains[message_id] = chain

    def lengths(self, leaf_id: UUID) -> list[tuple[UUID, str, int]]:
        """Each message of a branch, first message first: id, role, bytes of its text as sent."""
        return [(message_id, message.role, len(message.text)) for message_id, message in self._path(leaf_id)]

    def places(self, leaf_id: UUID | None) -> list[Place]:
        """Each message of a branch, first message first, with the version from which its text counts."""
        return [Place(message_id, message.since) for message_id, message in self._path(leaf_id)]

    def begins_alike(self, one: PromptRequest, other: PromptRequest) -> bool:
        """Whether two requests' bodies begin with the same bytes, up to where their branches part."""
        if TITLE_BUILDER in (one.builder, other.builder):
            return False
        return self._frame(one).head == self._frame(other).head and first_kept_of(one) == first_kept_of(other)

    def length_up_to(self, request: PromptRequest, message_id: UUID) -> int:
        """How many bytes of a request's body lie before the end of a message's text."""
        return self._digested_to(self._frame(request), message_id, first_kept_of(request)).length

    def system_prompt_at(self, version: int) -> str:
        """The system prompt in force at a version of the conversation."""
        for since, text in reversed(self._system_prompts):
            if since <= version:
                return text
        return "" if self._base is None else self._base.system_prompt_at(version)

    # ---- inside -----------------------------------------------------------------------------

    def _frame(self, request: PromptRequest) -> Frame:
        system_prompt = request.system_prompt
        if system_prompt is None:
            system_prompt = self.system_prompt_at(request.version)
        return frame_of(request, system_prompt)

    def _digested_to(self, frame: Frame, leaf_id: UUID | None, first_kept: UUID | None) -> Digested:
        """The digest up to a message, from the nearest message before it that is known."""
        with self._lock:
            known = self._known(frame, first_kept)
            waiting: list[tuple[UUID, KeptMessage]] = []
            found: Digested | None = None
            next_id = leaf_id
            while next_id is not None and found is None:
                if self._base is not None and next_id not in self._messages:
                    found = self._base._digested_to(frame, next_id, first_kept)
                    break
                found = known.get(next_id)
                if found is None:
                    message = self._message(next_id)
                    waiting.append((next_id, message))
                    if len(waiting) > self._count():
                        raise in_a_circle(leaf_id)
                    next_id = None if next_id == first_kept else message.parent_id
            if found is None:
                if first_kept is not None and (not waiting or waiting[-1][0] != first_kept):
                    raise not_on_the_branch(first_kept)
                found = Digested(hashlib.sha256(frame.head), len(frame.head), "system", 0)
            for message_id, message in reversed(waiting):
                piece, role = piece_of(message, found.role)
                digest = found.digest.copy()
                digest.update(piece)
                found = Digested(digest, found.length + len(piece), role, max(found.since, message.since))
                known[message_id] = found
            return found

    def _known(self, frame: Frame, first_kept: UUID | None) -> dict[UUID, Digested]:
        """What was digested under this head. Of a few heads only: each setting and cut makes another."""
        key = (frame.head, first_kept)
        known = self._digested.pop(key, {})
        while len(self._digested) >= KEPT_HEADS:
            del self._digested[next(iter(self._digested))]
        self._digested[key] = known
        return known

    def _digested_as_of(self, frame: Frame, request: PromptRequest) -> Digested:
        """As _digested_to where the branch has changed since: nothing can be shared."""
        digest, length, role = hashlib.sha256(frame.head), len(frame.head), "system"
        for message in self._kept(request):
            piece, role = piece_of(message, role)
            digest.update(piece)
            length += len(piece)
        return Digested(digest, length, role, request.version)

    def _kept(self, request: PromptRequest) -> list[KeptMessage]:
        """The messages that are sent, as of the request's version."""
        path = self._path(request.leaf_id)
        for message_id, message in reversed(path):
            if message.made > request.version:
                raise not_in_the_history(message_id)
        if request.trimming is not None:
            first_kept = request.trimming.first_kept_message_id
            places = [place for place, (message_id, _) in enumerate(path) if message_id == first_kept]
            if not places:
                raise not_on_the_branch(first_kept)
            path = path[places[0] :]
        return [
            message
            if message.since <= request.version
            # Before its end a reply counts as one without a text, and is left out.
            else replace(message, text=b"")
            for _, message in path
        ]

    def _path(self, leaf_id: UUID | None) -> list[tuple[UUID, KeptMessage]]:
        path: list[tuple[UUID, KeptMessage]] = []
        count = self._count()
        next_id = leaf_id
        while next_id is not None:
            message = self._message(next_id)
            path.append((next_id, message))
            if len(path) > count:
                raise in_a_circle(leaf_id)
            next_id = message.parent_id
        path.reverse()
        return path

    def _count(self) -> int:
        """At least as many as there are messages on any branch."""
        return len(self._messages) + (0 if self._base is None else self._base._count())

    def _message(self, message_id: UUID) -> KeptMessage:
        message = self._messages.get(message_id)
        if message is None:
            if self._base is None:
                raise not_in_the_history(message_id)
            message = self._base._message(message_id)
        return message
