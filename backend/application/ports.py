"""What handlers need from the world, as protocols. Real and fake ones are chosen in backend.bootstrap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from backend.application.runner_port import RunnerModel
from backend.domain.audit_trail import AuditTrail
from backend.domain.conversation import Conversation
from backend.domain.events import VerbatimEvent
from backend.domain.model_call import ModelCall
from backend.prompting.build import StreamSlice


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""


class Ids(Protocol):
    def new(self) -> UUID:
        """An id that was never given before."""


class Pause(Protocol):
    def __call__(self, attempt: int) -> None:
        """Wait a moment before try `attempt` + 1, with jitter, so that rivals do not meet again."""


class ModelKnowledge(Protocol):
    """What is remembered of the models that runners have listed. Never asks a runner."""

    def context_tokens(self, runner: str, model: str) -> int | None:
        """How many tokens prompt and reply may have together, or None where nobody has told yet."""

    def known_models(self) -> frozenset[str] | None:
        """The models last listed, as people choose them, or None where none ever were."""


class ModelMemory(Protocol):
    """Where what runners tell of their models is kept."""

    def remember_listed(self, runner: str, models: Iterable[RunnerModel]) -> None:
        """Keep what a runner offers now, and the context sizes it told of."""

    def remember_context(self, runner: str, model: str, context_tokens: int) -> None:
        """Keep the context size that a runner named when it refused a prompt."""


class NothingKnown:
    """A ModelKnowledge before any runner was asked, and a ModelMemory that keeps nothing."""

    def remember_listed(self, runner: str, models: Iterable[RunnerModel]) -> None:
        pass

    def remember_context(self, runner: str, model: str, context_tokens: int) -> None:
        pass

    def context_tokens(self, runner: str, model: str) -> int | None:
        return None

    def known_models(self) -> frozenset[str] | None:
        return None


@dataclass(frozen=True)
class ChosenRunner:
    """Where a call goes. model: as this runner knows it.

    continues_replies: it goes on from a prompt that ends with an assistant message. reports_progress: it can
    be asked to tell how far it has come with reading the prompt.
    """

    name: str
    model: str
    continues_replies: bool = True
    reports_progress: bool = False


class RunnerDirectory(Protocol):
    """Which runner a model is asked of. Answers from memory, and never asks a runner."""

    def choose(self, model: str, *, on: str | None = None) -> ChosenRunner:
        """model: as people choose it, NAME::MODEL where another runner comes first. on: this runner, if there is one.

        A model that nobody is known to offer goes to the first runner.
        """


@dataclass(frozen=True)
class OneRunner:
    """A RunnerDirectory with a single runner that takes every model."""

    name: str = "runner"
    continues_replies: bool = True
    reports_progress: bool = False

    def choose(self, model: str, *, on: str | None = None) -> ChosenRunner:
        return ChosenRunner(self.name, model, self.continues_replies, self.reports_progress)


@dataclass(frozen=True)
class InstallationDefaults:
    """What a conversation starts with where nothing else was asked for."""

    title: str
    system_prompt: str
    model: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's name for one request. path and body_sha256 tell a repeat from a different request."""

    user_id: UUID
    key: str
    path: str
    body_sha256: str


@dataclass(frozen=True)
class Answer:
    """What a command came to. body: JSON fields of the HTTP answer, `position` among them."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Receipt:
    """Companion: keeps the answer to an idempotent request, in the commit of its events."""

    key: IdempotencyKey
    status: int
    body: Mapping[str, Any]


AT_ONCE: Final = 0
LATER: Final = 1
"""Priorities in the queue: what somebody waits for, and what nobody does."""


@dataclass(frozen=True)
class QueueCall:
    """Companion: puts a requested call into the workers' queue, in the commit that requests it.

    runner: where it goes; None for calls of a time with one runner only. priority: AT_ONCE or LATER.
    """

    call_id: UUID
    conversation_id: UUID | None
    owner_id: UUID
    runner: str | None = None
    priority: int = 0

    @classmethod
    def of(cls, call: ModelCall) -> QueueCall:
        """For a call that was just requested."""
        priority = LATER if call.purpose == "title" else AT_ONCE
        return cls(call.id, call.conversation_id, call.owner_id, call.runner, priority)


@dataclass(frozen=True)
class QueueOwnCall:
    """Companion: as QueueCall, for a call that only this worker can carry out; ClaimLost where the worker is dead.

    claimed: the worker holds it from the beginning, under claim 1.
    """

    call_id: UUID
    conversation_id: UUID | None
    owner_id: UUID
    runner: str | None
    worker: str
    claimed: bool


@dataclass(frozen=True)
class KeepPrefixes:
    """Companion: remembers by which digests a program's messages are found to go on from this conversation.

    chains: the digest of all that was said up to a message, with that message. system_sha256: of the system prompt.
    """

    owner_id: UUID
    conversation_id: UUID
    chains: tuple[tuple[bytes, UUID], ...]
    system_sha256: bytes


@dataclass(frozen=True)
class DequeueUnclaimedCall:
    """Companion: takes a call out of the queue that nobody has claimed, else ClaimLost is raised."""

    call_id: UUID


@dataclass(frozen=True)
class AnnounceCancel:
    """Companion: tells the workers, once the commit is done, that this call is asked to stop."""

    call_id: UUID


@dataclass(frozen=True)
class ClaimFence:
    """Companion: the append stands only while this worker still holds this claim on the call.

    Else ClaimLost is raised. done: the call needs no further attempt and leaves the queue. again_after_s:
    it goes back into the queue, for any worker to try again after so many seconds.
    """

    call_id: UUID
    worker: str
    claim: int
    done: bool
    again_after_s: float | None = None


@dataclass(frozen=True)
class KeepReplay:
    """Companion: remembers whose a new replay is, and that its first step is due since this version."""

    replay_id: UUID
    conversation_id: UUID
    owner_id: UUID
    version: int


@dataclass(frozen=True)
class ReplayStepDue:
    """Companion: tells the workers, once the commit is done, that a replay can go on since this version."""

    replay_id: UUID
    version: int


@dataclass(frozen=True)
class ReplayStepTaken:
    """Companion: what was due for a replay as of this version of its conversation is done.

    What has become due since, in a commit that this one did not see, stays due.
    """

    replay_id: UUID
    version: int


@dataclass(frozen=True)
class GoOnFrom:
    """Companion: a fork stands only if what it goes on from was not erased meanwhile, else ConversationIsErased."""

    conversation_id: UUID


@dataclass(frozen=True)
class ErasePayloads:
    """Companion: replaces every payload of these streams by its digest, before the events of the commit are stored.

    conversation_ids: those among the streams. Raises ForksRemain where another conversation goes on from one of them.
    """

    conversation_ids: tuple[UUID, ...]
    stream_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class ForgetConversations:
    """Companion: drops what is kept of conversations beside the events: chunks, prefixes, replays in the making."""

    conversation_ids: tuple[UUID, ...]
    stream_ids: tuple[UUID, ...]


Companion = (
    Receipt
    | QueueCall
    | QueueOwnCall
    | KeepPrefixes
    | DequeueUnclaimedCall
    | AnnounceCancel
    | ClaimFence
    | KeepReplay
    | ReplayStepDue
    | ReplayStepTaken
    | GoOnFrom
    | ErasePayloads
    | ForgetConversations
)


Aggregate = Conversation | ModelCall | AuditTrail
"""What has a stream of its own; several may change in one commit."""


class AppendConflict(Exception):
    """Somebody else appended to one of the streams first: load again and decide again."""


class ReceiptExists(Exception):
    """This Idempotency-Key has an answer already: read it instead of storing anything."""


class ClaimLost(Exception):
    """The claim on the call is not this worker's any more: drop the work."""


@dataclass(frozen=True)
class RecordedEvent:
    """An event with its place in the whole store. topic: as stored, while `event` may have been brought into a newer form."""

    position: int
    event: VerbatimEvent
    topic: str


@dataclass(frozen=True)
class StoredEventRow:
    """One event as it lies in the store. payload: the stored JSON, decoded, under its stored topic."""

    position: int
    stream_id: UUID
    version: int
    topic: str
    payload: Mapping[str, Any]
    payload_bytes: bytes


class EventStore(Protocol):
    """Streams of immutable events, appended together with their companions or not at all."""

    def read_history(
        self, conversation_id: UUID, up_to_version: int | None = None
    ) -> tuple[StreamSlice, ...]:
        """A conversation's fork chain, root first, the last slice being its own stream.

        Raises UnknownConversation where no such conversation was ever started.
        """

    def read_events(self, stream_id: UUID, after_version: int = 0) -> Sequence[VerbatimEvent]:
        """The events of one stream beyond a version, ascending; none for an unknown stream."""

    def read_call(self, call_id: UUID) -> ModelCall:
        """Raises UnknownModelCall."""

    def read_stream(self, stream_id: UUID, after_version: int, limit: int) -> tuple[StoredEventRow, ...]:
        """Events of one stream in ascending versions beyond after_version; none for an unknown stream."""

    def append(self, *aggregates: Aggregate, companions: Sequence[Companion] = ()) -> int:
        """Store all pending events and companions in one commit; return the commit's highest position.

        Positions are opaque, increasing, and may have gaps. Nothing pending: the present end of the store.
        Raises AppendConflict, ReceiptExists or ClaimLost, having stored nothing.
        """

    def find_receipt(self, user_id: UUID, key: str) -> Receipt | None:
        """The kept answer for this key of the last 24 hours."""
