"""Bad input is refused with a problem that names the field, and nothing is stored."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.conftest import _use_database as use_database
from tests.integration.api.support import JSON, Person, problem_of, projecting, stored_events, token_of

if TYPE_CHECKING:
    from backend.accounts.models import User
    from tests.support.databases import TestServer

LONE = b'"\\ud800"'


@pytest.fixture(scope="module")
def shared_database(test_server: TestServer) -> Iterator[str]:
    """One database for all tests here: what they send is refused, so they leave nothing behind that counts."""
    with test_server.fresh() as url, use_database(url), projecting(url):
        yield url


@pytest.fixture
def fresh_database(shared_database: str) -> str:
    return shared_database


@pytest.fixture
def projected(shared_database: str) -> None:
    """The module's projection worker is running already."""


@pytest.fixture(scope="module")
def ann(shared_database: str) -> Person:
    from backend.accounts.models import User

    client = Client()
    user = User.objects.create_user("ann@example.org", "correct-horse-battery-staple")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return Person(client)


@pytest.fixture
def messages(ann: Person) -> str:
    return f"/api/conversations/{ann.start()['id']}/messages/"


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "content", "invalid_input"),
        ({"content": ""}, "content", "content_empty"),
        ({"content": " \n\t\u00a0"}, "content", "content_empty"),
        ({"content": "x" * (256 * 1024 + 1)}, "content", "text_too_long"),
        ({"content": "é" * (128 * 1024 + 1)}, "content", "text_too_long"),
        ({"content": "a\x00b"}, "content", "text_invalid"),
        (b'{"content": "a\\u0000b"}', "content", "text_invalid"),
        (b'{"content": ' + LONE + b"}", "content", "text_invalid"),
        (b'{"content": "\\udc00 \\ud83d"}', "content", "text_invalid"),
        ({"content": 5}, "content", "invalid_input"),
        ({"content": True}, "content", "invalid_input"),
        ({"content": None}, "content", "invalid_input"),
        ({"content": ["Hello"]}, "content", "invalid_input"),
        ({"content": {"text": "Hello"}}, "content", "invalid_input"),
        ({"content": "Hi", "parent_id": 7}, "parent_id", "invalid_input"),
        ({"content": "Hi", "parent_id": "7"}, "parent_id", "invalid_input"),
        ({"content": "Hi", "parent_id": str(uuid4())}, "parent_id", "parent_not_found"),
        ({"content": "Hi", "expected_version": "3"}, "expected_version", "invalid_input"),
        ({"content": "Hi", "expected_version": 3.5}, "expected_version", "invalid_input"),
        ({"content": "Hi", "expected_version": True}, "expected_version", "invalid_input"),
        ({"content": "Hi", "model": ""}, "model", "invalid_input"),
        ({"content": "Hi", "model": "m\x00"}, "model", "text_invalid"),
        (b'{"content": "Hi", "model": ' + LONE + b"}", "model", "text_invalid"),
        ({"content": "Hi", "params": []}, "params", "invalid_input"),
        ({"content": "Hi", "params": "warm"}, "params", "invalid_input"),
        ({"content": "Hi", "params": {"temperature": 2.1}}, "params.temperature", "parameter_invalid"),
        ({"content": "Hi", "params": {"temperature": "hot"}}, "params.temperature", "parameter_invalid"),
        ({"content": "Hi", "params": {"temperature": True}}, "params.temperature", "invalid_input"),
        ({"content": "Hi", "params": {"temperature": None}}, "params.temperature", "invalid_input"),
        ({"content": "Hi", "params": {"max_tokens": 0}}, "params.max_tokens", "parameter_invalid"),
        ({"content": "Hi", "params": {"max_tokens": 1.5}}, "params.max_tokens", "parameter_invalid"),
        ({"content": "Hi", "params": {"seed": 2**60}}, "params.seed", "parameter_invalid"),
        ({"content": "Hi", "params": {"top_p": 1e400}}, None, "parse_error"),
        ({"content": "Hi", "params": {"stop": ["a"] * 5}}, "params.stop", "parameter_invalid"),
        ({"content": "Hi", "params": {"mood": 1}}, "params.mood", "parameter_invalid"),
        (b'{"content": "Hi", "params": {' + LONE + b": 1}}", "params", "text_invalid"),
        (b'{"content": "Hi", "params": {"stop": ' + LONE + b"}}", "params.stop", "text_invalid"),
        (b'{"content": "Hi", "params": {"top_p": ' + LONE + b"}}", "params.top_p", "parameter_invalid"),
        ({"content": "Hi", "colour": "red"}, "colour", "invalid_input"),
        (b'{"content": "Hi", ' + LONE + b": 1}", "\\ud800", "invalid_input"),
        (b'["Hello"]', "non_field_errors", "invalid_input"),
        (b'"Hello"', "non_field_errors", "invalid_input"),
        (b"null", "non_field_errors", "invalid_input"),
        (b"{", None, "parse_error"),
        (b'{"content": "Hi"} more', None, "parse_error"),
        (b'{"content": "Hi", "params": {"temperature": NaN}}', None, "parse_error"),
        (b'{"content": "Hi", "params": {"temperature": -Infinity}}', None, "parse_error"),
        (b'{"content": "Hi", "params": {"seed": ' + b"9" * 5000 + b"}}", None, "parse_error"),
        (b'{"content": "\xff\xfe"}', None, "parse_error"),
        (b'{"content": "line\nbreak"}', None, "parse_error"),
        (b"[" * 100_000, None, "parse_error"),
    ],
)
def test_a_message_that_does_not_fit_is_refused_by_name(
    ann: Person, messages: str, fresh_database: str, body: Any, field: str | None, code: str
) -> None:
    before = stored_events(fresh_database)

    refused = problem_of(ann.ask("POST", messages, body), 400)

    assert refused["code"] == code
    if field is not None:
        assert field in refused["errors"]
    assert stored_events(fresh_database) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": 1}, "title"),
        ({"title": ""}, "title"),
        ({"title": "t" * 1025}, "title"),
        ({"title": None}, "title"),
        ({"pinned": "yes"}, "pinned"),
        ({"pinned": 1}, "pinned"),
        ({"archived": None}, "archived"),
        ({"system_prompt": "p\x00"}, "system_prompt"),
        ({"system_prompt": "p" * (256 * 1024 + 1)}, "system_prompt"),
        ({"params": {"top_k": -1}}, "params.top_k"),
        ({"deleted": True}, "deleted"),
        ({"id": str(uuid4())}, "id"),
    ],
)
def test_a_change_that_does_not_fit_is_refused_by_name(
    ann: Person, fresh_database: str, body: dict[str, Any], field: str
) -> None:
    path = f"/api/conversations/{ann.start()['id']}/"
    before = stored_events(fresh_database)

    refused = problem_of(ann.ask("PATCH", path, body), 400)

    assert field in refused["errors"]
    assert stored_events(fresh_database) == before


def test_every_wrong_field_is_named_at_once(ann: Person, messages: str) -> None:
    refused = problem_of(
        ann.ask("POST", messages, {"parent_id": 1, "expected_version": "x", "colour": "red"}), 400
    )

    assert refused["errors"].keys() == {"content", "parent_id", "expected_version", "colour"}


def test_the_limits_text_says_the_limit_and_what_was_found(ann: Person, messages: str) -> None:
    refused = problem_of(ann.ask("POST", messages, {"content": "x" * (256 * 1024 + 1)}), 400)

    assert "262,144" in refused["errors"]["content"][0]
    assert "262,145" in refused["errors"]["content"][0]


def test_a_message_of_exactly_the_limit_is_stored_as_it_stands(ann: Person, messages: str) -> None:
    content = "é" * (128 * 1024)

    ann.command("POST", messages, {"content": content}, status=202)

    events = ann.get(messages.replace("messages", "events"))["results"]
    assert [e["payload"]["content"] for e in events if e["topic"] == "UserMessageSent.v1"] == [content]


def test_a_request_over_one_megabyte_is_413(ann: Person, messages: str, fresh_database: str) -> None:
    before = stored_events(fresh_database)

    refused = problem_of(ann.ask("POST", messages, {"content": "x" * (1024 * 1024)}), 413)

    assert refused["code"] == "request_too_large"
    assert stored_events(fresh_database) == before


def test_another_media_type_is_415(ann: Person, messages: str) -> None:
    response = ann.client.post(messages, "content=Hello", content_type="application/x-www-form-urlencoded")

    problem_of(response, 415)


@pytest.mark.parametrize(
    "path", ["/api/conversations/7/", "/api/conversations/not-a-uuid/messages/", "/api/nothing/"]
)
def test_an_address_that_names_nothing_is_404(ann: Person, path: str) -> None:
    problem_of(ann.client.get(path), 404)


def test_a_method_that_is_not_there_is_405(ann: Person, messages: str) -> None:
    problem_of(ann.ask("PUT", messages, {}), 405)


def test_commands_without_fields_refuse_fields(ann: Person) -> None:
    conversation = ann.start()
    path = f"/api/conversations/{conversation['id']}/"
    ann.command("DELETE", path, status=202)

    refused = problem_of(ann.ask("POST", f"{path}restore/", {"title": "x"}), 400)

    assert "title" in refused["errors"]


def test_the_last_of_two_equal_names_counts(ann: Person, messages: str) -> None:
    ann.command("POST", messages, b'{"content": "First", "content": "Second"}', status=202)

    events = ann.get(messages.replace("messages", "events"))["results"]
    assert events[-2]["payload"]["content"] == "Second"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("?after=soon", "after"),
        ("?after=-1", "after"),
        ("?after=99999999999999999999", "after"),
        ("?archived=perhaps", "archived"),
        ("?pinned=all", "pinned"),
        ("?updated_after=yesterday", "updated_after"),
        ("?updated_after=0001-01-01T00:00:00%2B14:00", "updated_after"),
        ("?search=a%00b", "search"),
        ("?ordering=colour", "ordering"),
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
        ("?limit=many", "limit"),
        ("?cursor=!!!", "cursor"),
        ("?cursor=bm90IGpzb24", "cursor"),
        ("{id}/transcript/?leaf=x", "leaf"),
        ("{id}/transcript/?limit=500", "limit"),
        ("{id}/transcript/?before=1", "before"),
        ("{id}/transcript/?after=x", "after"),
        ("{id}/events/?after_version=-1", "after_version"),
        ("{id}/events/?after=x", "after"),
        ("{id}/?after=x", "after"),
    ],
)
def test_a_query_parameter_that_does_not_fit_is_refused_by_name(
    ann: Person, projected: None, path: str, name: str
) -> None:
    conversation = ann.start()

    refused = problem_of(ann.client.get("/api/conversations/" + path.format(id=conversation["id"])), 400)

    assert name in refused["errors"]


@pytest.mark.parametrize(
    "query", ["conversation=7", "user=x", "outcome=done", "purpose=x", "duration_ms_min=-1", "prompt_tokens_max=many",
              "created_after=x", "created_before=9999-12-31T23:00:00-12:00", "source=x", "after=x"],
)  # fmt: skip
def test_a_call_filter_that_does_not_fit_is_refused_by_name(ann: Person, projected: None, query: str) -> None:
    refused = problem_of(ann.client.get(f"/api/model-calls/?{query}"), 400)

    assert query.partition("=")[0] in refused["errors"]


def test_a_token_with_a_bad_body_is_told_the_same(make_user: Callable[..., User]) -> None:
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {token_of(make_user())}"})

    response = client.post("/api/conversations/", b'{"title": 1}', content_type=JSON)

    assert "title" in problem_of(response, 400)["errors"]


@pytest.mark.parametrize("zone", ["-17:33", "+23:59"])
def test_a_time_may_be_in_any_zone_that_can_be_written(ann: Person, projected: None, zone: str) -> None:
    moment = f"0479-02-10T12:23:05{zone}"
    ann.get("/api/model-calls/", created_after=moment)
    ann.get("/api/conversations/", updated_before=moment)
    ann.get("/api/conversations/", cursor=cursor("-updated_at", moment))


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-12:00", "2026-01-01T00:00:00", "a\ud800"]
)
def test_a_cursor_that_was_written_by_hand_is_refused(ann: Person, projected: None, value: str) -> None:
    answer = ann.client.get("/api/conversations/", {"cursor": cursor("-updated_at", value)})
    assert "cursor" in problem_of(answer, 400)["errors"]


def test_so_is_one_with_half_a_character(
    make_user: Callable[..., User], person_for: Callable[[User], Person]
) -> None:
    admin = person_for(make_user(is_staff=True))
    answer = admin.client.get("/api/users/", {"cursor": cursor("email", "a\ud800")})
    assert "cursor" in problem_of(answer, 400)["errors"]


def cursor(ordering: str, value: str) -> str:
    """A place in a list, as somebody might make it up."""
    parts = json.dumps([ordering, False, value, str(uuid4())])
    return base64.urlsafe_b64encode(parts.encode()).decode()
