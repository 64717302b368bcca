"""`/api/live/`: one stream per browser tab with what changes, and the words of replies being written.

An async view on Django's ASGI handler. It finds out who asks and what they may see, gives its database
connection back, and from then on only passes on what its feed says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from typing import Any, Final, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.db import Error as DatabaseError
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from eventsourcing.persistence import PersistenceError
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.views import APIView

from backend import bootstrap
from backend.api import live_source
from backend.api.live_feed import LiveFeed
from backend.api.live_frames import Cursor, MalformedCursor
from backend.api.live_hub import LiveHub, LiveUnavailable, hub_of_this_loop
from backend.api.live_subscription import Subscription
from backend.api.problems import plain_problem
from projections import tracking

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# How long at most a stream outlives its log-in.
ASK_AGAIN_S: Final = 10.0
_RETRY: Final = {"Retry-After": "1"}
_UNAVAILABLE: Final = "The live stream cannot be opened just now. Try again in a moment."


async def live(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Open the stream, or say in a problem why not."""
    if request.method != "GET":
        return plain_problem(405, "method_not_allowed", "The live stream is read with GET.", {"Allow": "GET"})
    try:
        owner_id = await sync_to_async(_and_give_back)(_who_asks, request)
        if owner_id is None:
            return plain_problem(401, "not_authenticated", "Log in to open the live stream.")
        return await _open(request, owner_id)
    except tracking.Rebuilding as error:
        return plain_problem(503, "read_model_rebuilding", str(error), _RETRY)
    except (DatabaseError, PersistenceError, LiveUnavailable) as error:
        logger.warning("The live stream could not be opened: %s", error)
        return plain_problem(503, "database_unavailable", _UNAVAILABLE, _RETRY)


async def _open(request: HttpRequest, owner_id: UUID) -> HttpResponse | StreamingHttpResponse:
    cursor, reset = _cursor_of(request)
    conversation_id: UUID | None = None
    if (text := request.GET.get("conversation")) is not None:
        try:
            conversation_id = UUID(text)
        except ValueError:
            return plain_problem(
                400, "invalid_input", f"conversation: Expected the id of a conversation, found {text[:40]!r}."
            )
        if not await sync_to_async(_and_give_back)(_may_read, conversation_id, owner_id):
            return plain_problem(
                404,
                "conversation_not_found",
                f"There is no conversation {conversation_id}. Check the address or open it from the list.",
            )
    hub = hub_of_this_loop(bootstrap.database_url())
    if cursor is not None and not await hub.read(live_source.can_resume_from, cursor.position):
        cursor, reset = None, True
    return StreamingHttpResponse(
        _stream(hub, request, owner_id, conversation_id, cursor, reset),
        content_type="text/event-stream",
        headers=_HEADERS,
    )


async def _stream(
    hub: LiveHub,
    request: HttpRequest,
    owner_id: UUID,
    conversation_id: UUID | None,
    cursor: Cursor | None,
    reset: bool,
) -> AsyncIterator[bytes]:
    subscription: Subscription | None = None
    task = asyncio.current_task()
    assert task is not None, "a view runs in a task"
    try:
        subscription = await hub.subscribe(
            owner_id, conversation_id=conversation_id, shutdown=_shutdown_of(request), abort=task.cancel
        )
        feed = LiveFeed(hub, subscription, owner_id=owner_id, conversation_id=conversation_id)
        loop = asyncio.get_running_loop()
        ask_again_at = loop.time() + ASK_AGAIN_S
        async for frame in feed.frames(cursor, reset=reset):
            if loop.time() >= ask_again_at:
                if not await hub.read(_may_still_listen, request, owner_id):
                    return
                ask_again_at = loop.time() + ASK_AGAIN_S
            yield frame
    except (DatabaseError, PersistenceError, LiveUnavailable) as error:
        # The answer has begun, so all that is left is to end it; the browser resumes from its cursor.
        logger.warning("A live stream ended because the database was away: %s", error)
    finally:
        if subscription is not None:
            hub.unsubscribe(subscription)


def _and_give_back(function: Callable[..., Result], *arguments: object) -> Result:
    """Call it, and give the database connection back at once.

    What comes next waits for other connections of the same pool: many streams that open together, each holding
    one, would wait for each other. And a stream that kept its own would take one from everybody else for hours.
    """
    try:
        return function(*arguments)
    finally:
        connections.close_all()


def _who_asks(request: HttpRequest) -> UUID | None:
    """The person logged in by session or token, found exactly as for any other request; None for nobody."""
    asked = Request(request, authenticators=APIView().get_authenticators())
    try:
        user: Any = asked.user
    except APIException:
        return None
    return user.pk if user.is_authenticated else None


def _may_still_listen(request: HttpRequest, owner_id: UUID) -> bool:
    """Whether the person would be let in again: not logged out, no new password, token and account still valid."""
    if "Authorization" in request.headers:
        return _who_asks(request) == owner_id
    fresh = HttpRequest()
    sessions = import_module(settings.SESSION_ENGINE)
    fresh.session = sessions.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(fresh)
    return user.is_authenticated and user.pk == owner_id


def _may_read(conversation_id: UUID, owner_id: UUID) -> bool:
    """Whether the conversation is this person's, as of now.

    One that was started a moment ago may not be in the list yet, whatever the client has seen; so before
    saying no, everything stored until now is waited for.
    """
    if live_source.owns(conversation_id, owner_id):
        return True
    tracking.wait_until("conversation_list", bootstrap.event_store().end())
    return live_source.owns(conversation_id, owner_id)


def _cursor_of(request: HttpRequest) -> tuple[Cursor | None, bool]:
    """What the client has seen, and whether it has to fetch everything anew.

    A browser that comes back after a cut sends the id of the last event it got; the address still says
    where it began.
    """
    text = request.headers.get("Last-Event-ID") or request.GET.get("cursor")
    if not text:
        return None, False
    try:
        return Cursor.parse(text), False
    except MalformedCursor:
        return None, True


def _shutdown_of(request: HttpRequest) -> asyncio.Event | None:
    """Set by the web server when it begins to stop; other servers may not say."""
    state = getattr(request, "scope", {}).get("state") or {}
    event = state.get("shutdown")
    return event if isinstance(event, asyncio.Event) else None
