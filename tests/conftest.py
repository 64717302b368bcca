"""What all tests share: Django set up without a database of its own, and fresh databases on demand."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from backend.accounts.models import User
    from tests.support.databases import TestServer

# Settings of the developer's own shell must not reach the tests.
for _name in (
    "DATABASE_URL",
    "MODEL_RUNNER_URL",
    "MODEL_RUNNER_API_KEY",
    "MODEL_RUNNER_CONTINUES",
    "HOST",
    "ALLOWED_HOSTS",
    "SIGNUP",
):
    os.environ.pop(_name, None)
_DATA_DIR = tempfile.TemporaryDirectory(prefix="verbatim-test-data-")
os.environ.update(
    {
        "DJANGO_SETTINGS_MODULE": "backend.config.settings",
        # Replaced by `fresh_database`; a test that forgets the fixture gets a refused connection, not your data.
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/no_database_without_the_fresh_database_fixture",
        "DATA_DIR": _DATA_DIR.name,
        "SECRET_KEY": "only-for-tests-" + "x" * 40,
        "MODEL_RUNNER_URL": "http://127.0.0.1:9/v1",
        "MODEL_RUNNER_MODEL": "scripted-model",
        "SIGNUP_RATE": "off",
        "LOGIN_RATE": "off",
        "LOG_LEVEL": "WARNING",
    }
)

PASSWORD = "correct-horse-battery-staple"


def pytest_configure(config: pytest.Config) -> None:
    import django
    import hypothesis
    from django.test.utils import setup_test_environment

    django.setup()
    setup_test_environment()
    # How fast a machine is says nothing about what is right; a busy one must not fail a law.
    hypothesis.settings.register_profile(
        "verbatim", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("verbatim")


@pytest.fixture(scope="session")
def test_server() -> Iterator[TestServer]:
    from tests.support.databases import running_test_server

    with running_test_server() as server:
        yield server


@pytest.fixture
def fresh_database(test_server: TestServer) -> Iterator[str]:
    """The address of a migrated, empty database; Django and the event store use it during the test."""
    with test_server.fresh() as url, _use_database(url):
        yield url


@pytest.fixture
def empty_database(test_server: TestServer) -> Iterator[str]:
    """The address of a database without tables. Django is not pointed at it."""
    with test_server.empty() as url:
        yield url


@pytest.fixture
def make_user(fresh_database: str) -> Callable[..., User]:
    from backend.accounts.models import User

    def make(email: str | None = None, **fields: object) -> User:
        return User.objects.create_user(email or f"{uuid4().hex[:12]}@example.org", PASSWORD, **fields)

    return make


@pytest.fixture
def client_for(fresh_database: str) -> Callable[[User], Client]:
    from django.test import Client

    def client(user: User) -> Client:
        logged_in = Client()
        logged_in.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return logged_in

    return client


@pytest.fixture
def logged_in_client(make_user: Callable[..., User], client_for: Callable[[User], Client]) -> Client:
    return client_for(make_user())


class _use_database:
    """Points Django's connections and the event store at one database, and lets go of it afterwards."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        from django.conf import settings
        from django.db import connections

        from backend.config.settings import database_settings

        self._previous_url = settings.DATABASE_URL
        self._previous_environment = os.environ["DATABASE_URL"]
        self._previous = dict(connections.settings["default"])
        self._let_go()
        os.environ["DATABASE_URL"] = self._url
        settings.DATABASE_URL = self._url
        wanted = database_settings(self._url)
        connections.settings["default"].update(
            {name: wanted[name] for name in ("NAME", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS")}
        )

    def __exit__(self, *_: object) -> None:
        from django.conf import settings
        from django.db import connections

        self._let_go()
        os.environ["DATABASE_URL"] = self._previous_environment
        settings.DATABASE_URL = self._previous_url
        connections.settings["default"].update(self._previous)

    def _let_go(self) -> None:
        from django.db import connection

        from backend import bootstrap

        bootstrap.reset()
        connection.close()
        close_pool = getattr(connection, "close_pool", None)
        if close_pool is not None:
            close_pool()


@pytest.fixture
def artifacts() -> Path:
    """Where screenshots and logs of tests are kept."""
    folder = Path(__file__).resolve().parents[1] / "test-artifacts"
    folder.mkdir(exist_ok=True)
    return folder
