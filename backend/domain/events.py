"""Everything that is ever remembered. Each event carries a TOPIC: its stored name, chosen once.

Stored names and fields are data and never change. A changed shape is a new class with `.v2`, an
upcaster from the old topic, a golden sample and a page in migrations-notes/.
Events hold values only: identifiers, texts, counts. Never secrets, never floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent
from eventsourcing.utils import register_topic

from backend.domain.erasure import ErasedCall
from backend.domain.prompt_request import PromptRequest
from backend.domain.values import Params

EVENT_CLASSES: dict[str, type[VerbatimEvent]] = {}
"""Every event class by its topic, in the order of definition."""


@dataclass(frozen=True)
class ForkOrigin:
    """Where a forked conversation continues from."""

    conversation_id: UUID
    version: int
    message_id: UUID


@dataclass(frozen=True)
class ReplayTurn:
    """Which turn of which replay asked for a reply. turn: counted from 1."""

    replay_id: UUID
    turn: int


@dataclass(frozen=True)
class ReplyError:
    """Why a reply did not become complete, in words for the person who waits for it."""

    code: str
    message: str


@dataclass(frozen=True)
class CallError:
    code: str
    message: str
    http_status: int | None = None


@dataclass(frozen=True)
class TokenUsage:
    prompt_tokens: int | None
    completion_tokens: int | None


class VerbatimEvent(AggregateEvent):
    """Base of all events: the library's identity plus our envelope. `timestamp` is stored as `at`."""

    event_id: UUID
    actor: str
    correlation_id: UUID
    causation_id: UUID | None

    TOPIC: ClassVar[str]

    def apply(self, aggregate: Any) -> None:
        """Let the aggregate take this event in; the aggregate owns how."""
        aggregate.apply_event(self)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        topic = cls.__dict__.get("TOPIC")
        if topic is None:
            return
        if topic in EVENT_CLASSES and EVENT_CLASSES[topic].__qualname__ != cls.__qualname__:
            raise TypeError(
                f"{cls.__name__} claims the topic {topic}, which {EVENT_CLASSES[topic].__name__} has. Choose another."
            )
        EVENT_CLASSES[topic] = cls
        register_topic(topic, cls)


class ErasedEvent(VerbatimEvent):
    """Stands for a stored event whose payload was erased: its place, its kind, and nothing else.

    Never stored as such and never applied. It has none of the envelope's fields. topic: of the event that it was;
    sha256: hex digest of the payload that is gone.
    """

    topic: str
    sha256: str


class ConversationEvent(VerbatimEvent):
    """Something that happened to a conversation; its stream is the conversation's id."""


class ConversationStarted(ConversationEvent, AggregateCreated):
    TOPIC = "ConversationStarted.v1"
    owner_id: UUID
    title: str
    forked_from: ForkOrigin | None


class SystemPromptChanged(ConversationEvent):
    TOPIC = "SystemPromptChanged.v1"
    text: str


class ModelSettingsChanged(ConversationEvent):
    TOPIC = "ModelSettingsChanged.v1"
    model: str
    params: Params


class UserMessageSent(ConversationEvent):
    TOPIC = "UserMessageSent.v1"
    message_id: UUID
    parent_id: UUID | None
    content: str


class ReplyRequested(ConversationEvent):
    """continues: the reply whose text goes on here. replay: the turn of a replay, where one asked.

    Version 1 had no `replay`; see migrations-notes/0001-replies-name-their-replay.md.
    """

    TOPIC = "ReplyRequested.v2"
    reply_id: UUID
    parent_id: UUID
    call_id: UUID
    continues: UUID | None
    replay: ReplayTurn | None


class ReplyRecorded(ConversationEvent):
    """outcome: complete, truncated, cancelled, interrupted or failed. tool_calls: as the runner gave them."""

    TOPIC = "ReplyRecorded.v1"
    reply_id: UUID
    call_id: UUID
    content: str
    reasoning: str
    tool_calls: list[Any]
    finish_reason: str | None
    outcome: str
    error: ReplyError | None


class MessageImported(ConversationEvent):
    """A message that a program outside brought along with a call: written elsewhere, shown here.

    role: system, user, assistant or tool. content: a text, or the client's parts. source: openai.
    """

    TOPIC = "MessageImported.v1"
    message_id: UUID
    parent_id: UUID | None
    role: str
    content: str | list[Any]
    source: str


class BranchSelected(ConversationEvent):
    """leaf_id: the message at the end of the branch that is looked at from now on."""

    TOPIC = "BranchSelected.v1"
    leaf_id: UUID


class BranchHidden(ConversationEvent):
    """leaf_id: the end of a branch that is left out of sight; its messages stay as they are."""

    TOPIC = "BranchHidden.v1"
    leaf_id: UUID


class BranchShown(ConversationEvent):
    TOPIC = "BranchShown.v1"
    leaf_id: UUID


class ReplayRequested(ConversationEvent):
    """leaf_id: the end of the branch whose user messages are sent again, `turns_total` of them.

    model, params: for every turn. system_prompt: an override, or None for the one in force.
    """

    TOPIC = "ReplayRequested.v1"
    replay_id: UUID
    leaf_id: UUID
    model: str
    params: Params
    system_prompt: str | None
    turns_total: int


class ReplayStopped(ConversationEvent):
    """A turn did not come to a reply one can go on from; the replay can be resumed. turn: counted from 1."""

    TOPIC = "ReplayStopped.v1"
    replay_id: UUID
    turn: int
    error: ReplyError


class ReplayResumed(ConversationEvent):
    TOPIC = "ReplayResumed.v1"
    replay_id: UUID


class ReplayFinished(ConversationEvent):
    """leaf_id: the end of the new branch."""

    TOPIC = "ReplayFinished.v1"
    replay_id: UUID
    leaf_id: UUID


class ReplayCancelled(ConversationEvent):
    TOPIC = "ReplayCancelled.v1"
    replay_id: UUID


class ConversationRenamed(ConversationEvent):
    TOPIC = "ConversationRenamed.v1"
    title: str


class TitleRequested(ConversationEvent):
    """A model is asked for a title by this call."""

    TOPIC = "TitleRequested.v1"
    call_id: UUID


class ConversationTitled(ConversationEvent):
    """title: as the model of this call gave it, tidied. Never follows one that a person gave."""

    TOPIC = "ConversationTitled.v1"
    title: str
    call_id: UUID


class ConversationPinned(ConversationEvent):
    TOPIC = "ConversationPinned.v1"


class ConversationUnpinned(ConversationEvent):
    TOPIC = "ConversationUnpinned.v1"


class ConversationArchived(ConversationEvent):
    TOPIC = "ConversationArchived.v1"


class ConversationUnarchived(ConversationEvent):
    TOPIC = "ConversationUnarchived.v1"


class ConversationDeleted(ConversationEvent):
    TOPIC = "ConversationDeleted.v1"


class ConversationRestored(ConversationEvent):
    TOPIC = "ConversationRestored.v1"


class ConversationErased(ConversationEvent):
    """The last event of its stream: the payloads of all others, and of the streams of its calls, are gone.

    by: who did it, reason: why, in words for people. calls: those that belonged to the conversation.
    """

    TOPIC = "ConversationErased.v1"
    owner_id: UUID
    by: str
    reason: str
    calls: list[ErasedCall]


class ModelCallEvent(VerbatimEvent):
    """Something that happened to one logical request to a runner; its stream is the call's id."""


class ModelCallRequested(ModelCallEvent, AggregateCreated):
    """purpose: reply, title, replay, external. source: browser, api, openai.

    runner: the name of the one it goes to; None for calls of version 1, when an installation had one only.
    body_sha256: hex digest of the exact bytes to send, written before any of them leaves.
    Version 1 had neither `runner` nor `prompt_request.progress`; see migrations-notes/0002-calls-name-their-runner.md.
    """

    TOPIC = "ModelCallRequested.v2"
    owner_id: UUID
    conversation_id: UUID | None
    reply_id: UUID | None
    purpose: str
    source: str
    runner: str | None
    prompt_request: PromptRequest
    body_sha256: str
    body_length: int


class ModelCallStarted(ModelCallEvent):
    TOPIC = "ModelCallStarted.v1"
    attempt: int
    runner: str
    runner_version: str | None
    worker: str


class ModelCallCancelRequested(ModelCallEvent):
    TOPIC = "ModelCallCancelRequested.v1"
    by: str


class ModelCallAttemptEnded(ModelCallEvent):
    """Shared shape of the four ends of an attempt. attempt 0: none had started.

    final: no further attempt follows. content: only where no reply holds the text.
    usage_source: runner, counted or none. Times in milliseconds, whole.
    """

    attempt: int
    final: bool
    duration_ms: int
    first_token_ms: int | None
    chunk_count: int
    usage: TokenUsage | None
    usage_source: str
    finish_reason: str | None
    response_id: str | None
    response_model: str | None
    system_fingerprint: str | None
    error: CallError | None
    delivered_characters: int
    content: str | None


class ModelCallCompleted(ModelCallAttemptEnded):
    TOPIC = "ModelCallCompleted.v1"


class ModelCallFailed(ModelCallAttemptEnded):
    TOPIC = "ModelCallFailed.v1"


class ModelCallCancelled(ModelCallAttemptEnded):
    TOPIC = "ModelCallCancelled.v1"


class ModelCallInterrupted(ModelCallAttemptEnded):
    TOPIC = "ModelCallInterrupted.v1"


class AuditTrailEvent(VerbatimEvent):
    """Somebody looked at what belongs to somebody else; one stream for each owner and day."""


class AuditTrailOpened(AuditTrailEvent, AggregateCreated):
    """owner_id: whose content was read. day: in UTC, as YYYY-MM-DD."""

    TOPIC = "AuditTrailOpened.v1"
    owner_id: UUID
    day: str


class AuditRead(AuditTrailEvent):
    """Recorded before the content is shown. what: prompt, reply, raw, events or export; or password_link or
    second_factor, where an administrator opened a way into the account, and so to all of it.

    call_id: the model call that was looked at; None for a conversation as such. Both None: all that the owner has.
    """

    TOPIC = "AuditRead.v1"
    reader_id: UUID
    conversation_id: UUID | None
    call_id: UUID | None
    what: str
