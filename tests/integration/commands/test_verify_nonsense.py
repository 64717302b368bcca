"""Whatever somebody writes into an event, each verification says what is wrong with which event, and ends in order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command

from backend.bootstrap.transparency import transparency_log
from tests.integration.commands.support import store
from tests.integration.projections.talk import Talk

CHANGED = "UPDATE events SET state = %s WHERE notification_id = %s"


@pytest.fixture
def talk(fresh_database: str) -> Talk:
    told = Talk()
    for number in range(3):
        told.say(f"Question {number}")
        told.reply(f"Answer {number}")
    store(told, fresh_database)
    transparency_log().checkpoint()
    return told


def verify(*what: str) -> tuple[int, str]:
    out, status = StringIO(), 0
    try:
        call_command("verify", *what, stdout=out)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, out.getvalue()


@contextmanager
def tampering(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER USER")
        connection.execute("ALTER TABLE events ALTER state DROP NOT NULL")
        yield connection


def first_of(connection: psycopg.Connection[Any], kind: str) -> tuple[int, bytes]:
    row = connection.execute(
        "SELECT notification_id, state FROM events WHERE topic LIKE %s ORDER BY 1 LIMIT 1", (f"{kind}.%",)
    ).fetchone()
    assert row is not None
    return row[0], bytes(row[1])


KINDS = (
    "ConversationStarted",
    "SystemPromptChanged",
    "UserMessageSent",
    "ReplyRequested",
    "ReplyRecorded",
    "ModelCallRequested",
    "ModelCallStarted",
    "ModelCallCompleted",
)
NEVER_WRITTEN: tuple[bytes | None, ...] = (
    None, b"", b"x", b"[]", b"null", b"7", b"{}", b"\xff", b"[" * 100_000, b'{"at": NaN}',
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_payload_that_is_none_is_named_by_every_verification_that_needs_it(
    kind: str, talk: Talk, fresh_database: str
) -> None:
    for_prompts = not kind.startswith(("ModelCallStarted", "ModelCallCompleted"))
    for_coverage = kind in {"ReplyRequested", "ReplyRecorded", "ModelCallStarted", "ModelCallCompleted"}
    with tampering(fresh_database) as connection:
        position, honest = first_of(connection, kind)
        for payload in NEVER_WRITTEN:
            connection.execute(CHANGED, (payload, position))
            status, told = verify("log")
            assert (status, f"changed: The event at position {position} " in told) == (1, True), told
            status, told = verify("prompts", "--all")
            assert status == int(for_prompts), told
            assert ("unreadable: " in told) == for_prompts
            status, told = verify("coverage")
            assert status == int(for_coverage), told
            assert (f" at position {position} " in told) == for_coverage
        connection.execute(CHANGED, (honest, position))
    assert [verify(*what)[0] for what in (["log"], ["prompts", "--all"], ["coverage"])] == [0, 0, 0]


VALUES: tuple[Any, ...] = (None, 7, "\ud800", [1], {"a": {}})


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_of_another_kind_brings_no_verification_down(
    kind: str, talk: Talk, fresh_database: str
) -> None:
    with tampering(fresh_database) as connection:
        position, honest = first_of(connection, kind)
        for places in places_in(json.loads(honest)):
            for value in VALUES:
                changed = json.loads(honest)
                places(changed, value)
                if changed == json.loads(honest):
                    continue
                connection.execute(CHANGED, (json.dumps(changed).encode(), position))
                assert verify("log")[0] == 1
                for what in (["prompts", "--all"], ["coverage"]):
                    status, told = verify(*what)
                    lines = told.splitlines()
                    assert (status, len(lines) > 1) in {(0, False), (1, True)}, told


def places_in(payload: dict[str, Any]) -> Iterator[Callable[[dict[str, Any], Any], None]]:
    """For each field, also those of the prompt's request, what sets it."""
    for name, value in payload.items():
        yield lambda changed, value, name=name: changed.update({name: value})  # type: ignore[misc]
        if name == "prompt_request":
            for inner in value:
                yield lambda changed, value, inner=inner: changed["prompt_request"].update({inner: value})  # type: ignore[misc]
