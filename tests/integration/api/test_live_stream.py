"""The live stream: complete, in order, without gaps or duplicates, and only for those it concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from tests.conftest import _use_database as use_database
from tests.integration.api.live_support import (
    Browser,
    WebServer,
    has_finished,
    has_frames,
    has_words,
    problem_of_answer,
    session_of,
    states_of,
    web_server,
    words_of,
)
from tests.integration.api.support import Person, StandInWorker, token_of

if TYPE_CHECKING:
    from backend.accounts.models import User
    from tests.support.databases import TestServer


@pytest.fixture(scope="module")
def shared_server(test_server: TestServer) -> Iterator[tuple[str, WebServer]]:
    """One web process on one database for all tests here; each brings people of its own."""
    with test_server.fresh() as url, web_server(url) as running:
        yield url, running


@pytest.fixture
def fresh_database(shared_server: tuple[str, WebServer]) -> Iterator[str]:
    url, _ = shared_server
    with use_database(url):
        yield url


@pytest.fixture
def server(shared_server: tuple[str, WebServer]) -> WebServer:
    return shared_server[1]


@pytest.fixture
def ann(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    return person_for(make_user())


@pytest.fixture
def bob(make_user: Callable[..., User], person_for: Callable[[User], Person]) -> Person:
    return person_for(make_user())


@pytest.fixture
def listen(server: WebServer, ann: Person) -> Callable[..., Browser]:
    return lambda **parameters: Browser(server, session_of(ann), **parameters)


@pytest.mark.usefixtures("projected")
def test_a_tab_sees_a_whole_exchange_in_order(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    conversation = ann.start(title="Tea")
    with listen(cursor=conversation["position"], conversation=conversation["id"]) as browser:
        sent = ann.send(conversation["id"], "Hello")
        call_id, reply_id = sent["call_id"], sent["reply_id"]
        worker.start(call_id)
        for word in ("Hi", " there", "!"):
            worker.chunk(call_id, reply_id, word)
        browser.wait_for(has_words(browser, call_id, 3))
        worker.finish(call_id, "Hi there!")
        frames = browser.wait_for(has_finished(browser, call_id))

    assert browser.headers["Content-Type"] == "text/event-stream"
    assert browser.headers["Cache-Control"] == "no-store"
    assert browser.headers["X-Accel-Buffering"] == "no"
    assert [f.data["kind"] for f in frames if f.event == "change"] == [
        "user_message_sent",
        "reply_requested",
        "reply_recorded",
    ]
    assert states_of(browser, call_id) == ["requested", "started", "finished"]
    assert words_of(browser, call_id) == [(0, "Hi"), (1, " there"), (2, "!")]
    assert {chunk["reply_id"] for chunk in browser.of("chunk")} == {reply_id}
    sent_row, _, recorded = browser.of("change")
    assert sent_row["conversation_id"] == conversation["id"]
    assert sent_row["data"]["message"]["content"] == "Hello"
    assert sent_row["data"]["conversation"]["title"] == "Tea"
    assert recorded["data"]["message"]["content"] == "Hi there!"
    assert recorded["data"]["message"]["outcome"] == "complete"
    assert recorded["data"]["conversation"]["pending_reply"] is False
    finished = browser.of("call")[-1]
    assert (finished["outcome"], finished["error"]) == ("complete", None)
    kinds = [(f.event, f.data.get("state")) for f in frames]
    assert kinds.index(("call", "finished")) > max(i for i, f in enumerate(frames) if f.event == "chunk")
    # What a query gives and what the stream gives is the same row.
    rows = ann.get(f"/api/conversations/{conversation['id']}/transcript/")["results"]
    assert rows[-1] == recorded["data"]["message"]
    assert ann.get("/api/conversations/")["results"][0] == recorded["data"]["conversation"]


@pytest.mark.usefixtures("projected")
def test_finished_comes_only_after_every_query_shows_the_reply(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    conversation = ann.start()
    with listen(cursor=conversation["position"], conversation=conversation["id"]) as browser:
        for number in range(5):
            sent = ann.send(conversation["id"], f"Question {number}")
            worker.answer(sent["call_id"], f"Answer {number}")
            browser.wait_for(has_finished(browser, sent["call_id"]))
            # Without ?after=: at this moment it is there already.
            rows = ann.get(f"/api/conversations/{conversation['id']}/transcript/")["results"]
            assert rows[-1]["content"] == f"Answer {number}"
            assert ann.get(f"/api/conversations/{conversation['id']}/")["pending_reply"] is False
            assert ann.get(f"/api/model-calls/{sent['call_id']}/")["outcome"] == "complete"


@pytest.mark.usefixtures("projected")
def test_a_stream_cut_three_times_in_mid_reply_loses_and_repeats_nothing(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    conversation = ann.start()
    with listen(cursor=conversation["position"], conversation=conversation["id"]) as browser:
        sent = ann.send(conversation["id"], "Hello")
        call_id, reply_id = sent["call_id"], sent["reply_id"]
        worker.start(call_id)
        for number in range(40):
            worker.chunk(call_id, reply_id, f"w{number} ")
            if number in (8, 20, 32):
                browser.wait_for(has_words(browser, call_id, number - 4))
                browser.cut()
                # What happens while nobody listens comes afterwards.
                worker.chunk(call_id, reply_id, f"x{number} ")
                ann.command(
                    "PATCH", f"/api/conversations/{conversation['id']}/", {"title": f"T{number}"}, status=200
                )
                browser.open()
        worker.finish(call_id, "all of it")
        browser.wait_for(has_finished(browser, call_id))

    assert [seq for seq, _ in words_of(browser, call_id)] == list(range(43))
    assert states_of(browser, call_id) == ["requested", "started", "finished"]
    positions = [int(f.data["position"]) for f in browser.frames if f.event in ("change", "call")]
    assert positions == sorted(set(positions))
    titles = [
        c["data"]["conversation"]["title"]
        for c in browser.of("change")
        if c["kind"] == "conversation_renamed"
    ]
    assert len(titles) == 3
    assert browser.of("reset") == []


@pytest.mark.usefixtures("projected")
def test_a_reply_that_ended_while_nobody_listened_is_told_whole_after_coming_back(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    conversation = ann.start()
    with listen(cursor=conversation["position"], conversation=conversation["id"]) as browser:
        sent = ann.send(conversation["id"], "Hello")
        call_id, reply_id = sent["call_id"], sent["reply_id"]
        worker.start(call_id)
        worker.chunk(call_id, reply_id, "a")
        browser.wait_for(has_words(browser, call_id, 1))
        browser.cut()
        worker.chunk(call_id, reply_id, "b")
        worker.chunk(call_id, reply_id, "c")
        position = worker.finish(call_id, "abc")
        ann.get(f"/api/conversations/{conversation['id']}/", after=position)
        browser.open()
        browser.wait_for(has_finished(browser, call_id))

    assert words_of(browser, call_id) == [(0, "a"), (1, "b"), (2, "c")]


@pytest.mark.usefixtures("projected")
def test_a_reload_and_a_second_tab_in_mid_reply_show_the_samewords_of(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    call_id, reply_id = sent["call_id"], sent["reply_id"]
    worker.start(call_id)
    for word in ("one ", "two ", "three "):
        worker.chunk(call_id, reply_id, word)
    position = ann.get("/api/conversations/", after=sent["position"])["position"]

    with (
        listen(cursor=position, conversation=conversation["id"]) as first,
        listen(cursor=position, conversation=conversation["id"]) as second,
    ):
        first.wait_for(has_words(first, call_id, 3))
        worker.chunk(call_id, reply_id, "four")
        for browser in (first, second):
            browser.wait_for(has_words(browser, call_id, 4))
            assert "".join(text for _, text in words_of(browser, call_id)) == "one two three four"


@pytest.mark.usefixtures("projected")
def test_a_lost_notification_is_filled_from_the_table(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    conversation = ann.start()
    with listen(cursor=conversation["position"], conversation=conversation["id"]) as browser:
        sent = ann.send(conversation["id"], "Hello")
        call_id, reply_id = sent["call_id"], sent["reply_id"]
        worker.start(call_id)
        worker.chunk(call_id, reply_id, "a")
        browser.wait_for(has_words(browser, call_id, 1))
        worker.chunk(call_id, reply_id, "b", tell=False)
        worker.chunk(call_id, reply_id, "c")
        browser.wait_for(has_words(browser, call_id, 3))
        worker.chunk(call_id, reply_id, "d", tell=False)
        worker.finish(call_id, "abcd")
        browser.wait_for(has_finished(browser, call_id))

    assert words_of(browser, call_id) == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]


@pytest.mark.usefixtures("projected")
def test_nobody_hears_of_somebody_elses_conversations(
    ann: Person, bob: Person, worker: StandInWorker, server: WebServer, listen: Callable[..., Browser]
) -> None:
    mine, theirs = ann.start(), bob.start()
    with (
        Browser(server, session_of(bob), cursor="0") as other,
        listen(cursor="0", conversation=mine["id"]) as browser,
    ):
        sent = ann.send(mine["id"], "Between us")
        worker.start(sent["call_id"])
        worker.chunk(sent["call_id"], sent["reply_id"], "secret")
        worker.finish(sent["call_id"], "secret")
        last = bob.command("PATCH", f"/api/conversations/{theirs['id']}/", {"title": "Mine"}, status=200)
        other.wait_for(lambda fs: any(f.data.get("position") == last["position"] for f in fs))
        browser.wait_for(has_finished(browser, sent["call_id"]))

    assert {c["conversation_id"] for c in other.of("change")} == {theirs["id"]}
    assert other.of("chunk") == other.of("call") == []
    assert {c["conversation_id"] for c in browser.of("change")} == {mine["id"]}


@pytest.mark.usefixtures("projected")
def test_chunks_come_for_the_conversation_on_screen_only(
    ann: Person, worker: StandInWorker, listen: Callable[..., Browser]
) -> None:
    shown, hidden = ann.start(), ann.start(title="Hidden")
    with listen(cursor=hidden["position"], conversation=shown["id"]) as browser:
        sent = ann.send(hidden["id"], "Hello")
        worker.start(sent["call_id"])
        worker.chunk(sent["call_id"], sent["reply_id"], "word")
        worker.finish(sent["call_id"], "word")
        browser.wait_for(has_finished(browser, sent["call_id"]))

    assert browser.of("chunk") == []
    assert [c["kind"] for c in browser.of("change")] == [
        "user_message_sent",
        "reply_requested",
        "reply_recorded",
    ]


@pytest.mark.usefixtures("projected")
@pytest.mark.parametrize("cursor", ["nonsense", "-1", "99999999999999999999", "12;x:1", "999999999"])
def test_a_cursor_that_is_of_no_use_is_reset_and_goes_on_from_now(
    ann: Person, listen: Callable[..., Browser], cursor: str
) -> None:
    conversation = ann.start()
    ann.get("/api/conversations/", after=conversation["position"])
    with listen(cursor=cursor) as browser:
        browser.wait_for(has_frames(browser, "reset", 1))
        ann.command("PATCH", f"/api/conversations/{conversation['id']}/", {"title": "Now"}, status=200)
        browser.wait_for(has_frames(browser, "change", 1))
        browser.come_back()
        ann.command("PATCH", f"/api/conversations/{conversation['id']}/", {"title": "Then"}, status=200)
        browser.wait_for(has_frames(browser, "change", 2))

    assert len(browser.of("reset")) == 1
    assert [c["data"]["conversation"]["title"] for c in browser.of("change")][-1] == "Then"


@pytest.mark.usefixtures("projected")
def test_the_stream_is_refused_as_other_requests_are(ann: Person, bob: Person, server: WebServer) -> None:
    conversation = ann.start()
    ann.get("/api/conversations/", after=conversation["position"])
    url = f"{server.url}/api/live/"
    theirs = {"Cookie": f"verbatim_session={session_of(bob)}"}

    assert problem_of_answer(httpx.get(url), 401)["code"] == "not_authenticated"
    assert problem_of_answer(httpx.get(url, headers={"Authorization": "Bearer wrong"}), 401)
    assert problem_of_answer(httpx.get(url, params={"conversation": "7"}, headers=theirs), 400)
    for unknown in (conversation["id"], str(uuid4())):
        refused = problem_of_answer(httpx.get(url, params={"conversation": unknown}, headers=theirs), 404)
        assert refused["code"] == "conversation_not_found"
    assert problem_of_answer(httpx.options(url, headers=theirs), 405)


@pytest.mark.usefixtures("projected")
def test_a_program_listens_with_its_token(make_user: Callable[..., User], server: WebServer) -> None:
    headers = {"Authorization": f"Bearer {token_of(make_user())}"}
    with httpx.stream("GET", f"{server.url}/api/live/", headers=headers) as response:
        assert response.status_code == 200
        assert "event: ping" in next(response.iter_text())


@pytest.mark.usefixtures("projected")
def test_a_conversation_started_a_moment_ago_can_be_listened_to_at_once(
    ann: Person, listen: Callable[..., Browser]
) -> None:
    for _ in range(5):
        conversation = ann.start()
        with listen(cursor=conversation["position"], conversation=conversation["id"]) as browser:
            assert browser.status == 200
