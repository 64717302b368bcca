"""What a browser hears of a call before its first word: its place in the queue, and how far the prompt is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from backend.model_calls.frames import prefill_frame, started_frame
from tests.integration.api.live_support import Browser, WebServer, has_words, session_of, web_server, words_of
from tests.integration.api.support import Person, StandInWorker, projecting


@pytest.fixture
def server(fresh_database: str) -> Iterator[WebServer]:
    with web_server(fresh_database) as running:
        yield running


@pytest.fixture
def listen(server: WebServer) -> Callable[..., Browser]:
    return lambda person, **parameters: Browser(server, session_of(person), **parameters)


def tell(database_url: str, *frames: Any) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify('call_chunks', %s)", (json.dumps(frames),))


def told(browser: Browser, state: str) -> list[dict[str, Any]]:
    return [data for data in browser.of("call") if data["state"] == state]


@pytest.mark.usefixtures("projected")
def test_a_call_that_waits_is_told_its_place_until_a_worker_takes_it(
    ann: Person, bob: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    first = ann.start()
    ann.send(first["id"], "Before the others")
    conversation = ann.start()
    with listen(ann, cursor=conversation["position"], conversation=conversation["id"]) as browser:
        sent = ann.send(conversation["id"], "Hello")
        # About once a second, so that a page opened in between learns of it too.
        browser.wait_for(lambda frames: len(told(browser, "queued")) >= 2)
        worker.start(sent["call_id"])
        browser.wait_for(lambda frames: bool(told(browser, "started")))
        heard = len(told(browser, "queued"))
        worker.chunk(sent["call_id"], sent["reply_id"], "Hi")
        browser.wait_for(has_words(browser, sent["call_id"], 1))

    queued = told(browser, "queued")
    assert queued[0] == {
        "conversation_id": conversation["id"],
        "call_id": sent["call_id"],
        "reply_id": sent["reply_id"],
        "state": "queued",
        "place": 2,
        "waiting": 2,
        "runner": queued[0]["runner"],
        "retry_at": None,
    }
    assert len(queued) == heard, "who is served waits no longer"


@pytest.mark.usefixtures("projected")
def test_only_streams_with_the_conversation_on_screen_hear_of_its_queue(
    ann: Person, bob: Person, listen: Callable[..., Browser]
) -> None:
    mine, other = ann.start(), ann.start()
    with (
        listen(ann, cursor=mine["position"], conversation=mine["id"]) as here,
        listen(ann, cursor=other["position"], conversation=other["id"]) as elsewhere,
        listen(bob) as somebody_else,
    ):
        ann.send(mine["id"], "Hello")
        here.wait_for(lambda frames: bool(told(here, "queued")))
        elsewhere.wait_for(lambda frames: bool(told(elsewhere, "requested")))

    assert not told(elsewhere, "queued")
    assert not somebody_else.of("call")


@pytest.mark.usefixtures("projected")
def test_a_call_that_is_tried_again_later_is_told_when(
    ann: Person, listen: Callable[..., Browser], fresh_database: str
) -> None:
    conversation = ann.start()
    with listen(ann, cursor=conversation["position"], conversation=conversation["id"]) as browser:
        sent = ann.send(conversation["id"], "Hello")
        with psycopg.connect(fresh_database, autocommit=True) as connection:
            connection.execute(
                "UPDATE model_call_queue SET not_before = '2100-01-02T03:04:05Z' WHERE call_id = %s",
                (sent["call_id"],),
            )
        browser.wait_for(lambda frames: any(data["retry_at"] for data in told(browser, "queued")))

    last = told(browser, "queued")[-1]
    assert (last["place"], last["retry_at"]) == (None, "2100-01-02T03:04:05Z")


@pytest.mark.usefixtures("projected")
def test_how_far_the_prompt_is_read_is_told_until_the_first_word(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser], fresh_database: str
) -> None:
    conversation = ann.start()
    with listen(ann, cursor=conversation["position"], conversation=conversation["id"]) as browser:
        sent = ann.send(conversation["id"], "Hello")
        call_id, reply_id = sent["call_id"], sent["reply_id"]
        worker.start(call_id)
        browser.wait_for(lambda frames: bool(told(browser, "started")))
        tell(fresh_database, prefill_frame(call_id, reply_id, 256, 2_000))
        browser.wait_for(lambda frames: bool(told(browser, "prefill")))
        worker.chunk(call_id, reply_id, "Hi")
        browser.wait_for(has_words(browser, call_id, 1))
        tell(fresh_database, prefill_frame(call_id, reply_id, 2_000, 2_000))
        worker.chunk(call_id, reply_id, " there")
        browser.wait_for(has_words(browser, call_id, 2))

    assert told(browser, "prefill") == [
        {
            "conversation_id": conversation["id"],
            "call_id": call_id,
            "reply_id": reply_id,
            "state": "prefill",
            "processed": 256,
            "total": 2_000,
        }
    ]


def test_chunks_come_before_any_read_model_knows_of_the_call(
    ann: Person, bob: Person, worker: StandInWorker, listen: Callable[..., Browser], fresh_database: str
) -> None:
    """Nothing is projected here: that the call has started says whose it is, and where its words belong."""
    with projecting(fresh_database):
        conversation, others = ann.start(), bob.start()
        ann.get("/api/conversations/", after=others["position"])
    owner_id = ann.get("/api/me/")["id"]
    with (
        listen(ann, cursor=others["position"], conversation=conversation["id"]) as browser,
        listen(bob, cursor=others["position"], conversation=others["id"]) as somebody_else,
    ):
        browser.wait_for(bool)
        somebody_else.wait_for(bool)
        sent = ann.send(conversation["id"], "Hello")
        call_id, reply_id = sent["call_id"], sent["reply_id"]
        worker.start(call_id)
        tell(fresh_database, started_frame(call_id, reply_id, conversation["id"], owner_id))
        for word in ("Hi", " there"):
            worker.chunk(call_id, reply_id, word)
        browser.wait_for(has_words(browser, call_id, 2))
        tell(fresh_database, started_frame(call_id, reply_id, others["id"], owner_id))
        cursor = browser.cursor
    with projecting(fresh_database), listen(ann, cursor=cursor, conversation=conversation["id"]) as again:
        worker.chunk(call_id, reply_id, "!")
        again.wait_for(has_words(again, call_id, 1))

    assert words_of(browser, call_id) == [(0, "Hi"), (1, " there")]
    assert words_of(again, call_id) == [(2, "!")], "what was seen before the cut does not come twice"
    assert not somebody_else.of("chunk")


def test_a_reply_whose_end_was_seen_is_not_told_again_where_read_tables_have_fallen_behind(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser], fresh_database: str
) -> None:
    """As after a power cut: what was projected last is gone, and the client has seen it."""
    with projecting(fresh_database):
        conversation = ann.start()
        sent = ann.send(conversation["id"], "Hello")
        worker.start(sent["call_id"])
        worker.chunk(sent["call_id"], sent["reply_id"], "Hi")
        pending = ann.get(f"/api/conversations/{conversation['id']}/transcript/", after=sent["position"])
        assert pending["results"][-1]["outcome"] == "pending"
    seen = worker.finish(sent["call_id"], "Hi")
    with listen(ann, cursor=seen, conversation=conversation["id"]) as browser:
        browser.wait_for(bool)
        with projecting(fresh_database):
            ann.command("PATCH", f"/api/conversations/{conversation['id']}/", {"title": "Later"}, status=200)
            browser.wait_for(lambda frames: bool(browser.of("change")))
    assert not browser.of("chunk")
    assert not browser.of("call")
