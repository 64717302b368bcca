"""One running project for all tests; each leaves it running, with all its parts."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator

import pytest

from tests.containers.compose import Compose
from tests.support.api_client import ApiClient, Json

# As many words as a scripted runner says back, and something that a small model goes on about at length.
LONG = (
    "Write a very long fairy tale, with all its details. " + "There is a forest and a river and a hill. " * 60
)


@pytest.fixture(scope="session")
def compose() -> Iterator[Compose]:
    assert shutil.which("docker"), "These tests need Docker with Compose. Install it, and run this again."
    project = Compose(f"verbatim-test-{secrets.token_hex(4)}")
    project.build()
    try:
        project.up()
        yield project
    finally:
        if os.environ.get("KEEP_CONTAINERS") != "1":
            project.run("down", "--volumes", "--remove-orphans", "--timeout", "10", check=False)


@pytest.fixture
def person(compose: Compose) -> Iterator[ApiClient]:
    """Somebody who has just signed up."""
    with ApiClient(compose.url) as client:
        client.sign_up()
        yield client


def begin_long_reply(person: ApiClient) -> tuple[str, Json]:
    """The conversation's id and what the command answered; the reply goes on for some seconds."""
    conversation_id = person.start_conversation(params={"max_tokens": 1000})["id"]
    return conversation_id, person.send(conversation_id, LONG)
