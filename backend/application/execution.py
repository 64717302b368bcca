"""Run a command to its commit: idempotent repeats, version conflicts and their retries, receipts.

A handler decides against freshly loaded aggregates and saves; when somebody else was faster it is
simply run again, with the same ids, until it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from backend.application.conversations import Conversations, Loaded
from backend.application.ports import (
    Aggregate,
    Answer,
    AppendConflict,
    Clock,
    Companion,
    EventStore,
    IdempotencyKey,
    Ids,
    InstallationDefaults,
    ModelKnowledge,
    NothingKnown,
    OneRunner,
    Pause,
    Receipt,
    ReceiptExists,
    RunnerDirectory,
)
from backend.domain.envelope import Envelope
from backend.domain.errors import DomainError, IdempotencyKeyReused, TooManyConflicts
from backend.domain.model_call import ModelCall

TRIES = 10


@dataclass(frozen=True)
class Services:
    """The collaborators of all handlers, chosen once in backend.bootstrap.

    titles: whether a model is asked for the title of a conversation that has none.
    conversations: kept from one command to the next; None: each command reads all events anew.
    """

    store: EventStore
    clock: Clock
    ids: Ids
    pause: Pause
    defaults: InstallationDefaults
    models: ModelKnowledge = field(default_factory=NothingKnown)
    runners: RunnerDirectory = field(default_factory=OneRunner)
    titles: bool = False
    conversations: Conversations | None = None


@dataclass
class Handling:
    """One execution of one command: who asked, as part of what, and the ids made for it."""

    services: Services
    actor: str
    correlation_id: UUID
    causation_id: UUID | None = None
    idempotency: IdempotencyKey | None = None
    _ids: dict[str, UUID] = field(default_factory=dict)

    @property
    def store(self) -> EventStore:
        return self.services.store

    def load(self, conversation_id: UUID) -> Loaded:
        """A conversation as of now. Raises UnknownConversation."""
        return self._conversations().load(conversation_id)

    def load_own(self, conversation_id: UUID, owner_id: UUID) -> Loaded:
        """As `load`; somebody else's is as unknown as one that does not exist."""
        return self._conversations().load_own(conversation_id, owner_id)

    def earlier_call(self, call_id: UUID) -> ModelCall:
        """A call to look at, not to change. Raises UnknownModelCall."""
        return self._conversations().call(call_id)

    def _conversations(self) -> Conversations:
        return self.services.conversations or Conversations(self.store)

    def stamp(self) -> Envelope:
        """The envelope of the next event."""
        return Envelope(
            event_id=self.services.ids.new(),
            at=self.services.clock.now(),
            actor=self.actor,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
        )

    def id_of(self, name: str) -> UUID:
        """The id of the thing this command makes under `name`: the same on every try."""
        if name not in self._ids:
            self._ids[name] = self.services.ids.new()
        return self._ids[name]

    def save(
        self,
        *aggregates: Aggregate,
        status: int,
        body: Mapping[str, Any],
        companions: Sequence[Companion] = (),
    ) -> Answer:
        """Append what the aggregates have pending and answer with the commit's position."""
        receipts = [Receipt(self.idempotency, status, body)] if self.idempotency else []
        position = self.store.append(*aggregates, companions=[*receipts, *companions])
        return Answer(status, {**body, "position": str(position)})


def execute(handle: Callable[[Handling], Answer], handling: Handling) -> Answer:
    """Run `handle` until it commits; a repeat of an answered request gets the first answer.

    Raises IdempotencyKeyReused, TooManyConflicts, and whatever the domain refuses.
    """
    for attempt in range(1, TRIES + 1):
        kept = _kept_answer(handling)
        if kept is not None:
            return kept
        try:
            return handle(handling)
        except (AppendConflict, ReceiptExists):
            if attempt < TRIES:
                handling.services.pause(attempt)
        except DomainError:
            # A twin of this request may have been stored since we looked, and what it changed is why we
            # are refused: then its answer is ours.
            kept = _kept_answer(handling)
            if kept is None:
                raise
            return kept
    raise TooManyConflicts(TRIES)


def _kept_answer(handling: Handling) -> Answer | None:
    wanted = handling.idempotency
    if wanted is None:
        return None
    receipt = handling.store.find_receipt(wanted.user_id, wanted.key)
    if receipt is None:
        return None
    if (receipt.key.path, receipt.key.body_sha256) != (wanted.path, wanted.body_sha256):
        raise IdempotencyKeyReused(wanted.key)
    return Answer(receipt.status, receipt.body)
