"""Until when a program may hear an answer."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from backend.api.openai import access
from backend.api.openai.errors import not_authenticated


def test_access_ends_with_the_token_and_not_with_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def owner_of(token: str) -> None:
        looks.append(token)
        if len(looks) == 2:
            raise psycopg.OperationalError("the server closed the connection")
        if len(looks) == 4:
            raise not_authenticated("It was revoked.")

    monkeypatch.setattr(access, "owner_of", owner_of)
    monkeypatch.setattr(access, "ASK_AGAIN_S", 0.001)
    asyncio.run(asyncio.wait_for(access.until_access_ends("a token"), 10))
    assert looks == ["a token"] * 4
