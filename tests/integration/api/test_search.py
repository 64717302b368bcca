"""GET /api/search/: what it answers, page by page, to whom, and what it refuses."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.integration.api.support import Json, Person, StandInWorker, problem_of

pytestmark = pytest.mark.usefixtures("projected")

PATH = "/api/search/"


def said(person: Person, worker: StandInWorker, text: str, reply: str, **fields: object) -> Json:
    """A conversation of one turn: what starting and sending answered, and the position of its end."""
    started = person.start(**fields)
    sent = person.send(started["id"], text)
    return {**sent, "id": started["id"], "position": worker.answer(sent["call_id"], reply)}


def test_a_hit_says_what_was_found_and_where(ann: Person, worker: StandInWorker) -> None:
    turn = said(ann, worker, "How do I bake bread?", "Baking <bread> is easy.", title="Kitchen", model="m1")

    page = ann.get(PATH, q="bake", after=turn["position"])

    assert page.keys() == {"results", "next", "previous", "position"}
    assert int(page["position"]) >= int(turn["position"])
    user, reply = page["results"]
    assert user == {
        "kind": "message",
        "conversation_id": turn["id"],
        "conversation": {"id": turn["id"], "title": "Kitchen"},
        "message_id": turn["message_id"],
        "message": {
            "id": turn["message_id"],
            "role": "user",
            "at": user["at"],
            "model": None,
            "outcome": None,
        },
        "excerpt": "How do I <mark>bake</mark> bread?",
        "rank": user["rank"],
        "at": user["at"],
    }
    assert (reply["message"]["role"], reply["message"]["model"], reply["message"]["outcome"]) == (
        "assistant",
        "m1",
        "complete",
    )
    assert reply["excerpt"] == "<mark>Baking</mark> &lt;bread&gt; is easy."
    assert 1 > user["rank"] > reply["rank"] > 0
    (title,) = ann.get(PATH, q="kitchen")["results"]
    assert (title["kind"], title["message_id"], title["message"]) == ("title", None, None)


def test_only_my_own_conversations_are_searched(ann: Person, bob: Person, worker: StandInWorker) -> None:
    turn = said(ann, worker, "The secret", "Kept secret.", title="secret")

    assert len(ann.get(PATH, q="secret", after=turn["position"])["results"]) == 3
    assert bob.get(PATH, q="secret", after=turn["position"])["results"] == []
    assert bob.get(PATH, q="secret", conversation=turn["id"])["results"] == []
    assert ann.get(PATH, q="secret", conversation=str(uuid4()))["results"] == []


def test_a_deleted_conversation_is_found_again_when_it_is_restored(
    ann: Person, worker: StandInWorker
) -> None:
    turn = said(ann, worker, "albatross", "penguin")
    address = f"/api/conversations/{turn['id']}/"

    gone = ann.command("DELETE", address, status=202)["position"]
    assert ann.get(PATH, q="albatross", after=gone)["results"] == []
    back = ann.command("POST", f"{address}restore/", status=200)["position"]
    hits = ann.get(PATH, q="albatross", after=back)["results"]
    assert {hit["kind"] for hit in hits} == {"title", "message"}, "its first words are its title"


def test_pages_follow_each_other_both_ways(ann: Person) -> None:
    position = "0"
    for number in range(5):
        position = ann.start(title=f"Tea {number}")["position"]
    first = ann.get(PATH, q="tea", limit="2", after=position)
    pages = [first]
    while pages[-1]["next"]:
        pages.append(_follow(ann, pages[-1]["next"]))

    titles = [[hit["conversation"]["title"] for hit in page["results"]] for page in pages]
    assert titles == [["Tea 4", "Tea 3"], ["Tea 2", "Tea 1"], ["Tea 0"]]
    back = _follow(ann, pages[2]["previous"])
    assert back["results"] == pages[1]["results"]
    assert _follow(ann, back["previous"])["results"] == first["results"]
    assert first["previous"] is None


@pytest.mark.parametrize(
    ("parameters", "field", "text"),
    [
        ({}, "q", "at least one word"),
        ({"q": ""}, "q", "at least one word"),
        ({"q": "-tea"}, "q", "besides those it excludes"),
        ({"q": "x" * 501}, "q", "at most 500 characters, found 501"),
        ({"q": "from:him"}, "q", "from:me"),
        ({"q": "before:soon"}, "q", "before:2026-01-31"),
        ({"q": "tea", "limit": "0"}, "limit", "1 to 100"),
        ({"q": "tea", "limit": "101"}, "limit", "1 to 100"),
        ({"q": "tea", "conversation": "7"}, "conversation", "id of a conversation"),
        ({"q": "tea", "cursor": "x"}, "cursor", "no place"),
        ({"q": "tea", "cursor": "bnVsbA"}, "cursor", "no place"),
        ({"q": "tea", "cursor": "é"}, "cursor", "no place"),
        ({"q": "tea", "after": "soon"}, "after", "position"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_name(
    ann: Person, parameters: dict[str, str], field: str, text: str
) -> None:
    refused = problem_of(ann.client.get(PATH, parameters), 400)

    assert refused["code"] == "invalid_input"
    assert text in refused["errors"][field][0]


def test_a_cursor_belongs_to_its_question(ann: Person) -> None:
    for number in range(3):
        position = ann.start(title=f"Tea {number}")["position"]
    following = ann.get(PATH, q="tea", limit="1", after=position)["next"]
    cursor = following.partition("cursor=")[2].partition("&")[0]

    refused = problem_of(ann.client.get(PATH, {"q": "title", "cursor": cursor}), 400)

    assert "cursor" in refused["errors"]


@pytest.mark.parametrize(
    "text", ["\x00", "a\x00b", "\ud800 tea", "'", "\\", "%", "a & b | !c", "<->", "☃" * 500]
)
def test_no_text_breaks_the_search(ann: Person, text: str) -> None:
    response = ann.client.get(PATH, {"q": text.encode("utf-8", "surrogatepass")})

    assert response.status_code in (200, 400)


def test_nobody_searches_without_having_logged_in(ann: Person) -> None:
    ann.client.logout()

    assert problem_of(ann.client.get(PATH, {"q": "tea"}), 401)["status"] == 401


def _follow(person: Person, address: str) -> Json:
    response = person.client.get(address)
    assert response.status_code == 200, response.content
    page: Json = response.json()
    return page
