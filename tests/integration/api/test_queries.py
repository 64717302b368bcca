"""Queries over HTTP: what they show, to whom, how fresh, and page by page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.integration.api.support import Json, Person, StandInWorker, problem_of

if TYPE_CHECKING:
    from backend.accounts.models import User

pytestmark = pytest.mark.usefixtures("projected")

LIST = "/api/conversations/"


def test_a_command_is_seen_by_the_query_that_asks_for_its_position(ann: Person) -> None:
    for number in range(10):
        started = ann.start(title=f"Number {number}")
        page = ann.get(LIST, after=started["position"])
        assert page["results"][0]["id"] == started["id"]
        assert int(page["position"]) >= int(started["position"])


def test_a_row_of_the_list_has_everything_the_page_shows(ann: Person) -> None:
    started = ann.start(title="Tea", model="m1", system_prompt="Be brief.", params={"top_p": "0.9"})
    sent = ann.send(started["id"], "Hello")

    row = ann.get(LIST, after=sent["position"])["results"][0]

    assert row.keys() == {
        "id", "title", "owner", "settings", "version", "selected_leaf_id", "pinned", "archived", "deleted",
        "created_at", "updated_at", "message_count", "pending_reply", "forked_from",
    }  # fmt: skip
    assert row["owner"]["display_name"] == "ann"
    assert row["settings"] == {"system_prompt": "Be brief.", "model": "m1", "params": {"top_p": "0.9"}}
    assert (row["message_count"], row["pending_reply"]) == (2, True)
    assert row["selected_leaf_id"] == sent["reply_id"]
    assert row["updated_at"].endswith("Z")
    detail = ann.get(f"{LIST}{started['id']}/")
    assert detail.pop("position").isdigit()
    assert detail == {**row, "branch_count": 1, "hidden_branch_count": 0}


def test_archived_and_deleted_conversations_are_left_out_unless_asked_for(ann: Person) -> None:
    plain, archived, deleted = (ann.start(title=t)["id"] for t in ("plain", "archived", "deleted"))
    ann.command("PATCH", f"{LIST}{archived}/", {"archived": True}, status=200)
    after = ann.command("DELETE", f"{LIST}{deleted}/", status=202)["position"]

    def ids(**filters: str) -> set[str]:
        return {row["id"] for row in ann.get(LIST, after=after, **filters)["results"]}

    assert ids() == {plain}
    assert ids(archived="true") == {archived}
    assert ids(deleted="true") == {deleted}
    assert ids(archived="all", deleted="all") == {plain, archived, deleted}


def test_the_list_is_filtered_by_each_of_its_filters(ann: Person) -> None:
    tea = ann.start(title="Green TEA", model="m1")
    coffee = ann.start(title="Coffee", model="m2")
    after = ann.command("PATCH", f"{LIST}{coffee['id']}/", {"pinned": True}, status=200)["position"]

    def ids(**filters: str) -> list[str]:
        return [row["id"] for row in ann.get(LIST, after=after, **filters)["results"]]

    assert ids(search="tea") == [tea["id"]]
    assert ids(search="%") == []
    assert ids(model="m2") == [coffee["id"]]
    assert ids(pinned="true") == [coffee["id"]]
    assert ids(pinned="false") == [tea["id"]]
    assert ids(ordering="title") == [coffee["id"], tea["id"]]
    assert ids(ordering="created_at") == [tea["id"], coffee["id"]]
    moment = ann.get(f"{LIST}{tea['id']}/")["updated_at"]
    assert ids(updated_after=moment) == [coffee["id"]]
    assert ids(updated_before=moment) == []


@pytest.mark.parametrize("ordering", ["-updated_at", "updated_at", "title", "-created_at"])
def test_pages_forwards_and_backwards_hold_every_row_once(ann: Person, ordering: str) -> None:
    for number in range(7):
        # Equal titles, so that rows are told apart by their ids alone.
        after = ann.start(title=f"Title {number % 2}")["position"]
    whole = [row["id"] for row in ann.get(LIST, after=after, ordering=ordering)["results"]]

    pages = [ann.get(LIST, limit="3", ordering=ordering)]
    while pages[-1]["next"]:
        pages.append(_follow(ann, pages[-1]["next"]))

    assert [[row["id"] for row in page["results"]] for page in pages] == [whole[:3], whole[3:6], whole[6:]]
    assert pages[0]["previous"] is None
    back = _follow(ann, pages[2]["previous"])
    assert [row["id"] for row in back["results"]] == whole[3:6]
    first = _follow(ann, back["previous"])
    assert [row["id"] for row in first["results"]] == whole[:3]
    assert first["previous"] is None
    assert [row["id"] for row in _follow(ann, first["next"])["results"]] == whole[3:6]


def test_a_page_is_not_moved_by_what_is_added_meanwhile(ann: Person) -> None:
    for number in range(4):
        after = ann.start(title=f"Old {number}")["position"]
    first = ann.get(LIST, limit="2", after=after)
    after = ann.start(title="New")["position"]

    second = ann.get(
        LIST, limit="2", after=after, cursor=first["next"].partition("cursor=")[2].partition("&")[0]
    )

    titles = [row["title"] for row in first["results"] + second["results"]]
    assert titles == ["Old 3", "Old 2", "Old 1", "Old 0"]


def test_a_transcript_shows_the_branch_with_outcomes_and_usage(ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start(model="m1")
    sent = ann.send(conversation["id"], "Hello")
    path = f"{LIST}{conversation['id']}/transcript/"

    pending = ann.get(path, after=sent["position"])["results"]
    assert [row["outcome"] for row in pending] == [None, "pending"]
    position = worker.answer(sent["call_id"], "Hi there")

    page = ann.get(path, after=position)
    user, reply = page["results"]
    assert user.keys() == reply.keys() == {
        "id", "parent_id", "role", "content", "reasoning", "tool_calls", "outcome", "error", "call_id", "model",
        "sibling_index", "sibling_count", "sibling_ids", "at", "version", "usage", "duration_ms",
        "first_token_ms", "finish_reason", "conversation_id", "inherited", "continues", "hidden", "omitted_count",
        "replay",
    }  # fmt: skip
    assert (user["role"], user["content"], user["outcome"], user["parent_id"]) == (
        "user",
        "Hello",
        None,
        None,
    )
    assert (reply["role"], reply["content"], reply["outcome"]) == ("assistant", "Hi there", "complete")
    assert (reply["parent_id"], reply["call_id"], reply["model"]) == (user["id"], sent["call_id"], "m1")
    assert reply["usage"] == {"prompt_tokens": 12, "completion_tokens": 5}
    assert (reply["duration_ms"], reply["first_token_ms"], reply["finish_reason"]) == (1200, 80, "stop")
    assert (page["next"], page["previous"]) == (None, None)


def test_siblings_are_counted_and_another_branch_can_be_read(ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    worker.answer(sent["call_id"], "First")
    again = ann.command(
        "POST", f"{LIST}{conversation['id']}/messages/{sent['reply_id']}/regenerate/", {}, status=202
    )
    position = worker.answer(again["call_id"], "Second")
    path = f"{LIST}{conversation['id']}/transcript/"

    selected = ann.get(path, after=position)["results"][-1]
    other = ann.get(path, leaf=sent["reply_id"])["results"][-1]

    assert (selected["content"], selected["sibling_index"], selected["sibling_count"]) == ("Second", 1, 2)
    assert (other["content"], other["sibling_index"]) == ("First", 0)
    assert selected["sibling_ids"] == [sent["reply_id"], again["reply_id"]]
    unknown = problem_of(ann.client.get(path, {"leaf": str(uuid4())}), 404)
    assert unknown["code"] == "message_not_found"


def test_a_long_transcript_comes_in_pages_from_its_end(ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start()
    for number in range(4):
        sent = ann.send(conversation["id"], f"Question {number}")
        position = worker.answer(sent["call_id"], f"Answer {number}")

    page = ann.get(f"{LIST}{conversation['id']}/transcript/", limit="3", after=position)
    contents = [[row["content"] for row in page["results"]]]
    while page["next"]:
        page = _follow(ann, page["next"])
        contents.append([row["content"] for row in page["results"]])

    assert contents == [
        ["Answer 2", "Question 3", "Answer 3"],
        ["Question 1", "Answer 1", "Question 2"],
        ["Question 0", "Answer 0"],
    ]


def test_the_stream_of_events_is_shown_as_it_is_stored(ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start(title="Tea")
    sent = ann.send(conversation["id"], "Hello")
    worker.answer(sent["call_id"], "Hi")
    path = f"{LIST}{conversation['id']}/events/"

    page = ann.get(path)

    events = page["results"]
    assert [e["version"] for e in events] == [1, 2, 3, 4, 5, 6]
    assert [e["topic"] for e in events] == [
        "ConversationStarted.v1",
        "SystemPromptChanged.v1",
        "ModelSettingsChanged.v1",
        "UserMessageSent.v1",
        "ReplyRequested.v2",
        "ReplyRecorded.v1",
    ]
    assert events[0]["payload"]["title"] == "Tea"
    assert events[3]["payload"]["content"] == "Hello"
    assert events[5]["payload"]["content"] == "Hi"
    assert all(e["at"].endswith("Z") and e["payload"]["at"] == e["at"] for e in events)
    assert events[3]["payload"]["actor"].startswith("user:")
    positions = [int(e["position"]) for e in events]
    assert positions == sorted(positions)
    assert positions[-1] <= int(page["position"])
    first = ann.get(path, limit="4")
    rest = _follow(ann, first["next"])
    assert first["results"] + rest["results"] == events
    assert rest["next"] is None
    assert ann.get(path, after_version="5")["results"] == events[5:]


def test_the_prompt_is_rebuilt_and_equals_what_was_recorded(ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start(system_prompt="Be brief.", model="m1", params={"temperature": 0.5})
    first = ann.send(conversation["id"], "Hello")
    worker.answer(first["call_id"], "Hi")
    second = ann.send(conversation["id"], "How are you?")

    prompt = ann.get(f"/api/model-calls/{second['call_id']}/prompt/")

    assert prompt["identical"] is True
    assert prompt["body_sha256"] == prompt["recorded_sha256"]
    assert prompt["body_sha256"] == hashlib.sha256(prompt["body"].encode()).hexdigest()
    assert prompt["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "How are you?"},
    ]
    body = json.loads(prompt["body"])
    assert (body["model"], body["temperature"], body["messages"]) == ("m1", 0.5, prompt["messages"])


def test_a_call_tells_its_attempts_timings_and_events(ann: Person, worker: StandInWorker) -> None:
    conversation = ann.start(model="m1")
    sent = ann.send(conversation["id"], "Hello")
    position = worker.answer(sent["call_id"], "Hi")

    call = ann.get(f"/api/model-calls/{sent['call_id']}/", after=position)

    assert (call["outcome"], call["purpose"], call["source"], call["model"]) == (
        "complete",
        "reply",
        "browser",
        "m1",
    )
    assert (call["conversation_id"], call["reply_id"]) == (conversation["id"], sent["reply_id"])
    assert call["usage"] == {"prompt_tokens": 12, "completion_tokens": 5}
    assert [a["attempt"] for a in call["attempts"]] == [1]
    assert call["attempts"][0]["worker"] == worker.worker_id
    assert [e["topic"] for e in call["events"]] == [
        "ModelCallRequested.v2",
        "ModelCallStarted.v1",
        "ModelCallCompleted.v1",
    ]
    assert all(e["position"].isdigit() for e in call["events"])
    assert len(call["body_sha256"]) == 64


def test_calls_are_filtered_and_everybody_sees_their_own(
    ann: Person,
    bob: Person,
    worker: StandInWorker,
    make_user: Callable[..., User],
    person_for: Callable[..., Person],
) -> None:
    mine = ann.start(model="m1", title="Mine")
    done = ann.send(mine["id"], "Hello")
    worker.answer(done["call_id"], "Hi")
    waiting = ann.send(mine["id"], "More", model="m2")
    theirs = bob.start()
    other = bob.send(theirs["id"], "Hello")
    auditor = person_for(make_user("eve@example.org", is_auditor=True))
    everything = {done["call_id"], waiting["call_id"], other["call_id"]}
    bob_id = bob.get("/api/me/")["id"]

    def ids(person: Person, **filters: str) -> set[str]:
        page = person.get("/api/model-calls/", after=other["position"], **filters)
        return {row["id"] for row in page["results"]}

    assert ids(ann) == {done["call_id"], waiting["call_id"]}
    assert ids(ann, user=bob_id) == set()
    assert ids(auditor) == everything
    assert ids(auditor, user=bob_id) == {other["call_id"]}
    assert ids(auditor, conversation=mine["id"]) == {done["call_id"], waiting["call_id"]}
    assert ids(ann, outcome="pending") == {waiting["call_id"]}
    assert ids(ann, outcome="complete") == {done["call_id"]}
    assert ids(ann, model="m2") == {waiting["call_id"]}
    assert ids(ann, purpose="title") == set()
    assert ids(ann, runner="runner") == {done["call_id"], waiting["call_id"]}
    assert ids(ann, runner="another") == set()
    assert ids(ann, first_token_ms_min="80", first_token_ms_max="80") == {done["call_id"]}
    assert ids(ann, first_token_ms_max="79") == set()
    assert ids(ann, source="browser") == {done["call_id"], waiting["call_id"]}
    assert ids(ann, duration_ms_min="1200", duration_ms_max="1200") == {done["call_id"]}
    assert ids(ann, duration_ms_min="1201") == set()
    assert ids(ann, prompt_tokens_min="12", completion_tokens_max="5") == {done["call_id"]}
    assert ids(ann, prompt_tokens_max="11") == set()
    requested_at = ann.get(f"/api/model-calls/{done['call_id']}/")["requested_at"]
    assert ids(ann, created_after=requested_at) == {waiting["call_id"]}
    assert ids(ann, created_before=requested_at) == set()


def test_somebody_elses_things_are_as_unknown_as_those_that_never_were(ann: Person, bob: Person) -> None:
    conversation = ann.start()
    sent = ann.send(conversation["id"], "Hello")
    ann.get(LIST, after=sent["position"])
    ann.get(f"/api/model-calls/{sent['call_id']}/", after=sent["position"])

    for path in ("conversations/{}/", "conversations/{}/transcript/", "conversations/{}/events/"):
        _same_404(bob, f"/api/{path}", conversation["id"])
    for path in ("", "prompt/", "reply/", "raw/"):
        _same_404(bob, f"/api/model-calls/{{}}/{path}", sent["call_id"])
    _same_404(bob, "/api/audit/conversations/{}/events/", conversation["id"])
    assert bob.get(LIST)["results"] == []
    assert bob.get("/api/model-calls/")["results"] == []


def test_a_position_that_is_not_reached_is_503_with_retry_after(ann: Person) -> None:
    position = int(ann.start()["position"])

    response = ann.client.get(LIST, {"after": str(position + 1000)})

    assert problem_of(response, 503)["code"] == "read_model_behind"
    assert int(response.headers["Retry-After"]) >= 1


def test_a_read_model_that_is_being_rebuilt_is_503_with_retry_after(ann: Person) -> None:
    from backend import bootstrap
    from projections.locks import lock_session, rebuild_keys
    from projections.position_table import REBUILDING, ProjectionPosition

    started = ann.start()
    ann.get(LIST, after=started["position"])
    with lock_session(bootstrap.database_url()) as locks:
        # Held, so that the worker does not finish what looks like a rebuild that was broken off.
        assert locks.try_take(rebuild_keys("conversation_list"))
        ProjectionPosition.objects.filter(name="conversation_list").update(state=REBUILDING)

        response = ann.client.get(LIST)

        assert problem_of(response, 503)["code"] == "read_model_rebuilding"
        assert int(response.headers["Retry-After"]) >= 1
        ann.get(f"{LIST}{started['id']}/transcript/")


def test_models_answer_with_the_reason_when_the_runner_is_away(ann: Person) -> None:
    from backend.api import runner_status

    runner_status.forget()

    answer = ann.get("/api/models/")

    assert [m["id"] for m in answer["results"]] == ["scripted-model"]
    assert answer["results"][0]["default"] is True
    assert answer["results"][0]["reachable"] is False
    assert answer["runners"][0]["reachable"] is False
    assert answer["runners"][0]["error"]


def _follow(person: Person, address: str) -> Json:
    assert address.startswith("http://localhost/")
    response = person.client.get(address.removeprefix("http://localhost"))
    assert response.status_code == 200, response.content
    page: Json = response.json()
    return page


def _same_404(person: Person, template: str, real_id: str) -> None:
    answers: list[Any] = []
    for asked_id in (real_id, str(uuid4())):
        problem = problem_of(person.client.get(template.format(asked_id)), 404)
        answers.append({key: str(value).replace(asked_id, "ID") for key, value in problem.items()})
    assert answers[0] == answers[1], "an unknown id must look the same"
