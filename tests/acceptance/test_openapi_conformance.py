"""The description of the interface against the running product: requests made from it, and answers that must fit it.

Schemathesis makes the requests, fitting ones and such as do not fit, the same in every run. No answer may be a failure of ours
(5xx), nor have a status, a content type, headers or a body that docs/openapi.yaml does not tell of.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.openai_program import token_for
from tests.support.stack import Stack, running_stack

DESCRIPTION: Final = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WITHOUT: Final = frozenset({"GET /api/live/"})
"""Its stream never ends; tests/integration/api/test_live_stream.py reads it."""

EACH: Final = {GenerationMode.POSITIVE: 6, GenerationMode.NEGATIVE: 4}
"""So many requests for each operation and person, fitting ones and others."""


@dataclass(frozen=True)
class Asker:
    """ids: of things of theirs, by the names they have in addresses and parameters."""

    headers: Mapping[str, str]
    token: str
    ids: Mapping[str, str]


@dataclass
class Run:
    """What the requests came to. findings: the first one of each kind."""

    operations: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with (
        ScriptedRunner().in_thread() as runner,
        running_stack(MODEL_RUNNER_URL=runner.url, MODEL_RUNNER_MODEL=MODEL_ID, TITLES="off") as running,
    ):
        yield running


def test_every_answer_is_a_described_one(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    run = Run()
    with (
        ApiClient(stack.url) as administrator,
        ApiClient(stack.url) as user,
        ApiClient(stack.url) as somebody,
    ):
        administrator.sign_up()
        user.sign_up()
        # Whom the administrator makes what they like; nobody here asks in their name.
        third = somebody.sign_up()["id"]
        for person in (administrator, user):
            ask_everything(run, stack, asker(person, third))
        ask_everything(run, stack, Asker({}, "none-of-ours", things_of(user, third)))
    with capsys.disabled():
        print(
            f"\nschemathesis: {len(run.operations)} operations, {run.statuses.total()} requests of an administrator, a user and nobody "
            f"in {time.monotonic() - began:.0f} s, answers {dict(sorted(run.statuses.items()))}, {len(run.findings)} findings"
        )
    assert run.findings == {}
    assert len(run.operations) > 50
    # Not everything was refused.
    assert run.statuses[200] + run.statuses[201] + run.statuses[202] > 100


def ask_everything(run: Run, stack: Stack, who: Asker) -> None:
    schema = schemathesis.openapi.from_path(DESCRIPTION)
    operations = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operations.append(found.ok())
    with requests.Session() as session:
        # What ends something comes last, so that there is something to ask for.
        for operation in sorted(operations, key=lambda one: one.method.upper() == "DELETE"):
            if operation.label in WITHOUT:
                continue
            run.operations.add(operation.label)
            programs = operation.path.startswith("/v1/")
            headers = {"Authorization": f"Bearer {who.token}"} if programs else dict(who.headers)
            for mode, count in EACH.items():
                cases = operation.as_strategy(generation_mode=mode)
                _ask(
                    run,
                    cases,
                    count,
                    who.ids,
                    {"base_url": stack.url, "session": session, "headers": headers},
                )


def _ask(run: Run, cases: Any, count: int, ids: Mapping[str, str], how: Mapping[str, Any]) -> None:
    numbers = iter(range(10 * count))

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: Case[Any]) -> None:
        # Two of three are about something there is: an id made up at random is never one.
        if next(numbers) % 3:
            for names in (case.path_parameters, case.query):
                names.update({name: ids[name] for name in names if name in ids})
        answer = case.call(timeout=30, **how)
        run.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            for failure in failures.exceptions:
                kind = f"{case.operation.label}: {type(failure).__name__}, {answer.status_code}"
                run.findings.setdefault(kind, f"{failure}\n{case.as_curl_command()}")

    # An operation that takes nothing has no requests that do not fit.
    with suppress(Unsatisfiable):
        ask()


def asker(person: ApiClient, third: str) -> Asker:
    things, token = things_of(person, third), token_for(person)
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.http.cookies.jar)
    return Asker({**person.csrf(), "Cookie": cookies}, token, things)


def things_of(person: ApiClient, third: str) -> dict[str, str]:
    """One of everything of this person's, and the id of a third one."""
    conversation = person.start_conversation(title="Tea")["id"]
    sent = person.send(conversation, "Hello")
    person.wait_for_reply(conversation, sent["reply_id"])
    path = f"/api/conversations/{conversation}/replay/"
    replay = person.command("POST", path, {"system_prompt": "Shout."}, status=202)
    preset = person.command("POST", "/api/presets/", {"name": "Mine"}, status=201)
    token = person.command("POST", "/api/tokens/", {"name": "Mine"}, status=201)
    return {
        "conversation_id": conversation,
        "conversation": conversation,
        "message_id": sent["message_id"],
        "leaf_id": sent["reply_id"],
        "leaf": sent["reply_id"],
        "call_id": sent["call_id"],
        "replay_id": replay["replay_id"],
        "preset_id": preset["id"],
        "token_id": token["id"],
        "user_id": third,
    }
