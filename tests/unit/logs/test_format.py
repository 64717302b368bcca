"""A line says when, where, what and whose; and of a failure nothing that it may quote."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from typing import Any

import pytest

from backend.logs.context import at_work_on, known_ids, note
from backend.logs.format import FIELDS, LONGEST_TEXT, JsonFormatter, PlainFormatter, part_of


def record(message: str, *arguments: object, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("backend.api", logging.WARNING, "x.py", 1, message, arguments, None)
    made.created = 1_790_000_000.1234
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def failed_with(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def test_json_is_one_object_a_line() -> None:
    with at_work_on(request_id="r1", user_id=None):
        note(call_id=7)
        line = JsonFormatter().format(record("Two\nlines of %s", "text", **{FIELDS: {"status": 503}}))
    assert "\n" not in line
    said = json.loads(line)
    assert said.pop("part")
    assert said == {
        "time": "2026-09-21T14:13:20.123Z",
        "level": "WARNING",
        "logger": "backend.api",
        "message": "Two\nlines of text",
        "request_id": "r1",
        "call_id": "7",
        "status": 503,
    }


def test_plain_lines_end_with_what_they_belong_to() -> None:
    assert PlainFormatter().format(record("Away")) == "2026-09-21T14:13:20.123Z WARNING backend.api Away"
    with at_work_on(call_id="c1", conversation_id="v1"):
        assert PlainFormatter().format(record("Away")).endswith(" Away [conversation_id=v1 call_id=c1]")


def test_what_comes_from_outside_cannot_forge_a_line_or_command_a_terminal() -> None:
    line = PlainFormatter().format(
        record("From %s", "there\n2026-09-21T14:13:21.000Z INFO forged\r\x1b[2J\u2028")
    )
    assert line.endswith(r"From there\n2026-09-21T14:13:21.000Z INFO forged\r\x1b[2J\u2028")
    info = failed_with(ValueError("gr\u00fc\u00df dich\x1b[2J"))
    for formatter in (PlainFormatter(), JsonFormatter()):
        line = formatter.format(record("Failed", exc_info=info))
        assert "gr\u00fc\u00df dich" in line
        assert "\x1b" not in line


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_a_failure_is_told_without_what_a_database_quotes(formatter: logging.Formatter) -> None:
    try:
        try:
            raise ValueError("duplicate key\nDETAIL:  Key (email)=(ann@example.org) already exists.")
        except ValueError as error:
            raise RuntimeError("It failed" + "!" * 1000) from error
    except RuntimeError:
        line = formatter.format(record("Failed", exc_info=sys.exc_info()))
    assert "ann@example.org" not in line
    assert "builtins.ValueError: duplicate key" in line
    assert "test_format.py" in line
    assert line.index("ValueError") < line.index("RuntimeError")
    assert "!" * (LONGEST_TEXT - 9) in line
    assert "!" * LONGEST_TEXT not in line


def test_failures_within_a_group_are_told_each() -> None:
    info = failed_with(ExceptionGroup("several", [OSError("first"), KeyError("second")]))
    said = json.loads(JsonFormatter().format(record("Failed", exc_info=info)))
    assert [line for line in said["exception"] if "rror:" in line] == [
        "builtins.OSError: first",
        "builtins.KeyError: 'second'",
    ]


def test_ids_follow_the_work_into_threads_and_tasks_and_nobody_else_s() -> None:
    seen: dict[str, dict[str, str]] = {}

    async def work(name: str) -> None:
        with at_work_on(request_id=name):
            await asyncio.sleep(0)
            await asyncio.to_thread(lambda: note(user_id=f"of {name}"))
            seen[name] = known_ids()

    async def both() -> None:
        await asyncio.gather(work("a"), work("b"))

    asyncio.run(both())
    assert seen == {name: {"request_id": name, "user_id": f"of {name}"} for name in ("a", "b")}
    assert known_ids() == {}
    thread = threading.Thread(target=lambda: note(user_id="nobody's"))
    thread.start()
    thread.join()
    assert known_ids() == {}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["/x/backend/embedded/web_server.py", "--fd", "3"], "web"),
        (["backend/manage.py", "run_projections"], "projections"),
        (["backend/manage.py", "run_model_calls"], "model-calls"),
        (["backend/manage.py", "--no-color", "migrate"], "migrate"),
        ([], "other"),
    ],
)
def test_a_process_knows_which_part_it_is(arguments: list[str], part: str) -> None:
    assert part_of(arguments) == part
