"""Who asks, which model they mean, and where their messages go on from: all that a call needs of the database first.

Blocking, for a thread: each function gives its connection back when it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connections

from backend import bootstrap
from backend.api import runner_status
from backend.api.authentication import owner_of_token
from backend.api.openai.errors import not_authenticated, unknown_model
from backend.api.openai.reading import ChatRequest
from backend.application.ports import ChosenRunner
from backend.application.recorded import system_digest
from backend.bootstrap.runners import Offer, offers
from backend.domain.commands import JoinAt
from backend.model_calls.prefix_directory import joins_of

Result = TypeVar("Result")

_NO_TOKEN = (
    "No API token was sent. Make one in Verbatim's settings and send it as `Authorization: Bearer …`; "
    "clients of OpenAI call it the API key."
)
_BAD_TOKEN = "This API token is not valid here: it was mistyped, revoked, or made elsewhere. Make a new one in Verbatim's settings."


@dataclass(frozen=True)
class Asked:
    """A request that may be carried out. joins: where its messages may go on from, the best first."""

    owner_id: UUID
    chosen: ChosenRunner
    joins: tuple[JoinAt, ...]


def giving_back(function: Callable[..., Result], *arguments: object) -> Result:
    """Call it, and give the thread's database connection back at once."""
    try:
        return function(*arguments)
    finally:
        connections.close_all()


def token_in(authorization: str | None) -> str:
    """The token in this header. Raises OpenAIError where there is none, before anything else is looked at."""
    kind, _, token = (authorization or "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise not_authenticated(_NO_TOKEN)
    return token.strip()


def owner_of(token: str) -> UUID:
    """Whose token it is. Raises OpenAIError where it is not valid."""
    with bootstrap.event_store().connection() as connection:
        return _owner(connection, token)


def asked(token: str, request: ChatRequest) -> Asked:
    """Raises OpenAIError for a token that is not valid and for a model that nobody offers."""
    beginnings = request.beginnings()
    # On a connection of the event store: making Django's ready takes longer than all the rest of this.
    with bootstrap.event_store().connection() as connection:
        owner_id = _owner(connection, token)
        joins = joins_of(connection, owner_id, beginnings, system_digest(request.system_prompt))
    return Asked(owner_id, choose(request.model), joins)


def _owner(connection: psycopg.Connection[dict[str, Any]], token: str) -> UUID:
    """The token's owner. Sessions do not count here: a web page elsewhere must not be able to spend them."""
    owner_id = owner_of_token(connection, token)
    if owner_id is None:
        raise not_authenticated(_BAD_TOKEN)
    return owner_id


def choose(model: str) -> ChosenRunner:
    """Where a model is asked for. Raises OpenAIError where it does not exist.

    A runner is only asked where nothing is remembered of the model, and one that cannot be asked gets the benefit of
    the doubt: the call says then what is wrong.
    """
    chosen = bootstrap.runners().choose(model)
    if _is_known(chosen):
        return chosen
    statuses = runner_status.current()
    for status in statuses:
        if status.reachable:
            bootstrap.models_seen().remember_listed(status.runner.name, status.models)
    chosen = bootstrap.runners().choose(model)
    if _is_known(chosen):
        return chosen
    status = next(status for status in statuses if status.runner.name == chosen.name)
    if status.reachable or status.models:
        raise unknown_model(model, [offer.id for offer in _offered(statuses)])
    return chosen


def models_offered(token: str) -> list[Offer]:
    """All models under the ids they are chosen by. Raises OpenAIError."""
    owner_of(token)
    return _offered(runner_status.current())


def _offered(statuses: tuple[runner_status.RunnerStatus, ...]) -> list[Offer]:
    return offers([(status.runner.name, status.models) for status in statuses])


def _is_known(chosen: ChosenRunner) -> bool:
    if chosen.model in (bootstrap.models_seen().listed(chosen.name) or ()):
        return True
    # The installation's own choice counts even where its runner does not list it.
    configured = settings.MODEL_RUNNER_MODEL
    if not configured:
        return False
    own = bootstrap.runners().choose(configured)
    return (own.name, own.model) == (chosen.name, chosen.model)
