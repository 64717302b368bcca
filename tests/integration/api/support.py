"""What the tests of the interface share: a person's view of it, and a stand-in for the workers behind it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from django.test import Client

from backend import bootstrap
from backend.domain import commands as c
from backend.domain.events import TokenUsage
from backend.domain.model_call import AttemptResult

if TYPE_CHECKING:
    from backend.accounts.models import User

Json = dict[str, Any]
JSON = "application/json"
PROBLEM = "application/problem+json"


class Person:
    """Somebody logged in, speaking JSON to the interface without a server between."""

    def __init__(self, client: Client) -> None:
        self.client = client
        # Failures are looked at as the browser would see them, not as exceptions.
        client.raise_request_exception = False
        client.defaults["SERVER_NAME"] = "localhost"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The response to a request; body: what to send as JSON, or bytes to send as they are."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, path, data, content_type=JSON, headers=names)

    def command(self, method: str, path: str, body: Any = None, *, status: int, **headers: str) -> Json:
        response = self.ask(method, path, body, **headers)
        assert response.status_code == status, (method, path, response.status_code, response.content)
        answer: Json = response.json()
        return answer

    def get(self, path: str, **parameters: str) -> Json:
        response = self.client.get(path, parameters)
        assert response.status_code == 200, (path, response.status_code, response.content)
        answer: Json = response.json()
        return answer

    def start(self, **fields: Any) -> Json:
        return self.command("POST", "/api/conversations/", fields, status=201)

    def send(self, conversation_id: str, content: str, **fields: Any) -> Json:
        path = f"/api/conversations/{conversation_id}/messages/"
        return self.command("POST", path, {"content": content, **fields}, status=202)


def problem_of(response: Any, status: int) -> Json:
    """The problem that a response tells, having checked that it is a proper one."""
    assert response.status_code == status, (response.status_code, response.content)
    assert response.headers["Content-Type"] == PROBLEM
    body: Json = response.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == status
    return body


def token_of(user: User) -> str:
    """A new API token of this person."""
    from backend.accounts.models import ApiToken

    _, secret = ApiToken.objects.create(user=user)
    return str(secret)


def stored_events(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def projecting(database_url: str) -> Iterator[None]:
    """The projection worker, working in a thread."""
    # Loaded only now: pytest reads this file before Django is set up.
    from projections import worker

    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,), kwargs={"database_url": database_url})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("NOTIFY events")  # it listens, and need not wait for its next look
        thread.join(timeout=30)
        assert not thread.is_alive(), "the projection worker did not stop"


class StandInWorker:
    """Does what a model-call worker does to the database, one step at a time and with words of the test's choice."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self.worker_id = f"stand-in-{uuid4().hex[:8]}"
        self._seqs: dict[str, int] = {}

    def claim(self, call_id: str) -> None:
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                "INSERT INTO model_call_worker (worker_id) VALUES (%s) ON CONFLICT DO NOTHING",
                (self.worker_id,),
            )
            connection.execute(
                "UPDATE model_call_queue SET claimed_by = %s, claim = 1, claimed_at = now() WHERE call_id = %s",
                (self.worker_id, call_id),
            )

    def start(self, call_id: str) -> None:
        self.claim(call_id)
        command = c.StartModelCallAttempt(UUID(call_id), "scripted", "1", self.worker_id, claim=1)
        bootstrap.run_command(command, actor=f"model-calls:{self.worker_id}")

    def chunk(self, call_id: str, reply_id: str, text: str, *, tell: bool = True) -> int:
        """Store a piece of the reply and tell of it, in one commit; returns its seq."""
        seq = self._seqs.get(call_id, -1) + 1
        self._seqs[call_id] = seq
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                "INSERT INTO call_chunk (call_id, seq, attempt, text, reasoning, at) VALUES (%s, %s, 1, %s, '', now())",
                (call_id, seq, text),
            )
            if tell:
                payload = json.dumps([{"c": call_id, "r": reply_id, "s": seq, "t": text}])
                connection.execute("SELECT pg_notify('call_chunks', %s)", (payload,))
        return seq

    def finish(self, call_id: str, content: str, *, outcome: str = "complete") -> str:
        """Record the end; returns the commit's position."""
        result = AttemptResult(
            attempt=1,
            outcome=outcome,
            duration_ms=1200,
            first_token_ms=80,
            chunk_count=self._seqs.get(call_id, -1) + 1,
            usage=TokenUsage(prompt_tokens=12, completion_tokens=5),
            usage_source="runner",
            finish_reason="stop" if outcome == "complete" else None,
            delivered_characters=len(content),
        )
        command = c.RecordModelCallResult(
            UUID(call_id), result, content, "", (), None, worker=self.worker_id, claim=1
        )
        answer = bootstrap.run_command(command, actor=f"model-calls:{self.worker_id}")
        return str(answer.body["position"])

    def answer(self, call_id: str, content: str) -> str:
        self.start(call_id)
        return self.finish(call_id, content)
