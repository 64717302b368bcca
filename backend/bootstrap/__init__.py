"""The one place where real or fake collaborators are chosen.

Everything is made lazily, once per process, from Django's settings. Tests call `reset()` after they
have pointed the settings at another database.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from threading import Lock
from uuid import UUID, uuid4

from django.conf import settings
from django.core.cache import cache

from backend.application.conversations import Conversations
from backend.application.execution import Handling, Services
from backend.application.handlers import handle
from backend.application.ports import Answer, IdempotencyKey, InstallationDefaults
from backend.bootstrap.models_seen import ModelsSeen
from backend.bootstrap.runners import Runners
from backend.domain.commands import Command
from backend.domain.titles import UNTITLED
from backend.event_store.store import PostgresEventStore
from backend.model_calls.companions import COMPANION_STEPS
from backend.model_calls.replay_directory import conversation_of_replay

__all__ = [
    "conversation_of_replay",
    "conversations",
    "database_url",
    "default_model",
    "event_store",
    "models_seen",
    "remember_first_model",
    "reset",
    "run_command",
    "runners",
    "services",
]

DEFAULT_SYSTEM_PROMPT = "You are a helpful assistant."
# The small demonstration model seldom finds an end by itself; this keeps a "Hi" from taking minutes.
_DEMONSTRATION_PARAMS = {"max_tokens": 1024}
_FIRST_MODEL_KEY = "first-model-of-the-runner"

_lock = Lock()
_store: PostgresEventStore | None = None
_conversations: Conversations | None = None
_models_seen = ModelsSeen()


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RandomIds:
    def new(self) -> UUID:
        return uuid4()


def pause_with_jitter(attempt: int) -> None:
    """Wait up to 10 ms after the first conflict, twice as long after each further one, at most 200 ms."""
    time.sleep(random.uniform(0, min(0.2, 0.01 * 2**attempt)))


def database_url() -> str:
    return str(settings.DATABASE_URL)


def remember_first_model(model_id: str) -> None:
    """Keep the first model that the runner listed, for all web processes, as the default where none is configured."""
    if cache.get(_FIRST_MODEL_KEY) != model_id:
        cache.set(_FIRST_MODEL_KEY, model_id, timeout=None)


def models_seen() -> ModelsSeen:
    """What runners have told about their models."""
    return _models_seen


def default_model() -> str:
    """The configured model, else the first one the runner was last seen to offer, else an empty text."""
    return str(settings.MODEL_RUNNER_MODEL or cache.get(_FIRST_MODEL_KEY, ""))


def event_store() -> PostgresEventStore:
    """This process's event store."""
    global _store
    with _lock:
        if _store is None:
            _store = PostgresEventStore(database_url(), COMPANION_STEPS)
        return _store


def conversations() -> Conversations:
    """This process's conversations, kept from one command to the next."""
    global _conversations
    store = event_store()
    with _lock:
        if _conversations is None:
            _conversations = Conversations(store)
        return _conversations


def services() -> Services:
    return Services(
        store=event_store(),
        conversations=conversations(),
        models=_models_seen,
        runners=runners(),
        titles=settings.TITLES,
        clock=SystemClock(),
        ids=RandomIds(),
        pause=pause_with_jitter,
        defaults=InstallationDefaults(
            title=UNTITLED,
            system_prompt=DEFAULT_SYSTEM_PROMPT,
            model=default_model(),
            params=_DEMONSTRATION_PARAMS if settings.MODEL_RUNNER_IS_BUILT_IN else {},
        ),
    )


def run_command(
    command: Command,
    *,
    actor: str,
    correlation_id: UUID | None = None,
    idempotency: IdempotencyKey | None = None,
) -> Answer:
    """Carry out a command to its commit. Raises DomainError where it is refused."""
    handling = Handling(
        services=services(),
        actor=actor,
        correlation_id=correlation_id or uuid4(),
        idempotency=idempotency,
    )
    return handle(command, handling)


def runners() -> Runners:
    """The configured runners."""
    return Runners(settings.MODEL_RUNNERS, _models_seen)


def reset() -> None:
    """Forget what was made, closing it; the next use makes it anew."""
    global _conversations, _models_seen, _store
    with _lock:
        if _store is not None:
            _store.close()
        _store = _conversations = None
        _models_seen = ModelsSeen()
