"""Checkpoints say what the log is, are signed once for each state, and never contradict an earlier one."""

from __future__ import annotations

import base64
import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest

from backend.audit.checkpoints import check_proof, open_checkpoint, parse_proof
from backend.audit.leaves import leaf_data
from backend.audit.merkle import check_consistency
from backend.audit.notes import Signer, split_notes
from backend.transparency.hashes import Connection
from backend.transparency.keeper import keep
from backend.transparency.keys import KEY_FILE, KeyProblem, configured_keys, read_key_file, replace_key_file
from backend.transparency.log import NotInLog, TransparencyLog
from backend.transparency.outlets import FileOutlet, HttpOutlet, Outlet, deliver, deliveries
from backend.transparency.sequencer import sequence
from backend.transparency.signing import LogContradicted, LogKeys, newest, sign
from tests.integration.projections.talk import Talk
from tests.integration.transparency.support import KEYS, NOON, fill, tree_over_events
from tests.support.stack import wait_until


def test_a_checkpoint_is_the_root_over_all_events(connection: Connection, talk: Talk) -> None:
    size = sequence(connection)
    signed = sign(connection, KEYS, NOON)
    assert signed is not None
    checkpoint = open_checkpoint(signed.note, KEYS.verifiers)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (
        "example.com/log",
        size,
        tree_over_events(connection).root(),
    )
    assert newest(connection) == signed


def test_an_empty_log_is_not_signed(connection: Connection) -> None:
    assert sign(connection, KEYS, NOON) is None
    assert newest(connection) is None


def test_a_state_is_signed_once(connection: Connection) -> None:
    fill(connection, 3)
    sequence(connection)
    first = sign(connection, KEYS, NOON)
    assert sign(connection, KEYS, NOON + timedelta(hours=1)) == first
    fill(connection, 1)
    sequence(connection)
    second = sign(connection, KEYS, NOON)
    assert first is not None
    assert second is not None
    assert (first.size, second.size) == (3, 4)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM log_leaf WHERE index >= 2",
        "UPDATE log_leaf SET hash = decode(repeat('00', 32), 'hex') WHERE index = 1",
    ],
)
def test_a_log_that_is_not_what_was_signed_is_not_signed_again(connection: Connection, change: str) -> None:
    fill(connection, 4)
    sequence(connection)
    sign(connection, KEYS, NOON)
    connection.execute("ALTER TABLE log_leaf DISABLE TRIGGER log_leaf_refuse_change")
    connection.execute(change)
    with pytest.raises(LogContradicted, match="Nothing is signed"):
        sign(connection, KEYS, NOON)


def test_a_checkpoint_by_somebody_else_is_not_gone_on_from(connection: Connection) -> None:
    fill(connection, 1)
    sequence(connection)
    sign(connection, LogKeys(Signer("example.com/log", bytes(32))), NOON)
    with pytest.raises(LogContradicted, match="AUDIT_RETIRED_KEYS"):
        sign(connection, KEYS, NOON)


def test_a_new_key_is_vouched_for_by_the_old_one(connection: Connection) -> None:
    fill(connection, 1)
    sequence(connection)
    sign(connection, KEYS, NOON)
    new = LogKeys(Signer("example.com/log", bytes(32)), KEYS.verifiers)
    bridge = sign(connection, new, NOON, also=[KEYS.signer])
    assert bridge is not None
    for verifier in (KEYS.signer.verifier, new.signer.verifier):
        assert open_checkpoint(bridge.note, [verifier]).size == 1
    fill(connection, 1)
    sequence(connection)
    after = sign(connection, new, NOON)
    assert after is not None
    assert open_checkpoint(after.note, [new.signer.verifier]).size == 2


# ---- proofs ---------------------------------------------------------------------------------


@pytest.fixture
def log(fresh_database: str) -> TransparencyLog:
    return TransparencyLog(fresh_database, KEYS, lambda: NOON)


def test_every_event_is_proven_and_nothing_else(
    log: TransparencyLog, connection: Connection, talk: Talk
) -> None:
    rows = connection.execute(
        "SELECT notification_id, originator_id, originator_version, topic, state FROM events ORDER BY 1"
    ).fetchall()
    assert len(rows) > 10
    for position, stream, version, topic, state in rows:
        proof = log.prove(position)
        leaf = leaf_data(stream, version, topic, bytes(state))
        assert check_proof(proof, leaf, KEYS.verifiers).size == len(rows)
    with pytest.raises(NotInLog, match=f"position {rows[-1][0] + 1}"):
        log.prove(rows[-1][0] + 1)


def test_a_new_event_is_proven_at_once_and_older_ones_by_the_checkpoint_there_is(
    log: TransparencyLog, connection: Connection
) -> None:
    fill(connection, 3)
    [(last,)] = connection.execute("SELECT max(notification_id) FROM events").fetchall()
    first = parse_proof(log.prove(last)).checkpoint
    fill(connection, 2)
    assert parse_proof(log.prove(last)).checkpoint == first
    assert open_checkpoint(parse_proof(log.prove(last + 2)).checkpoint, KEYS.verifiers).size == 5


def test_one_state_is_shown_to_have_grown_out_of_another(
    log: TransparencyLog, connection: Connection
) -> None:
    checkpoints = []
    for events in (1, 300, 17):
        fill(connection, events)
        signed = log.checkpoint()
        assert signed is not None
        checkpoints.append(open_checkpoint(signed.note, KEYS.verifiers))
    for old in checkpoints:
        for new in checkpoints:
            if old.size <= new.size:
                check_consistency(old.size, new.size, log.consistency(old.size, new.size), old.root, new.root)


def test_the_state_tells_what_is_not_in_the_log_yet(log: TransparencyLog, connection: Connection) -> None:
    assert (log.state().size, log.state().checkpoint, log.state().events_behind) == (0, None, 0)
    fill(connection, 2)
    assert log.state().events_behind == 2
    log.checkpoint()
    fill(connection, 1)
    state = log.state()
    assert (state.origin, state.size, state.events_behind) == ("example.com/log", 2, 1)
    assert state.checkpoint is not None
    assert state.checkpoint.signed_at == NOON


# ---- keys -----------------------------------------------------------------------------------


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    made: list[LogKeys] = []
    threads = [
        threading.Thread(target=lambda: made.append(configured_keys("", [], tmp_path / "data")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({keys.signer for keys in made}) == 1
    assert len(made) == 8
    assert len(made[0].origin) <= 30
    path = tmp_path / "data" / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [KEY_FILE]


def test_a_replaced_key_keeps_those_before_it(tmp_path: Path) -> None:
    old = configured_keys("", [], tmp_path)
    new = LogKeys(Signer.make(old.origin), old.verifiers)
    replace_key_file(tmp_path / KEY_FILE, new)
    assert read_key_file(tmp_path / KEY_FILE) == new
    assert configured_keys("", [str(KEYS.signer.verifier)], tmp_path).verifiers == [
        *new.verifiers,
        *KEYS.verifiers,
    ]


def test_a_key_from_the_settings_is_used_and_nothing_is_kept(tmp_path: Path) -> None:
    found = configured_keys(KEYS.signer.secret_text(), [], tmp_path)
    assert found == LogKeys(KEYS.signer, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("signing_key", "retired", "named"),
    [
        ("nonsense", [], "AUDIT_SIGNING_KEY"),
        (Signer("o" * 31, bytes(32)).secret_text(), [], "longer than 30"),
        ("", ["nonsense"], "AUDIT_RETIRED_KEYS"),
    ],
)
def test_settings_that_are_no_keys_are_refused(
    tmp_path: Path, signing_key: str, retired: list[str], named: str
) -> None:
    with pytest.raises(KeyProblem, match=named):
        configured_keys(signing_key, retired, tmp_path)


def test_a_broken_key_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("half a ke")
    with pytest.raises(KeyProblem, match="from a backup"):
        configured_keys("", [], tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == "half a ke"


# ---- outlets --------------------------------------------------------------------------------


class Receiver:
    """Takes posts, and answers with the status that is wanted."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.status = 204
        self.authorization = ""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.authorization = self.headers["Authorization"]
                if receiver.status < 300:
                    receiver.received.append(body)
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:s%2Fcret@127.0.0.1:{self._server.server_port}/checkpoints?token=secret"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def two_checkpoints(connection: Connection) -> list[str]:
    notes = []
    for _ in range(2):
        fill(connection, 1)
        sequence(connection)
        signed = sign(connection, KEYS, NOON)
        assert signed is not None
        notes.append(signed.note)
    return notes


def test_each_place_gets_each_checkpoint_once_and_in_order(connection: Connection, tmp_path: Path) -> None:
    receiver = Receiver()
    try:
        file = tmp_path / "kept.txt"
        places: list[Outlet] = [FileOutlet(file), HttpOutlet(receiver.url)]
        notes = two_checkpoints(connection)
        deliver(connection, places, NOON)
        deliver(connection, places, NOON)
        assert split_notes(file.read_text()) == receiver.received == notes
        states = deliveries(connection)
        assert [(state.error, state.at) for state in states] == [("", NOON), ("", NOON)]
        assert receiver.authorization == "Basic " + base64.b64encode(b"user:s/cret").decode()
        assert "secret" not in "".join(state.outlet for state in states)
    finally:
        receiver.close()


def test_what_was_not_taken_is_tried_again_and_holds_up_nobody(
    connection: Connection, tmp_path: Path
) -> None:
    receiver = Receiver()
    try:
        receiver.status = 500
        file = tmp_path / "kept.txt"
        places: list[Outlet] = [
            FileOutlet(tmp_path / "no" / "folder"),
            HttpOutlet(receiver.url),
            FileOutlet(file),
        ]
        notes = two_checkpoints(connection)
        deliver(connection, places, NOON)
        assert len(split_notes(file.read_text())) == 2
        errors = {state.outlet: state.error for state in deliveries(connection)}
        assert errors[places[1].name] == "It answered with status 500."
        assert "No such file" in errors[places[0].name]
        receiver.status = 200
        (tmp_path / "no").mkdir()
        deliver(connection, places, NOON)
        assert receiver.received == split_notes((tmp_path / "no" / "folder").read_text()) == notes
        assert {state.error for state in deliveries(connection)} == {""}
    finally:
        receiver.close()


def test_a_place_that_cannot_be_reached_is_named_with_the_reason(connection: Connection) -> None:
    two_checkpoints(connection)
    deliver(connection, [HttpOutlet("http://127.0.0.1:1/x")], NOON)
    [state] = deliveries(connection)
    assert state.checkpoint_id == 0
    assert "refused" in state.error


# ---- the keeper -----------------------------------------------------------------------------


def test_the_keeper_signs_once_a_minute_and_hands_out(
    fresh_database: str, connection: Connection, tmp_path: Path
) -> None:
    file, stop, clock = tmp_path / "kept.txt", threading.Event(), [NOON]

    def now() -> datetime:
        return clock[0]

    thread = threading.Thread(
        target=keep,
        args=(stop,),
        kwargs={
            "database_url": fresh_database,
            "keys": KEYS,
            "outlets": [FileOutlet(file)],
            "now": now,
            "every_s": 0.02,
        },
    )
    thread.start()
    try:
        fill(connection, 2)
        wait_until(lambda: file.exists() and len(split_notes(file.read_text())) == 1, "the first checkpoint")
        fill(connection, 2)
        wait_until(lambda: sequence_size(connection) == 4, "the later events to be in the log")
        assert len(split_notes(file.read_text())) == 1, "not before the minute is over"
        # Whoever cuts the connection does not stop it.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        clock[0] = NOON + timedelta(minutes=1)
        wait_until(lambda: len(split_notes(file.read_text())) == 2, "the second checkpoint")
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def sequence_size(connection: psycopg.Connection[tuple[int]]) -> int:
    [(size,)] = connection.execute("SELECT count(*) FROM log_leaf").fetchall()
    return size
