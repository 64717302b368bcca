"""People of all kinds, one of whom has something of everything, and a web process that each of them asks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.test import Client

from backend import bootstrap
from backend.model_runner.script import Script
from backend.model_runner.scripted import ScriptedRunner
from tests.conftest import _use_database as use_database
from tests.integration.api.endpoint_table import ACCOUNTS, CHANGING, MARK, REQUESTS, Asked
from tests.integration.api.live_support import WebServer, session_of, web_server
from tests.integration.api.support import Person, StandInWorker, projecting, token_of
from tests.integration.api.test_replays import advance
from tests.support.api_client import PASSWORD
from tests.support.description import operations, undescribed

if TYPE_CHECKING:
    from backend.accounts.models import User
    from tests.support.databases import TestServer

NOBODY: Final = "nobody"
OTHER: Final = "other"
OWNER: Final = "owner"
AUDITOR: Final = "auditor"
ADMINISTRATOR: Final = "administrator"
PEOPLE: Final = (NOBODY, OTHER, OWNER, AUDITOR, ADMINISTRATOR)
# Whoever may change the things that are asked for comes last.
IN_TURN: Final = (NOBODY, OTHER, AUDITOR, ADMINISTRATOR, OWNER)

SESSION: Final = "session"
TOKEN: Final = "token"

CSRF: Final = "c" * 32
"""Any text of this length is a CSRF token, if the cookie has the same one."""

LOG_OUT: Final = f"DELETE {ACCOUNTS}/auth/session"

# What follows from other tables by itself, and what asking alone leaves behind: when somebody came, and how often.
_BESIDES: Final = ("read_", "projection_", "log_", "django_", "cache_table", "model_call_worker")
_SEEN: Final = ("last_used", "last_login", "last_used_at")


@dataclass(frozen=True)
class Answer:
    status: int
    body: str


@dataclass
class World:
    """ids: of the owner's things, by the names they have in addresses.

    undescribed: what answers had that docs/openapi.yaml does not tell of.
    """

    client: httpx.Client
    database: psycopg.Connection[Any]
    users: Mapping[str, User]
    ids: Mapping[str, str]
    sessions: Mapping[str, str]
    tokens: Mapping[str, str]
    undescribed: dict[str, str] = field(default_factory=dict)

    def ask(
        self, who: str, how: str, endpoint: str, *, ids: Mapping[str, str] | None = None, csrf: bool = True
    ) -> Answer:
        """One person's request. ids: of other things than the owner's."""
        method, _, path = endpoint.partition(" ")
        asked = REQUESTS.get(endpoint, Asked())
        names = {**self.ids, **{name: self.ids[other] for name, other in asked.ids.items()}, **(ids or {})}
        headers = {"Content-Type": "application/json", **asked.headers}
        cookies: list[str] = []
        if how == TOKEN:
            headers["Authorization"] = f"Bearer {self.tokens.get(who, 'none-of-ours')}"
        else:
            if who != NOBODY:
                # Who logs out, does so alone.
                session = (
                    session_of(_in_process(self.users[who])) if endpoint == LOG_OUT else self.sessions[who]
                )
                cookies.append(f"verbatim_session={session}")
            if csrf and method in CHANGING:
                cookies.append(f"csrftoken={CSRF}")
                headers["X-CSRFToken"] = CSRF
        self.client.cookies.clear()  # whoever asks next is somebody else
        with self.client.stream(
            method,
            _filled(path, names),
            params={name: _filled(value, names) for name, value in asked.query.items()},
            content=None if asked.body is None else _filled(json.dumps(asked.body), names),
            headers={**headers, "Cookie": "; ".join(cookies)},
        ) as response:
            endless = response.headers.get("Content-Type", "").startswith("text/event-stream")
            body = "" if endless else response.read().decode("utf-8", "replace")
        if not endless:
            self._hold_against_the_description(endpoint, names, response)
        return Answer(response.status_code, body)

    def _hold_against_the_description(
        self, endpoint: str, names: Mapping[str, str], response: httpx.Response
    ) -> None:
        if endpoint in operations():
            case = operations()[endpoint].Case(path_parameters=dict(names))
            self.undescribed.update(undescribed(case, response))

    def ask_for_nothing(self, who: str, how: str, endpoint: str) -> tuple[Answer, Answer]:
        """The answers about the owner's things and about things that nobody has, with the ids taken out of both."""
        unknown = {name: str(uuid4())[: len(value)] for name, value in self.ids.items() if name != "version"}
        theirs, nobodys = self.ask(who, how, endpoint), self.ask(who, how, endpoint, ids=unknown)
        return _without(theirs, self.ids.values()), _without(nobodys, unknown.values())

    def fingerprints(self) -> dict[str, str | None]:
        """Of each table that holds what is stored: another one as soon as a row has changed, come or gone."""
        tables = self.database.execute(
            "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = ANY(SELECT tablename FROM pg_tables WHERE schemaname = 'public')"
            " GROUP BY table_name ORDER BY table_name"
        ).fetchall()
        parts = []
        for table, columns in tables:
            if not table.startswith(_BESIDES):
                kept = ", ".join(f'"{name}"::text' for name in columns if name not in _SEEN)
                parts.append(
                    f"SELECT '{table}', md5(string_agg(one, '|' ORDER BY one)) FROM (SELECT concat_ws(',', {kept}) AS one FROM \"{table}\") AS rows"
                )
        assert len(parts) > 10
        return dict(self.database.execute(" UNION ALL ".join(parts)).fetchall())


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def _without(answer: Answer, ids: Any) -> Answer:
    body = answer.body
    for one in sorted(ids, key=len, reverse=True):
        body = body.replace(one, "ID") if len(one) > 4 else body
    return Answer(answer.status, body)


@contextmanager
def world(test_server: TestServer) -> Iterator[World]:
    """All of them in a database of their own, with the read tables as far as the events."""
    with (
        ScriptedRunner().in_thread() as runner,
        test_server.fresh() as database_url,
        use_database(database_url),
        projecting(database_url),
        pytest.MonkeyPatch.context() as environment,
    ):
        runner.always(Script().words("all right").complete())
        environment.setenv("MODEL_RUNNER_URL", runner.url)
        with _inhabited(database_url) as made:
            yield made
            assert not made.undescribed, f"docs/openapi.yaml does not tell of {made.undescribed}"


@contextmanager
def _inhabited(database_url: str) -> Iterator[World]:
    from backend.accounts.models import User

    roles: dict[str, dict[str, Any]] = {
        OTHER: {},
        OWNER: {"display_name": MARK},
        AUDITOR: {"is_auditor": True},
        ADMINISTRATOR: {"is_staff": True},
    }
    users = {
        name: User.objects.create_user(f"{name}@example.org", PASSWORD, **role)
        for name, role in roles.items()
    }
    with (
        web_server(database_url) as server,
        closing(psycopg.connect(database_url, autocommit=True)) as database,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        sessions = {name: _log_in(server, user.email) for name, user in users.items()}
        ids = _things(_in_process(users[OWNER]), StandInWorker(database_url), users[OWNER])
        tokens = {name: token_of(user) for name, user in users.items()}
        yield World(client, database, users, ids, sessions, tokens)


def _in_process(user: User) -> Person:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return Person(client)


def _log_in(server: WebServer, email: str) -> str:
    """Its session. With the password, so that what asks for a recent log-in lets them in."""
    answer = httpx.post(
        f"{server.url}{ACCOUNTS}/auth/login",
        json={"email": email, "password": PASSWORD},
        headers={"X-CSRFToken": CSRF},
        cookies={"csrftoken": CSRF},
    )
    assert answer.status_code == 200, answer.text
    return answer.cookies["verbatim_session"]


def _things(owner: Person, worker: StandInWorker, user: User) -> dict[str, str]:
    """One of everything: two turns, of which the second was cut off, a replay, a preset, a token, a second factor."""
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    conversation = owner.start(title=f"About {MARK}", system_prompt=f"You know {MARK}.")["id"]
    first = owner.send(conversation, f"What is {MARK}?")
    worker.answer(first["call_id"], f"{MARK} is sweet.")
    second = owner.send(conversation, f"More {MARK}!")
    worker.start(second["call_id"])
    worker.finish(second["call_id"], f"{MARK} is", outcome="truncated")
    replay = owner.command(
        "POST",
        f"/api/conversations/{conversation}/replay/",
        {"system_prompt": f"Shout {MARK}."},
        status=202,
    )
    preset = owner.command("POST", "/api/presets/", {"name": MARK, "system_prompt": MARK}, status=201)
    token = owner.command("POST", "/api/tokens/", {"name": MARK}, status=201)
    stopped = _stopped_replay(owner, worker)
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    for path in (
        "conversations",
        f"conversations/{conversation}",
        f"replays/{replay['replay_id']}",
        "search",
    ):
        owner.get(f"/api/{path}/", after=replay["position"], **({"q": MARK} if path == "search" else {}))
    owner.get("/api/model-calls/", after=replay["position"])
    owner.get(f"/api/conversations/{conversation}/transcript/", after=replay["position"])
    return {
        "conversation_id": conversation,
        "message_id": first["message_id"],
        "leaf_id": second["reply_id"],
        "cut_reply_id": second["reply_id"],
        "call_id": first["call_id"],
        "replay_id": replay["replay_id"],
        "stopped_replay_id": stopped,
        "preset_id": preset["id"],
        "token_id": token["id"],
        "user_id": str(user.pk),
        "version": "2",
    }


def _stopped_replay(owner: Person, worker: StandInWorker) -> str:
    """A replay whose only turn was cancelled, of a conversation of its own."""
    conversation = owner.start(title="Replayed")["id"]
    worker.answer(owner.send(conversation, "Hello")["call_id"], "Hi")
    path = f"/api/conversations/{conversation}/replay/"
    replay: str = owner.command("POST", path, {"system_prompt": "Shout."}, status=202)["replay_id"]
    advance(conversation, replay)
    end = str(bootstrap.event_store().end())
    call_id = owner.get(f"/api/replays/{replay}/", after=end)["call_ids"][0]
    owner.command("POST", f"/api/model-calls/{call_id}/cancel/", {}, status=202)
    advance(conversation, replay)
    return replay
