"""What only a real web process shows: bodies that are too large, or do not say how long they are."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from tests.integration.api.live_support import problem_of_answer, session_of, web_server
from tests.integration.api.support import Person, stored_events


def test_large_and_endless_bodies_are_refused_before_they_are_read(ann: Person, fresh_database: str) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b"x" * 65_536

    with web_server(fresh_database) as server, httpx.Client(base_url=server.url, timeout=20) as client:
        client.get("/_allauth/browser/v1/config")
        client.cookies.set("verbatim_session", session_of(ann))
        headers = {"X-CSRFToken": client.cookies["csrftoken"], "Content-Type": "application/json"}
        before = stored_events(fresh_database)

        too_large = client.post("/api/conversations/", content=b"x" * (4 * 1024 * 1024), headers=headers)
        assert problem_of_answer(too_large, 413)["code"] == "request_too_large"

        without_length = client.post("/api/conversations/", content=endless(), headers=headers)
        assert problem_of_answer(without_length, 411)["code"] == "length_required"

        assert stored_events(fresh_database) == before
        started = client.post("/api/conversations/", content=b'{"title": "Still here"}', headers=headers)
        assert started.status_code == 201, started.text
