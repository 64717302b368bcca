"""The whole product runs as a role that can add to what was recorded and change none of it. Everything forbidden is tried."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import Error, UniqueViolation

from backend.bootstrap.database_rights import ADDED_TO_ONLY
from backend.model_runner.script import Script
from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from projections.registry import read_model_names
from tests.support.api_client import ApiClient
from tests.support.databases import TestServer
from tests.support.openai_program import call_of, client_of, token_for
from tests.support.roles import TwoRoles, two_roles
from tests.support.stack import REPOSITORY, Stack, running_stack, wait_until


@pytest.fixture(scope="module")
def roles(test_server: TestServer) -> Iterator[TwoRoles]:
    with test_server.empty() as database, two_roles(database) as found:
        yield found


@pytest.fixture(scope="module")
def runner() -> Iterator[ScriptedRunner]:
    with ScriptedRunner().in_thread() as found:
        found.always(Script().text("A reply").complete())
        yield found


@pytest.fixture(scope="module")
def stack(roles: TwoRoles, runner: ScriptedRunner) -> Iterator[Stack]:
    """Started as on a server: `migrate` as the owner, everything else as the other role."""
    with running_stack(
        DATABASE_URL=roles.runtime_url,
        DATABASE_OWNER_URL=roles.owner_url,
        MODEL_RUNNER_URL=runner.url,
        MODEL_RUNNER_MODEL=MODEL_ID,
        TITLES="on",
    ) as found:
        yield found


@pytest.fixture(scope="module")
def person(stack: Stack) -> Iterator[ApiClient]:
    with ApiClient(stack.url) as client:
        client.sign_up()
        yield client


@pytest.fixture(scope="module")
def recorded(stack: Stack, person: ApiClient) -> None:
    """Something stands in each of the tables that are only added to."""
    person.say(person.start_conversation()["id"], "Hello")
    for _ in range(260):  # a stored subtree has 256 leaves
        person.start_conversation()
    person.http.get("/api/audit/checkpoint/").raise_for_status()


@pytest.fixture
def conversation(person: ApiClient) -> str:
    """One with a turn, in the log and under a checkpoint."""
    made: str = person.start_conversation()["id"]
    person.say(made, "Hello")
    person.http.get("/api/audit/checkpoint/").raise_for_status()
    return made


def test_everything_that_people_do_works(stack: Stack, person: ApiClient, conversation: str) -> None:
    reply = person.transcript(conversation)[-1]
    assert reply["content"] == "A reply"
    edited = person.command(
        "POST",
        f"/api/conversations/{conversation}/messages/{person.transcript(conversation)[0]['id']}/edit/",
        {"content": "Hello again"},
        status=202,
    )
    person.wait_for_reply(conversation, edited["reply_id"])
    fork = person.command(
        "POST", f"/api/conversations/{conversation}/fork/", {"message_id": reply["id"]}, status=201
    )["id"]
    person.say(fork, "Elsewhere")
    replay = person.command(
        "POST", f"/api/conversations/{conversation}/replay/", {"system_prompt": "x"}, status=202
    )
    wait_until(
        lambda: (
            person.get(f"/api/replays/{replay['replay_id']}/", after=replay["position"])["state"]
            == "finished"
        ),
        "the replay",
    )
    answer = client_of(stack, token_for(person)).chat.completions.with_raw_response.create(
        model=MODEL_ID, messages=[{"role": "user", "content": "From outside"}]
    )
    call = call_of(person, answer.headers["X-Model-Call-Id"])
    assert person.http.get(f"/api/model-calls/{call['id']}/proof/").status_code == 200
    assert person.get("/api/search/", q="Elsewhere")["results"]
    person.command("DELETE", f"/api/conversations/{fork}/", status=202)
    for kind in ("jsonl", "csv", "bundle"):
        assert person.http.get("/api/audit/export/", params={"format": kind}).status_code == 200


def test_whoever_runs_it_can_rebuild_and_verify_and_erase(
    stack: Stack, person: ApiClient, conversation: str
) -> None:
    for name in read_model_names():
        done = stack.manage("rebuild_projection", name)
        assert done.returncode == 0, done.stdout
    erased = stack.manage("erase_conversation", conversation, "--reason", "asked for", "--yes")
    assert erased.returncode == 0, erased.stdout
    for what in (["prompts", "--all"], ["coverage"], ["log"]):
        done = stack.manage("verify", *what)
        assert done.returncode == 0, done.stdout


FORBIDDEN = [
    statement.format(table=table)
    for table in ADDED_TO_ONLY
    for statement in (
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE false",
        "TRUNCATE {table}",
        "TRUNCATE {table} CASCADE",
        "SELECT * FROM {table} FOR UPDATE",
        "BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
        "MERGE INTO {table} USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        "ALTER TABLE {table} ADD COLUMN more int",
        "ALTER TABLE {table} RENAME TO other",
        "ALTER TABLE {table} OWNER TO CURRENT_USER",
        "CREATE TRIGGER other BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change_of_events()",
        "CREATE RULE other AS ON INSERT TO {table} DO INSTEAD NOTHING",
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY other ON {table} USING (false)",
        "DROP TRIGGER {table}_refuse_change ON {table}",
        "ALTER TABLE {table} SET SCHEMA pg_temp",
        "CREATE INDEX ON {table} ((1))",
        "DROP TABLE {table}",
    )
] + [
    "UPDATE events SET state = 'x'",
    "INSERT INTO events (originator_id, originator_version, topic, state, notification_id)"
    " VALUES (gen_random_uuid(), 1, 'Said.v1', '{}', 1000000000)",
    "UPDATE log_leaf SET hash = hash",
    "UPDATE log_subtree SET hash = hash",
    "UPDATE log_checkpoint SET note = note",
    "INSERT INTO events (originator_id, originator_version, topic, state)"
    " SELECT originator_id, originator_version, topic, 'x' FROM events LIMIT 1"
    " ON CONFLICT (originator_id, originator_version) DO UPDATE SET state = excluded.state",
    "CREATE OR REPLACE FUNCTION refuse_change_of_events() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE OR REPLACE FUNCTION refuse_change_of_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "DROP FUNCTION refuse_change_of_events() CASCADE",
    "SET session_replication_role = replica",
    "SELECT setval('events_notification_id_seq', 1)",
    "ALTER SEQUENCE events_notification_id_seq RESTART",
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {owner}",
    "DROP OWNED BY {owner}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT ALL ON TABLES TO CURRENT_USER",
    "UPDATE pg_class SET relowner = (SELECT oid FROM pg_roles WHERE rolname = CURRENT_USER)",
    "UPDATE pg_trigger SET tgenabled = 'D'",
    "DROP TYPE stored_event_uuid",
    "ALTER SYSTEM SET session_replication_role = 'replica'",
    "CREATE TEMPORARY TABLE beside () INHERITS (events)",
    "COPY events TO '/somewhere'",
    "GRANT {owner} TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "REASSIGN OWNED BY {owner} TO CURRENT_USER",
    "COPY events FROM PROGRAM 'true'",
    "DROP SCHEMA public CASCADE",
    "DELETE FROM django_migrations",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_role_that_it_runs_as_can_change_nothing(roles: TwoRoles, recorded: None, statement: str) -> None:
    with psycopg.connect(roles.runtime_url, autocommit=True) as connection:
        for table in ADDED_TO_ONLY:
            assert connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() == (1,)
        connection.execute("SELECT set_config('verbatim.erasing', 'payloads', false)")
        with pytest.raises(Error) as refused:
            connection.execute(statement.replace("{owner}", roles.owner))
        # insufficient_privilege: not because the statement is wrong, and not because a trigger would not have it.
        assert "Events are immutable" not in str(refused.value)
        assert refused.value.sqlstate == "42501", refused.value


def test_copying_over_what_is_there_is_refused(roles: TwoRoles, recorded: None) -> None:
    place = "originator_id, originator_version"
    with psycopg.connect(roles.runtime_url) as connection:
        row = connection.execute(
            f"SELECT {place}, topic, state, notification_id FROM events LIMIT 1"
        ).fetchone()
        assert row is not None
        over = f"COPY events ({place}, topic, state) FROM STDIN"
        with pytest.raises(UniqueViolation), connection.cursor() as cursor, cursor.copy(over) as copy:
            copy.write_row((*row[:3], b"other words"))
        connection.rollback()
        assert connection.execute(
            "SELECT state FROM events WHERE notification_id = %s", (row[4],)
        ).fetchone() == (row[3],)


@pytest.mark.parametrize("table", ADDED_TO_ONLY)
def test_it_cannot_give_itself_rights(roles: TwoRoles, recorded: None, table: str) -> None:
    with psycopg.connect(roles.runtime_url, autocommit=True) as connection:
        # PostgreSQL only warns of these; what counts is that nothing comes of them.
        connection.execute(f"GRANT ALL ON {table} TO CURRENT_USER")
        connection.execute(f"GRANT ALL ON {table} TO PUBLIC")
        for kind in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER"):
            assert connection.execute("SELECT has_table_privilege(%s, %s)", (table, kind)).fetchone() == (
                False,
            )


def test_the_parts_that_serve_people_do_not_hear_of_the_owner(stack: Stack, roles: TwoRoles) -> None:
    for part in ("web", "projections", "model-calls"):
        for pid in stack.part_pids(part):
            told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            assert b"DATABASE_OWNER_URL=" in told, "not even one that stands in a .env file"
            assert f"DATABASE_RUNTIME_ROLE={roles.runtime}".encode() in told
            assert not [entry for entry in told if roles.owner.encode() in entry]


def test_what_only_the_owner_may_do_says_so(
    stack: Stack, roles: TwoRoles, person: ApiClient, conversation: str
) -> None:
    """In one line, where the owner's address was forgotten."""
    settings = {
        "DATABASE_URL": roles.runtime_url,
        "DATABASE_OWNER_URL": "",
        "DATA_DIR": str(stack.data_dir),
        "MODEL_RUNNER_URL": stack.settings["MODEL_RUNNER_URL"],
    }
    assert manage("migrate", **settings).returncode == 0, "nothing is left to do, which needs no right"
    backwards = manage("migrate", "event_store", "0001", **settings)
    erasing = manage("erase_conversation", conversation, "--reason", "asked for", "--yes", **settings)
    for told, said in (
        (backwards, "The database role may not do that"),
        (erasing, "may add events and not erase them"),
    ):
        assert told.returncode == 1, told.stdout
        assert "Traceback" not in told.stdout
        assert said in told.stdout
        assert "DATABASE_OWNER_URL" in told.stdout
    assert not person.get(f"/api/conversations/{conversation}/")["deleted"], "nothing was begun"


def manage(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "backend" / "manage.py"), *arguments],
        env={**known, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_rights_can_be_checked_and_what_is_too_much_is_named(stack: Stack, roles: TwoRoles) -> None:
    settings = {"DATABASE_URL": roles.runtime_url, "DATABASE_OWNER_URL": roles.owner_url}
    done = manage("database_roles", **settings)
    assert done.returncode == 0, done.stdout
    assert f"Checked: {roles.runtime} can change neither events nor the log" in done.stdout
    with psycopg.connect(roles.admin_url, autocommit=True) as admin:
        admin.execute(f"GRANT pg_write_all_data TO {roles.runtime}")
        try:
            told = manage("database_roles", **settings)
        finally:
            admin.execute(f"REVOKE pg_write_all_data FROM {roles.runtime}")
    assert told.returncode == 1
    assert f"{roles.runtime} has UPDATE, DELETE on events." in told.stdout
    assert "Take these rights away" in told.stdout


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("ALTER ROLE {runtime} SUPERUSER", "is a superuser"),
        ("ALTER ROLE {runtime} NOLOGIN", "may not log in"),
        ("GRANT {owner} TO {runtime}", "is a member of"),
    ],
)
def test_a_role_from_which_nothing_can_be_kept_is_refused(
    stack: Stack, roles: TwoRoles, prepare: str, said: str
) -> None:
    names = {"owner": roles.owner, "runtime": roles.runtime}
    with psycopg.connect(roles.admin_url, autocommit=True) as admin:
        admin.execute(prepare.format(**names))
        try:
            told = manage(
                "database_roles", DATABASE_URL=roles.runtime_url, DATABASE_OWNER_URL=roles.owner_url
            )
        finally:
            admin.execute("ALTER ROLE {runtime} NOSUPERUSER LOGIN".format(**names))
            admin.execute("REVOKE {owner} FROM {runtime}".format(**names))
    assert (told.returncode, "Traceback" in told.stdout) == (1, False), told.stdout
    assert said in told.stdout


def test_missing_settings_and_roles_are_named(stack: Stack, roles: TwoRoles) -> None:
    without = manage("database_roles", DATABASE_URL=roles.owner_url)
    assert (without.returncode, "Which role does Verbatim run as?" in without.stdout) == (1, True)
    unknown = manage(
        "database_roles", DATABASE_URL=roles.owner_url, DATABASE_RUNTIME_ROLE="nobody_of_that_name"
    )
    assert unknown.returncode == 1
    assert "CREATE ROLE nobody_of_that_name LOGIN PASSWORD" in unknown.stdout
    same = manage("database_roles", DATABASE_URL=roles.owner_url, DATABASE_RUNTIME_ROLE=roles.owner)
    assert (same.returncode, "is also the role that this command uses" in same.stdout) == (1, True)
    not_owner = manage("database_roles", DATABASE_URL=roles.runtime_url, DATABASE_RUNTIME_ROLE=roles.owner)
    assert (not_owner.returncode, "DATABASE_OWNER_URL" in not_owner.stdout) == (1, True), not_owner.stdout
    odd = manage("check", DATABASE_URL=roles.owner_url, DATABASE_RUNTIME_ROLE='x"; DROP')
    assert (odd.returncode, "DATABASE_RUNTIME_ROLE is" in odd.stdout) == (2, True)


def test_running_as_the_owner_although_there_are_two_roles_is_said(
    roles: TwoRoles, runner: ScriptedRunner
) -> None:
    with running_stack(
        DATABASE_URL=roles.owner_url,
        DATABASE_RUNTIME_ROLE=roles.runtime,
        MODEL_RUNNER_URL=runner.url,
        MODEL_RUNNER_MODEL=MODEL_ID,
    ) as stack:
        for part in ("web", "projections", "model-calls"):
            log = stack.data_dir / "logs" / f"{part}.log"
            wait_until(
                lambda log=log: (
                    "runs as a database role that can change what was recorded" in log.read_text()
                ),  # type: ignore[misc]
                f"the warning of {part}",
            )
            ApiClient(stack.url).http.get("/readyz").raise_for_status()
            assert log.read_text().count("runs as a database role that can change") == 1
