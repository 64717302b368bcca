"""`manage.py verify log` on PostgreSQL: whatever somebody with all rights does to events or log by SQL is found and named."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command

from backend.audit.notes import Signer
from backend.bootstrap.transparency import log_keys, transparency_log
from backend.transparency.sequencer import sequence
from tests.integration.commands.support import Told, store
from tests.integration.projections.talk import Talk

UNLOCK = """
ALTER TABLE events DISABLE TRIGGER USER;
ALTER TABLE log_leaf DISABLE TRIGGER log_leaf_refuse_change;
ALTER TABLE log_subtree DISABLE TRIGGER log_subtree_refuse_change;
ALTER TABLE log_checkpoint DISABLE TRIGGER log_checkpoint_refuse_change;
"""


def verify_log(*arguments: str) -> Told:
    out, status = StringIO(), 0
    try:
        call_command("verify", "log", *arguments, stdout=out)
    except SystemExit as end:
        status = int(end.code or 0)
    *lines, summary = out.getvalue().splitlines()
    return Told(status, lines, summary)


@pytest.fixture
def talk(fresh_database: str) -> Talk:
    """Eight turns, all of them in a signed log."""
    told = Talk()
    for number in range(8):
        told.say(f"Question {number}")
        told.reply(f"Answer {number}")
    store(told, fresh_database)
    transparency_log().checkpoint()
    return told


def change(database_url: str, sql: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(UNLOCK)
        connection.execute(sql)


def position(database_url: str, sql: str = "ORDER BY notification_id OFFSET 7") -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(f"SELECT notification_id FROM events {sql} LIMIT 1").fetchone()
    assert row is not None
    return int(row[0])


def test_an_empty_store_holds(fresh_database: str) -> None:
    told = verify_log()
    assert (told.status, told.lines) == (0, [])
    assert told.summary.startswith("0 events: 0 leaves, 0 checkpoints hold, nothing was changed.")


def test_an_honest_log_holds(talk: Talk) -> None:
    told = verify_log()
    assert (told.status, told.lines) == (0, [])
    assert re.match(
        r"([\d]+) events: \1 leaves, 1 checkpoints hold, nothing was changed\. .* events/s\.", told.summary
    )


def test_events_that_are_not_in_the_log_yet_are_counted(talk: Talk, fresh_database: str) -> None:
    change(
        fresh_database,
        "INSERT INTO events (originator_id, originator_version, topic, state)"
        " VALUES (gen_random_uuid(), 1, 'Said.v1', '{}')",
    )
    told = verify_log()
    assert told.status == 0
    assert re.search(r", 1 not in the log yet, ", told.summary)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE notification_id = {at}",
        "UPDATE events SET topic = 'Other.v1' WHERE notification_id = {at}",
        "UPDATE events SET originator_version = 99 WHERE notification_id = {at}",
        "UPDATE events SET originator_id = gen_random_uuid() WHERE notification_id = {at}",
    ],
)
def test_a_changed_event_is_named(talk: Talk, fresh_database: str, sql: str) -> None:
    at = position(fresh_database)
    change(fresh_database, sql.format(at=at))
    told = verify_log()
    assert told.status == 1
    [line] = told.lines
    assert line.startswith(f"changed: The event at position {at} ")


def test_every_byte_counts(talk: Talk, fresh_database: str) -> None:
    """Each byte of one event's payload in turn."""
    at = position(fresh_database)
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute(UNLOCK)
        [(length,)] = connection.execute(
            "SELECT octet_length(state) FROM events WHERE notification_id = %s", (at,)
        ).fetchall()
        flip = "UPDATE events SET state = set_byte(state, %s, get_byte(state, %s) # 1) WHERE notification_id = %s"
        for place in range(0, length, 13):
            connection.execute(flip, (place, place, at))
            assert verify_log().lines[0].startswith(f"changed: The event at position {at} ")
            connection.execute(flip, (place, place, at))
    assert verify_log().status == 0


def test_a_deleted_event_is_named(talk: Talk, fresh_database: str) -> None:
    at = position(fresh_database)
    change(fresh_database, f"DELETE FROM events WHERE notification_id = {at}")
    told = verify_log()
    assert (told.status, told.lines) == (1, [f"missing: The event at position {at} (leaf 7) is gone."])


def test_a_deleted_event_whose_leaf_is_gone_too_is_found(talk: Talk, fresh_database: str) -> None:
    at = position(fresh_database)
    change(
        fresh_database,
        f"DELETE FROM events WHERE notification_id = {at}; DELETE FROM log_leaf WHERE position = {at};"
        f"UPDATE log_leaf SET index = -index WHERE position > {at};"
        "UPDATE log_leaf SET index = -index - 1 WHERE index < 0",
    )
    told = verify_log()
    assert told.status == 1
    assert [line.partition(":")[0] for line in told.lines] == ["truncated", "stream"], told.lines


def test_two_events_that_changed_places_are_named(talk: Talk, fresh_database: str) -> None:
    one, other = position(fresh_database), position(fresh_database, "ORDER BY notification_id OFFSET 12")
    change(
        fresh_database,
        f"UPDATE events SET notification_id = -1 WHERE notification_id = {one};"
        f"UPDATE events SET notification_id = {one} WHERE notification_id = {other};"
        f"UPDATE events SET notification_id = {other} WHERE notification_id = -1",
    )
    told = verify_log()
    assert told.status == 1
    assert [line.partition(" (")[0] for line in told.lines] == [
        f"moved: The event at position {one}",
        f"moved: The event at position {other}",
    ]
    assert told.lines[0].endswith(f"was recorded at position {other}.")


def test_an_inserted_event_is_named(talk: Talk, fresh_database: str) -> None:
    at = position(fresh_database)
    change(
        fresh_database,
        f"UPDATE events SET notification_id = notification_id + 0 WHERE notification_id = {at};"
        "INSERT INTO events (originator_id, originator_version, topic, state, notification_id)"
        " VALUES (gen_random_uuid(), 1, 'Said.v1', '{}', -5)",
    )
    told = verify_log()
    assert told.status == 1
    [line] = told.lines
    assert line.startswith("inserted: The event at position -5 ")


def test_events_cut_off_with_their_leaves_and_checkpoints_are_found_by_one_that_was_kept(
    talk: Talk, fresh_database: str, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.txt"
    signed = transparency_log().checkpoint()
    assert signed is not None
    kept.write_text(signed.note + "\n")
    assert verify_log("--checkpoint", str(kept)).status == 0
    change(
        fresh_database,
        "DELETE FROM events WHERE notification_id > (SELECT position FROM log_leaf WHERE index = 9);"
        "DELETE FROM log_leaf WHERE index > 9; DELETE FROM log_checkpoint",
    )
    transparency_log().checkpoint()
    assert verify_log().status == 0, "nothing in the database itself shows it"
    told = verify_log("--checkpoint", str(kept))
    assert told.status == 1
    assert told.lines == [
        f"truncated: checkpoint 1 of {kept} was signed over {signed.size} events, but the log has 10: the last ones are gone."
    ]


def test_a_past_that_was_written_anew_with_its_log_contradicts_a_kept_checkpoint(
    talk: Talk, fresh_database: str, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.txt"
    signed = transparency_log().checkpoint()
    assert signed is not None
    kept.write_text(signed.note)
    at = position(fresh_database)
    change(
        fresh_database,
        f"UPDATE events SET state = '{{}}' WHERE notification_id = {at};"
        "TRUNCATE log_leaf, log_subtree, log_checkpoint",
    )
    transparency_log().checkpoint()
    assert verify_log().status == 0
    told = verify_log("--checkpoint", str(kept))
    assert told.status == 1
    assert told.lines[0].startswith("checkpoint: ")


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("ALTER TABLE events ALTER state DROP NOT NULL; UPDATE events SET state = NULL", "changed"),
        ("ALTER TABLE events ALTER topic DROP NOT NULL; UPDATE events SET topic = NULL", "changed"),
        (
            "ALTER TABLE events DROP CONSTRAINT events_pkey CASCADE;"
            "ALTER TABLE events ALTER originator_version DROP NOT NULL; UPDATE events SET originator_version = NULL",
            "changed",
        ),
        (
            "ALTER TABLE events DROP CONSTRAINT events_pkey CASCADE;"
            "ALTER TABLE events ALTER originator_id DROP NOT NULL; UPDATE events SET originator_id = NULL",
            "changed",
        ),
        ("ALTER TABLE log_leaf ALTER hash DROP NOT NULL; UPDATE log_leaf SET hash = NULL", "checkpoint"),
        (
            "ALTER TABLE log_leaf ALTER position DROP NOT NULL; UPDATE log_leaf SET position = NULL",
            "leaf",
        ),
        (
            "ALTER TABLE log_checkpoint ALTER note DROP NOT NULL; UPDATE log_checkpoint SET note = NULL",
            "checkpoint",
        ),
        (
            "ALTER TABLE log_checkpoint ALTER size DROP NOT NULL; UPDATE log_checkpoint SET size = NULL",
            "checkpoint",
        ),
    ],
)
def test_what_is_not_there_any_more_is_a_problem_and_no_accident(
    talk: Talk, fresh_database: str, sql: str, kind: str
) -> None:
    change(fresh_database, sql)
    told = verify_log()
    assert told.status == 1
    assert told.lines[0].startswith(f"{kind}: ")


@pytest.mark.parametrize("version", ["originator_version", "originator_version + 3"])
def test_an_event_appended_at_a_version_that_is_not_the_next_is_found(
    talk: Talk, fresh_database: str, version: str
) -> None:
    """Also once it is in the log like any other."""
    change(
        fresh_database,
        "ALTER TABLE events DROP CONSTRAINT events_pkey CASCADE;"
        "INSERT INTO events (originator_id, originator_version, topic, state)"
        f" SELECT originator_id, {version}, topic, state FROM events ORDER BY notification_id DESC LIMIT 1",
    )
    transparency_log().checkpoint()
    told = verify_log()
    assert told.status == 1
    [line] = told.lines
    assert re.match(r"stream: Stream [-0-9a-f]{36} has \d+ events up to version \d+; expected one of", line)


def test_a_log_without_any_checkpoint_is_vouched_for_by_nobody(talk: Talk, fresh_database: str) -> None:
    change(fresh_database, "DELETE FROM log_checkpoint")
    told = verify_log()
    assert told.status == 1
    [line] = told.lines
    assert re.match(r"checkpoint: The log has \d+ leaves, but no checkpoint that could be relied on", line)
    assert ", 0 checkpoints hold, " in told.summary


def test_leaves_that_no_checkpoint_covers_yet_are_counted(talk: Talk, fresh_database: str) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO events (originator_id, originator_version, topic, state)"
            " VALUES (gen_random_uuid(), 1, 'Said.v1', '{}')"
        )
        sequence(connection)
    told = verify_log()
    assert (told.status, told.lines) == (0, [])
    assert ", 1 not signed yet, " in told.summary


def test_a_checkpoint_that_is_stored_under_another_size_is_named(talk: Talk, fresh_database: str) -> None:
    """Proofs and exports choose by it."""
    change(fresh_database, "UPDATE log_checkpoint SET size = 3")
    told = verify_log()
    assert told.status == 1
    [line] = told.lines
    assert line.startswith("checkpoint: Checkpoint 1 is stored as one of 3 events, but was signed over ")


def test_what_somebody_wrote_into_the_database_moves_no_cursor(talk: Talk, fresh_database: str) -> None:
    at = position(fresh_database)
    change(
        fresh_database, f"UPDATE events SET topic = E'x\\r\\n\\x1b[2JAll holds.' WHERE notification_id = {at}"
    )
    told = verify_log()
    assert told.status == 1
    [line] = told.lines
    assert line.startswith(f"changed: The event at position {at} (x\\r\\n\\x1b[2JAll holds., ")


def test_an_altered_checkpoint_is_named(talk: Talk, fresh_database: str) -> None:
    change(fresh_database, "UPDATE log_checkpoint SET note = replace(note, E'\\n', E'\\n1')")
    told = verify_log()
    assert told.status == 1
    assert told.lines[0].startswith("checkpoint: Checkpoint 1 cannot be relied on.")


def test_only_trusted_keys_count(talk: Talk) -> None:
    assert verify_log("--key", str(log_keys().signer.verifier)).status == 0
    stranger = Signer.make(log_keys().origin)
    told = verify_log("--key", str(stranger.verifier))
    assert told.status == 1
    assert "Nobody who is known signed the note" in told.lines[0]


@pytest.mark.parametrize("text", ["", "nonsense", "a\n1\nb\n\n\N{EM DASH} a AAAAAAAA\n"])
def test_a_kept_file_that_holds_no_checkpoint_of_ours_is_refused(
    talk: Talk, tmp_path: Path, text: str
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(text)
    with pytest.raises(CommandError, match=r"kept\.txt cannot be used"):
        verify_log("--checkpoint", str(kept))


def test_a_key_that_is_none_and_a_file_that_is_not_there_are_named(talk: Talk, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="not a verifier key"):
        verify_log("--key", "nonsense")
    with pytest.raises(CommandError, match="No such file"):
        verify_log("--checkpoint", str(tmp_path / "none"))
