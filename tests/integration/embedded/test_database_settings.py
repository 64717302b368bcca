"""The settings of the database's roles are checked before anything is started, and none is shown with its password."""

from __future__ import annotations

import pytest

from backend.config.database_settings import database_settings

RUNTIME = "postgresql://verbatim:secret@db/verbatim"
OWNER = "postgresql://owner:secret@db/verbatim"


def test_nothing_set_is_the_embedded_database_with_one_role() -> None:
    found, problems = database_settings({})
    assert (found.url, found.owner_url, found.runtime_role, problems) == ("", "", "", [])


def test_the_runtime_role_is_the_one_that_the_product_runs_as() -> None:
    found, problems = database_settings({"DATABASE_URL": RUNTIME, "DATABASE_OWNER_URL": OWNER})
    assert (found.runtime_role, problems) == ("verbatim", [])
    odd, _ = database_settings(
        {"DATABASE_URL": "postgresql://a%40b:x@db/verbatim", "DATABASE_OWNER_URL": OWNER}
    )
    assert odd.runtime_role == "a@b"


def test_one_role_alone_has_none_beside_it() -> None:
    found, problems = database_settings({"DATABASE_URL": RUNTIME})
    assert (found.runtime_role, problems) == ("", [])


def test_a_named_role_counts_more_than_the_address() -> None:
    given = {"DATABASE_URL": OWNER, "DATABASE_OWNER_URL": OWNER, "DATABASE_RUNTIME_ROLE": "verbatim-1"}
    assert database_settings(given)[0].runtime_role == "verbatim-1"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"DATABASE_URL": "mysql://a:secret@b/c"}, "DATABASE_URL has the scheme 'mysql'"),
        (
            {"DATABASE_URL": RUNTIME, "DATABASE_OWNER_URL": "owner:secret"},
            "DATABASE_OWNER_URL has the scheme",
        ),
        ({"DATABASE_OWNER_URL": OWNER}, "DATABASE_URL is empty"),
        ({"DATABASE_RUNTIME_ROLE": "x; DROP TABLE events"}, "expected the name of a database role"),
        ({"DATABASE_RUNTIME_ROLE": "a" * 64}, "expected the name of a database role"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, str], said: str) -> None:
    found, problems = database_settings(given)
    assert len(problems) == 1
    assert said in problems[0]
    assert "secret" not in problems[0]
    assert "secret" not in repr(found)
