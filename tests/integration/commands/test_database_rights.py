"""What a role may do is looked at in every way in which it could come to a right, or be without one that it needs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from backend.bootstrap.database_rights import ADDED_TO_ONLY, too_little, too_much, warn_of_rights
from backend.commands.roles import grant
from backend.config.database_settings import DatabaseSettings
from tests.support.databases import TestServer, migrate
from tests.support.roles import TwoRoles, two_roles


@pytest.fixture(scope="module")
def roles(test_server: TestServer) -> Iterator[TwoRoles]:
    with test_server.empty() as database, two_roles(database) as found:
        migrate(found.owner_url)
        with psycopg.connect(found.owner_url, autocommit=True) as owner:
            grant(owner, found.runtime, lambda _: None)
        yield found


@contextmanager
def meanwhile(roles: TwoRoles, do: str, undo: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection of the owner's, while an administrator has changed something."""
    with psycopg.connect(roles.admin_url, autocommit=True) as admin:
        names = {
            "runtime": roles.runtime,
            "owner": roles.owner,
            "admin": admin.info.user,
            "database": admin.info.dbname,
        }
        admin.execute(do.format(**names))
        try:
            with psycopg.connect(roles.owner_url, autocommit=True) as owner:
                yield owner
        finally:
            admin.execute(undo.format(**names))


def test_what_is_granted_is_neither_too_much_nor_too_little(roles: TwoRoles) -> None:
    with psycopg.connect(roles.owner_url, autocommit=True) as owner:
        assert (too_much(owner, roles.runtime), too_little(owner, roles.runtime)) == ([], [])


@pytest.mark.parametrize(
    ("do", "undo", "said"),
    [
        (
            "GRANT UPDATE (state) ON events TO {runtime}",
            "REVOKE UPDATE (state) ON events FROM {runtime}",
            "has UPDATE on events.",
        ),
        (
            "GRANT DELETE ON log_leaf TO PUBLIC",
            "REVOKE DELETE ON log_leaf FROM PUBLIC",
            "has DELETE on log_leaf.",
        ),
        (
            "GRANT INSERT ON django_migrations TO {runtime}",
            "REVOKE INSERT ON django_migrations FROM {runtime}",
            "has INSERT on django_migrations.",
        ),
        (
            "ALTER ROLE {runtime} NOINHERIT; GRANT pg_write_all_data TO {runtime}",
            "ALTER ROLE {runtime} INHERIT; REVOKE pg_write_all_data FROM {runtime}",
            "has UPDATE, DELETE on log_checkpoint.",
        ),
        (
            "ALTER ROLE {runtime} NOINHERIT; GRANT {owner} TO {runtime}",
            "ALTER ROLE {runtime} INHERIT; REVOKE {owner} FROM {runtime}",
            "can act as {owner}, who owns functions, tables, the database",
        ),
        ("ALTER ROLE {runtime} SUPERUSER", "ALTER ROLE {runtime} NOSUPERUSER", "is a superuser"),
        ("ALTER ROLE {runtime} CREATEROLE", "ALTER ROLE {runtime} NOCREATEROLE", "has CREATEROLE"),
        (
            "GRANT pg_execute_server_program TO {runtime}",
            "REVOKE pg_execute_server_program FROM {runtime}",
            "has pg_execute_server_program",
        ),
        (
            "GRANT pg_write_server_files TO {runtime}",
            "REVOKE pg_write_server_files FROM {runtime}",
            "has pg_write_server_files",
        ),
        (
            "ALTER DATABASE {database} OWNER TO {runtime}",
            "ALTER DATABASE {database} OWNER TO {owner}",
            "owns the database",
        ),
        (
            "ALTER FUNCTION refuse_change_of_events() OWNER TO {runtime}",
            "ALTER FUNCTION refuse_change_of_events() OWNER TO {owner}",
            "owns functions",
        ),
        (
            "GRANT UPDATE ON SEQUENCE events_notification_id_seq TO {runtime}",
            "REVOKE UPDATE ON SEQUENCE events_notification_id_seq FROM {runtime}",
            "may set the sequence of positions back",
        ),
        (
            "GRANT INSERT ON events TO {runtime}",
            "REVOKE INSERT ON events FROM {runtime}; GRANT INSERT (originator_id, originator_version, topic, state)"
            " ON events TO {runtime}",
            "may give an event a position of its own choice",
        ),
        (
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            "may create tables and functions in the schema",
        ),
        (
            "GRANT CREATE ON DATABASE {database} TO {runtime}",
            "REVOKE CREATE ON DATABASE {database} FROM {runtime}",
            "may create schemas in the database",
        ),
    ],
)
def test_too_much_is_named(roles: TwoRoles, do: str, undo: str, said: str) -> None:
    with meanwhile(roles, do, undo) as owner:
        found = too_much(owner, roles.runtime)
        assert too_little(owner, roles.runtime) == []
    assert any(line.startswith(f"{roles.runtime} {said.format(owner=roles.owner)}") for line in found), found
    with psycopg.connect(roles.owner_url) as again:
        assert too_much(again, roles.runtime) == [], "the test left something behind"


@pytest.mark.parametrize(
    ("do", "undo", "said"),
    [
        (
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC, {runtime}",
            "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO PUBLIC, {runtime}",
            "lacks CONNECT, TEMPORARY on database ",
        ),
        (
            "REVOKE USAGE ON SCHEMA public FROM PUBLIC, {runtime}",
            "GRANT USAGE ON SCHEMA public TO PUBLIC, {runtime}",
            "lacks USAGE on schema public.",
        ),
        (
            "REVOKE INSERT ON events FROM {runtime}",
            "GRANT INSERT (originator_id, originator_version, topic, state) ON events TO {runtime}",
            "lacks INSERT on table events.",
        ),
        (
            "REVOKE ALL ON call_chunk FROM {runtime}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON call_chunk TO {runtime}",
            "lacks SELECT, INSERT, UPDATE, DELETE on table call_chunk.",
        ),
        (
            "REVOKE ALL ON SEQUENCE events_notification_id_seq FROM {runtime}",
            "GRANT USAGE, SELECT ON SEQUENCE events_notification_id_seq TO {runtime}",
            "lacks USAGE on sequence events_notification_id_seq.",
        ),
        (
            "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC, {runtime}",
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC, {runtime}",
            "lacks EXECUTE on function read_search_lexemes.",
        ),
    ],
)
def test_too_little_is_named(roles: TwoRoles, do: str, undo: str, said: str) -> None:
    with meanwhile(roles, do, undo) as owner:
        found = too_little(owner, roles.runtime)
        assert too_much(owner, roles.runtime) == []
    assert any(line.startswith(f"{roles.runtime} {said}") for line in found), found


def test_granting_once_more_puts_both_right(roles: TwoRoles) -> None:
    do = "GRANT UPDATE (state) ON events TO {runtime}; REVOKE SELECT ON events FROM {runtime}"
    with meanwhile(roles, do, "SELECT 1") as owner:
        assert too_much(owner, roles.runtime)
        assert too_little(owner, roles.runtime)
        grant(owner, roles.runtime, lambda _: None)
        assert (too_much(owner, roles.runtime), too_little(owner, roles.runtime)) == ([], [])


def test_tables_of_later_migrations_can_be_used_at_once(roles: TwoRoles) -> None:
    with psycopg.connect(roles.owner_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE later (id bigserial, word text)")
        try:
            with psycopg.connect(roles.runtime_url, autocommit=True) as running:
                running.execute("INSERT INTO later (word) VALUES ('a')")
                running.execute("UPDATE later SET word = 'b'")
                assert running.execute("DELETE FROM later RETURNING id, word").fetchall() == [(1, "b")]
            assert too_little(owner, roles.runtime) == []
        finally:
            owner.execute("DROP TABLE later")


def test_every_table_with_a_guard_is_one_that_is_only_added_to(roles: TwoRoles) -> None:
    with psycopg.connect(roles.owner_url) as owner:
        guarded = owner.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        ).fetchall()
    assert {name for (name,) in guarded} == {*ADDED_TO_ONLY}


@pytest.mark.parametrize(
    ("url", "runtime_role", "warns"),
    [
        ("owner", "runtime", True),
        ("runtime", "runtime", False),
        ("owner", "", False),
        ("nowhere", "runtime", False),
    ],
    ids=["as the owner", "as it should", "one role on purpose", "a database that is away"],
)
def test_running_with_too_many_rights_is_said_and_stops_nothing(
    roles: TwoRoles,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    url: str,
    runtime_role: str,
    warns: bool,
) -> None:
    from django.conf import settings

    urls = {
        "owner": roles.owner_url,
        "runtime": roles.runtime_url,
        "nowhere": "postgresql://nobody@127.0.0.1:1/nothing",
    }
    name = roles.runtime if runtime_role else ""
    monkeypatch.setattr(settings, "DATABASE_ROLES", DatabaseSettings(urls[url], "", name))
    with caplog.at_level(logging.WARNING):
        warn_of_rights(urls[url])
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (1 if warns else 0), told
    if warns:
        assert f"{roles.owner} owns functions, tables, the database" in told[0]
        assert "for%20tests%20only" not in told[0]
