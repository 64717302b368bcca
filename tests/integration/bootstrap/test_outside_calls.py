"""The worker of a web process shares that process's connections with its pages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection

from backend import bootstrap
from backend.bootstrap.outside import run_and_give_back
from backend.domain.commands import StartConversation
from backend.domain.errors import UnknownConversation


@pytest.mark.usefixtures("fresh_database")
def test_a_command_leaves_no_connection_of_its_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that the default is asked of the cache.
    monkeypatch.setattr(settings, "MODEL_RUNNER_MODEL", "")
    held: list[bool] = []

    def run(fails: bool) -> None:
        if fails:
            monkeypatch.setattr(bootstrap, "services", fail)
        try:
            run_and_give_back(StartConversation(owner_id=uuid4()), actor="user:somebody")
        except UnknownConversation:
            assert fails
        held.append(connection.connection is not None)

    def fail() -> None:
        bootstrap.default_model()
        raise UnknownConversation(uuid4())

    with ThreadPoolExecutor(1) as threads:
        for fails in (False, True):
            threads.submit(run, fails).result(20)
    assert held == [False, False]
