"""The description of the interface against the running product: requests made from it, and answers that must fit it.

Schemathesis makes the requests, fitting ones and such as do not fit, the same in every run. No answer may be a failure of ours
(5xx), nor have a status, a content type, headers or a body that docs/openapi.yaml does not tell of.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode

from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.description import operations, undescribed
from tests.support.openai_program import token_for
from tests.support.stack import Stack, running_stack

WITHOUT: Final = frozenset({"GET /api/live/"})
"""Its stream never ends; tests/integration/api/test_live_stream.py reads it."""

MADE_BY_US: Final = ("after", "cursor", "expected_version", "Idempotency-Key")
"""What a caller was told before, or has to choose anew each time: any other text is refused, whatever else is asked."""

EACH: Final = {GenerationMode.POSITIVE: 6, GenerationMode.NEGATIVE: 4}
"""So many requests for each operation and person, fitting ones and others."""


@dataclass(frozen=True)
class Asker:
    """ids: of things of theirs, by the names they have in addresses and parameters."""

    headers: Mapping[str, str]
    token: str
    ids: Mapping[str, Any]


@dataclass
class Run:
    """What the requests came to. findings: the first one of each kind."""

    operations: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
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
            f"\nschemathesis: {len(run.operations)} operations ({len(run.done)} done at least once), {run.statuses.total()} requests of an administrator, a user and nobody "
            f"in {time.monotonic() - began:.0f} s, answers {dict(sorted(run.statuses.items()))}, {len(run.findings)} findings"
        )
    assert run.findings == {}
    assert len(run.operations) > 50
    assert len(run.done) > 40, "most requests were refused, so that the other answers were not looked at"


def ask_everything(run: Run, stack: Stack, who: Asker) -> None:
    with requests.Session() as session:
        # What ends something comes last, so that there is something to ask for.
        for operation in sorted(operations().values(), key=lambda one: one.method.upper() == "DELETE"):
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


def _ask(run: Run, cases: Any, count: int, ids: Mapping[str, Any], how: Mapping[str, Any]) -> None:
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
            for part in (case.path_parameters, case.query, case.headers, case.body):
                if isinstance(part, MutableMapping):
                    part.update({name: ids[name] for name in part if name in ids})
                    for name in MADE_BY_US:
                        part.pop(name, None)
        answer = case.call(timeout=30, **how)
        run.statuses[answer.status_code] += 1
        if answer.status_code < 300:
            run.done.add(case.operation.label)
        for kind, text in undescribed(case, answer):
            run.findings.setdefault(kind, f"{text}\n{case.as_curl_command()}")

    # An operation that takes nothing has no requests that do not fit.
    with suppress(Unsatisfiable):
        ask()


def asker(person: ApiClient, third: str) -> Asker:
    things, token = things_of(person, third), token_for(person)
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.http.cookies.jar)
    return Asker({**person.csrf(), "Cookie": cookies}, token, things)


def things_of(person: ApiClient, third: str) -> dict[str, Any]:
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
        "version": 2,
        "message_id": sent["message_id"],
        "leaf_id": sent["reply_id"],
        "leaf": sent["reply_id"],
        "call_id": sent["call_id"],
        "replay_id": replay["replay_id"],
        "preset_id": preset["id"],
        "token_id": token["id"],
        "user_id": third,
    }
