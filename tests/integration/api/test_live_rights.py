"""Who may go on listening, and what a stream says while a read model is being rebuilt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session

from projections.position_table import REBUILDING, RUNNING, ProjectionPosition
from tests.integration.api.live_support import (
    Browser,
    WebServer,
    has_frames,
    has_words,
    problem_of_answer,
    session_of,
    web_server,
    words_of,
)
from tests.integration.api.support import Person, StandInWorker


@pytest.fixture
def server(fresh_database: str) -> Iterator[WebServer]:
    with web_server(fresh_database) as running:
        yield running


@pytest.fixture
def listen(server: WebServer, ann: Person) -> Callable[..., Browser]:
    return lambda **parameters: Browser(server, session_of(ann), **parameters)


@pytest.mark.usefixtures("projected")
@pytest.mark.parametrize("how", ["log out", "deactivate", "delete the account"])
def test_a_stream_does_not_outlive_its_log_in(ann: Person, listen: Callable[..., Browser], how: str) -> None:
    conversation = ann.start()
    with listen(cursor=conversation["position"]) as browser:
        browser.wait_for(has_frames(browser, "ping", 1))
        if how == "log out":
            Session.objects.all().delete()
        elif how == "delete the account":
            gone = ann.ask("DELETE", "/api/me/", {"password": "correct-horse-battery-staple"})
            assert gone.status_code == 204
        else:
            get_user_model()._default_manager.update(is_active=False)
        deadline = time.monotonic() + 60
        while not browser.ended.is_set():
            assert time.monotonic() < deadline, "the stream still goes on"
            time.sleep(0.1)


@pytest.mark.usefixtures("projected")
def test_while_the_list_is_rebuilt_an_own_conversation_is_not_called_unknown(
    ann: Person, server: WebServer
) -> None:
    conversation = ann.start()
    ann.get("/api/conversations/", after=conversation["position"])
    with rebuilding("conversation_list"):
        answer = httpx.get(
            f"{server.url}/api/live/",
            params={"cursor": conversation["position"], "conversation": conversation["id"]},
            cookies={"verbatim_session": session_of(ann)},
            timeout=20,
        )
    assert problem_of_answer(answer, 503)["code"] == "read_model_rebuilding"
    assert answer.headers["Retry-After"]


@pytest.mark.usefixtures("projected")
def test_a_stream_opened_during_a_rebuild_still_gets_every_chunk(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    worker.start(sent["call_id"])
    worker.chunk(sent["call_id"], sent["reply_id"], "before ")
    position = ann.get(f"/api/conversations/{conversation['id']}/transcript/", after=sent["position"])[
        "position"
    ]
    with rebuilding("transcript"), listen(cursor=position, conversation=conversation["id"]) as browser:
        browser.wait_for(has_frames(browser, "ping", 1))
        worker.chunk(sent["call_id"], sent["reply_id"], "during ")
        ProjectionPosition.objects.filter(name="transcript").update(state=RUNNING)
        worker.chunk(sent["call_id"], sent["reply_id"], "after")
        browser.wait_for(has_words(browser, sent["call_id"], 3))
        assert words_of(browser, sent["call_id"]) == [(0, "before "), (1, "during "), (2, "after")]


class rebuilding:
    """Marks a read model as being rebuilt, as the command does."""

    def __init__(self, name: str) -> None:
        self._row = ProjectionPosition.objects.filter(name=name)

    def __enter__(self) -> None:
        assert self._row.update(state=REBUILDING) == 1

    def __exit__(self, *_: object) -> None:
        self._row.update(state=RUNNING)
