"""A person's client over real HTTP: signs up as the browser does, then commands, queries and listens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import httpx

PASSWORD = "correct-horse-battery-staple"
Json = dict[str, Any]


@dataclass
class LiveFrame:
    """One frame; received: seconds on the performance counter."""

    event: str
    data: Any
    cursor: str | None
    received: float = 0.0


@dataclass
class LiveStream:
    """What an EventSource received, collected by a thread."""

    frames: list[LiveFrame] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def chunks_of(self, call_id: str) -> list[Json]:
        return [f.data for f in list(self.frames) if f.event == "chunk" and f.data["call_id"] == call_id]

    def text_of(self, call_id: str) -> str:
        """The text shown for a call: its chunks in order, each once."""
        by_seq = {chunk["seq"]: chunk["text"] for chunk in self.chunks_of(call_id)}
        return "".join(by_seq[seq] for seq in sorted(by_seq))

    def states_of(self, call_id: str) -> list[str]:
        return [
            f.data["state"] for f in list(self.frames) if f.event == "call" and f.data["call_id"] == call_id
        ]

    @property
    def last_cursor(self) -> str | None:
        cursors = [frame.cursor for frame in list(self.frames) if frame.cursor]
        return cursors[-1] if cursors else None


class ApiClient:
    """Holds one person's session against a running product."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=30.0)
        self.email = ""
        self.last_position = "0"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    # ---- accounts ---------------------------------------------------------------------------

    def sign_up(self, email: str | None = None, password: str = PASSWORD) -> Json:
        self.email = email or f"{uuid4().hex[:12]}@example.org"
        self.http.get("/_allauth/browser/v1/config").raise_for_status()
        response = self.http.post(
            "/_allauth/browser/v1/auth/signup",
            json={"email": self.email, "password": password},
            headers=self.csrf(),
        )
        assert response.status_code == 200, response.text
        return self.get("/api/me/")

    def log_in(self, email: str, password: str = PASSWORD) -> Json:
        self.email = email
        self.http.get("/_allauth/browser/v1/config").raise_for_status()
        response = self.http.post(
            "/_allauth/browser/v1/auth/login",
            json={"email": email, "password": password},
            headers=self.csrf(),
        )
        assert response.status_code == 200, response.text
        return self.get("/api/me/")

    def csrf(self) -> dict[str, str]:
        return {"X-CSRFToken": self.http.cookies.get("csrftoken") or "", "Referer": str(self.http.base_url)}

    # ---- commands and queries ---------------------------------------------------------------

    def request(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        headers = {**self.csrf(), **({"Idempotency-Key": key} if key else {})}
        return self.http.request(method, path, json=body, headers=headers)

    def command(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, status: int = 200
    ) -> Json:
        response = self.request(method, path, body, key=key)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        answer: Json = response.json()
        self.last_position = answer.get("position", self.last_position)
        return answer

    def get(self, path: str, **params: Any) -> Json:
        # Empty parameters would take away those that the path brings along.
        response = self.http.get(path, params=params or None)
        assert response.status_code == 200, f"GET {path}: {response.status_code} {response.text}"
        answer: Json = response.json()
        return answer

    def start_conversation(self, **fields: Any) -> Json:
        return self.command("POST", "/api/conversations/", fields, status=201)

    def send(self, conversation_id: str, content: str, **fields: Any) -> Json:
        path = f"/api/conversations/{conversation_id}/messages/"
        return self.command("POST", path, {"content": content, **fields}, status=202)

    def transcript(self, conversation_id: str, **params: Any) -> list[Json]:
        """The branch's rows, not older than this client's last command."""
        params = {"after": self.last_position, **params}
        rows: list[Json] = self.get(f"/api/conversations/{conversation_id}/transcript/", **params)["results"]
        return rows

    def wait_for_reply(self, conversation_id: str, reply_id: str, *, timeout_s: float = 60.0) -> Json:
        """The reply's row once its outcome is no longer pending."""
        deadline = time.monotonic() + timeout_s
        row: Json | None = None
        while time.monotonic() < deadline:
            row = next((r for r in self.transcript(conversation_id) if r["id"] == reply_id), None)
            if row is not None and row["outcome"] != "pending":
                return row
            time.sleep(0.1)
        raise AssertionError(f"reply {reply_id} is still pending after {timeout_s} s: {row}")

    def say(self, conversation_id: str, content: str, *, timeout_s: float = 60.0) -> Json:
        """Send a message and wait for its reply's row."""
        sent = self.send(conversation_id, content)
        return self.wait_for_reply(conversation_id, sent["reply_id"], timeout_s=timeout_s)

    # ---- the live stream --------------------------------------------------------------------

    @contextmanager
    def live(
        self, *, cursor: str, conversation_id: str | None = None, last_event_id: str | None = None
    ) -> Iterator[LiveStream]:
        """Listen in the background until the context is left."""
        stream = LiveStream()
        leave = threading.Event()
        opened = threading.Event()

        def listen() -> None:
            params = {"cursor": cursor, **({"conversation": conversation_id} if conversation_id else {})}
            headers = {
                "Accept": "text/event-stream",
                **({"Last-Event-ID": last_event_id} if last_event_id else {}),
            }
            timeout = httpx.Timeout(30.0, read=60.0)
            try:
                with (
                    httpx.Client(
                        base_url=self.http.base_url, cookies=self.http.cookies, timeout=timeout
                    ) as client,
                    client.stream("GET", "/api/live/", params=params, headers=headers) as response,
                ):
                    assert response.status_code == 200, response.status_code
                    opened.set()
                    _collect(response, stream, leave)
            except httpx.TransportError:
                pass  # the server went away in mid-stream: what was received is what the test looks at
            finally:
                opened.set()
                stream.closed.set()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        assert opened.wait(30.0), "the live stream did not open"
        try:
            yield stream
        finally:
            leave.set()


def _collect(response: httpx.Response, stream: LiveStream, leave: threading.Event) -> None:
    event, cursor = "message", None
    data: list[str] = []
    for line in response.iter_lines():
        if leave.is_set():
            return
        if line == "":
            if data:
                stream.frames.append(
                    LiveFrame(event, json.loads("\n".join(data)), cursor, time.perf_counter())
                )
            event, data, cursor = "message", [], None
        elif line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].strip())
        elif line.startswith("id:"):
            cursor = line[3:].strip()
