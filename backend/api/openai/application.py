"""What is served under /v1: an ASGI application of its own beside Django's.

A call here is passed on token by token, and Django's middleware would take longer than all the rest. Who asks is found
as everywhere else: by an API token. Every answer that is no success has OpenAI's shape.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final
from urllib.parse import unquote

import psycopg
from django.db import Error as DjangoDatabaseError
from eventsourcing.persistence import PersistenceError
from psycopg_pool import PoolTimeout

from backend.api.openai.asking import models_offered, token_in
from backend.api.openai.completions import complete
from backend.api.openai.errors import INVALID, OpenAIError, invalid, not_recordable, unexpected, unknown_model
from backend.api.openai.exchange import ClientGone, Exchange, Receive, Scope, Send
from backend.api.openai.threads import in_thread
from backend.bootstrap.outside import outside_calls
from backend.bootstrap.runners import Offer
from backend.domain.errors import DomainError, TooManyConflicts

log = logging.getLogger(__name__)

PREFIX: Final = "/v1/"
COMPLETIONS: Final = "/v1/chat/completions"
MODELS: Final = "/v1/models"

_DATABASE_AWAY: Final = (DjangoDatabaseError, PersistenceError, psycopg.Error, PoolTimeout, TooManyConflicts)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request below /v1/."""
    exchange = Exchange(scope, receive, send)
    try:
        await _answer(exchange, _shutdown_of(scope))
    except ClientGone:
        return
    except OpenAIError as error:
        await exchange.refuse(error)
    except DomainError as error:
        await exchange.refuse(invalid(str(error), code=error.code))
    except _DATABASE_AWAY as error:
        log.warning("A call could not be recorded because the database was away: %s", error)
        await _refuse_if_possible(exchange, not_recordable())
    except Exception:
        # A fault of ours must be told in the shape that clients understand, and be seen in the log.
        log.exception("A request to %s failed unexpectedly.", exchange.path)
        await _refuse_if_possible(exchange, unexpected())


async def _answer(exchange: Exchange, shutdown: asyncio.Event | None) -> None:
    path = exchange.path.rstrip("/")
    if path == COMPLETIONS:
        _check_method(exchange, "POST")
        await complete(exchange, outside_calls(shutdown))
    elif path == MODELS or path.startswith(f"{MODELS}/"):
        _check_method(exchange, "GET")
        offered = await in_thread(models_offered, token_in(exchange.header("Authorization")))
        if path == MODELS:
            listed = [_model(offer) for offer in offered]
            await exchange.answer_json(200, {"object": "list", "data": listed})
            return
        wanted = unquote(path.removeprefix(f"{MODELS}/"))
        found = next((offer for offer in offered if offer.id == wanted), None)
        if found is None:
            raise unknown_model(wanted, [offer.id for offer in offered])
        await exchange.answer_json(200, _model(found))
    else:
        raise invalid(
            f"There is nothing at {exchange.path[:200]}. Served are GET {MODELS} and POST {COMPLETIONS}.",
            code="unknown_url",
            status=404,
        )


def _check_method(exchange: Exchange, method: str) -> None:
    if exchange.method != method:
        raise OpenAIError(
            405,
            f"{exchange.path} takes {method}, found {exchange.method}.",
            "method_not_allowed",
            INVALID,
            headers={"Allow": method},
        )


def _model(offer: Offer) -> dict[str, Any]:
    """created: runners do not tell when a model was made, and clients want a number."""
    return {"id": offer.id, "object": "model", "created": 0, "owned_by": offer.runner}


async def _refuse_if_possible(exchange: Exchange, error: OpenAIError) -> None:
    if not exchange.has_begun:
        await exchange.refuse(error)


def _shutdown_of(scope: Scope) -> asyncio.Event | None:
    """Set by the web server when it begins to stop; other servers may not say."""
    event = (scope.get("state") or {}).get("shutdown")
    return event if isinstance(event, asyncio.Event) else None
