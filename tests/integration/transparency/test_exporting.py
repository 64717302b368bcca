"""What an export takes out of a real database: one moment of it, in little memory, with proofs that hold."""

from __future__ import annotations

import tracemalloc
from uuid import UUID, uuid4

import psycopg
import pytest

from backend.audit.checkpoints import open_checkpoint
from backend.audit.export import event_line
from backend.audit.leaves import leaf_data
from backend.audit.merkle import check_consistency, check_inclusion, leaf_hash
from backend.transparency.exporting import ExportSnapshot, NothingToExport, PickedCalls
from backend.transparency.hashes import Connection
from backend.transparency.sequencer import sequence
from backend.transparency.signing import sign
from tests.integration.transparency.support import KEYS, NOON

_INSERT = "INSERT INTO events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)"
_START = b'{"owner_id":"x","title":"t","forked_from":%s}'


def picked(*calls: tuple[UUID, UUID | None], pending: bool = False) -> PickedCalls:
    """These calls, with their conversations, all of one person."""
    rows = ", ".join(["(%s::uuid, %s::uuid, %s::uuid, %s)"] * len(calls))
    owner = UUID(int=7)
    values = [value for call, conversation in calls for value in (call, conversation, owner, pending)]
    return PickedCalls(f"SELECT * FROM (VALUES {rows}) AS t", values)


def add(
    connection: Connection, stream: UUID, topic: str, payload: bytes = b"{}", *, version: int = 1
) -> None:
    connection.execute(_INSERT, (stream, version, topic, payload))


def conversation(connection: Connection, source: UUID | None = None) -> UUID:
    made = uuid4()
    origin = b"null" if source is None else b'{"conversation_id":"%s"}' % str(source).encode()
    add(connection, made, "ConversationStarted.v1", _START % origin)
    return made


def call_with(connection: Connection, events: int) -> UUID:
    """A call's stream of so many events, all of them as long as real ones."""
    stream = uuid4()
    with connection.cursor() as cursor:
        cursor.executemany(
            _INSERT, [(stream, number + 1, "Said.v1", b'{"n":"%0700d"}' % number) for number in range(events)]
        )
    return stream


def signed_log(connection: Connection) -> None:
    sequence(connection)
    assert sign(connection, KEYS, NOON) is not None


def test_an_empty_log_has_nothing_to_export(connection: Connection, fresh_database: str) -> None:
    with pytest.raises(NothingToExport), ExportSnapshot.open(fresh_database, KEYS, picked((uuid4(), None))):
        pass


def test_every_proof_holds_across_many_blocks(connection: Connection, fresh_database: str) -> None:
    for _ in range(3):
        call_with(connection, 100)
    signed_log(connection)
    stream = call_with(connection, 700)
    signed_log(connection)
    with ExportSnapshot.open(fresh_database, KEYS, picked((stream, None)), kept_sizes=[1, 257]) as snapshot:
        checkpoint = open_checkpoint(snapshot.checkpoint, KEYS.verifiers)
        assert (snapshot.size, checkpoint.size, snapshot.count_events()) == (1000, 1000, 700)
        events = list(snapshot.events())
        assert [event.index for event in events] == list(range(300, 1000)) == list(snapshot.indexes())
        for event in events:
            leaf = leaf_hash(leaf_data(event.stream, event.version, event.topic, event.payload))
            check_inclusion(leaf, event.index, 1000, snapshot.inclusion(event.index), checkpoint.root)
        earlier = list(snapshot.earlier())
        assert [each.size for each in earlier] == [1, 257, 300]
        assert earlier[-1].note is not None
        then = open_checkpoint(earlier[-1].note, KEYS.verifiers)
        check_consistency(300, 1000, snapshot.consistency(300), then.root, checkpoint.root)


def test_a_conversation_brings_all_that_it_goes_on_from(connection: Connection, fresh_database: str) -> None:
    chain = [conversation(connection)]
    for _ in range(40):
        chain.append(conversation(connection, chain[-1]))
    other = conversation(connection)
    call = call_with(connection, 2)
    signed_log(connection)
    with ExportSnapshot.open(fresh_database, KEYS, picked((call, chain[-1]))) as snapshot:
        streams = {UUID(stream.stream): stream.versions for stream in snapshot.streams()}
    assert streams == {**dict.fromkeys(chain, 1), call: 2}
    assert other not in streams


def test_conversations_in_a_circle_end_the_search(connection: Connection, fresh_database: str) -> None:
    """Never recorded by us; whoever changed the store must not stop an export."""
    one, other = uuid4(), uuid4()
    add(
        connection,
        one,
        "ConversationStarted.v1",
        _START % (b'{"conversation_id":"%s"}' % str(other).encode()),
    )
    add(
        connection,
        other,
        "ConversationStarted.v1",
        _START % (b'{"conversation_id":"%s"}' % str(one).encode()),
    )
    signed_log(connection)
    with ExportSnapshot.open(fresh_database, KEYS, picked((uuid4(), one))) as snapshot:
        assert {UUID(stream.stream) for stream in snapshot.streams()} == {one, other}


@pytest.mark.parametrize("state", [b"\xff", b"[]", b"{", b'{"erased":{"sha256":"00"}}', b'{"forked_from":7}'])
def test_what_cannot_be_read_is_exported_as_it_is(
    state: bytes, connection: Connection, fresh_database: str
) -> None:
    stream = uuid4()
    add(connection, stream, "ConversationStarted.v1", state)
    signed_log(connection)
    with ExportSnapshot.open(fresh_database, KEYS, picked((uuid4(), stream))) as snapshot:
        (event,) = snapshot.events()
    assert event.payload == state
    assert (b"payload_base64" in event_line(event)) == (state == b"\xff")


def test_what_came_after_the_checkpoint_is_left_out(connection: Connection, fresh_database: str) -> None:
    call, ended = call_with(connection, 2), call_with(connection, 1)
    signed_log(connection)
    add(connection, call, "ModelCallCompleted.v1", version=3)
    sequence(connection)
    with ExportSnapshot.open(fresh_database, KEYS, picked((call, None), (ended, None))) as snapshot:
        assert [event.version for event in snapshot.events()] == [1, 2, 1]
        streams = {UUID(stream.stream): (stream.versions, stream.running) for stream in snapshot.streams()}
    assert streams == {call: (2, True), ended: (1, False)}


def test_an_export_sees_one_moment(connection: Connection, fresh_database: str) -> None:
    call = call_with(connection, 500)
    signed_log(connection)
    with ExportSnapshot.open(fresh_database, KEYS, picked((call, None))) as snapshot:
        events = snapshot.events()
        next(events)
        add(connection, call, "Said.v1", version=501)
        signed_log(connection)
        assert len(list(events)) == 499
        assert snapshot.size == 500
        assert snapshot.count_events() == 500


def test_an_export_of_any_length_needs_little_memory(connection: Connection, fresh_database: str) -> None:
    most = {}
    for events in (2_000, 20_000):
        call = call_with(connection, events)
        signed_log(connection)
        tracemalloc.start()
        try:
            with ExportSnapshot.open(fresh_database, KEYS, picked((call, None))) as snapshot:
                length = sum(len(event_line(event)) for event in snapshot.events())
                hashes = sum(len(snapshot.inclusion(index)) for index in snapshot.indexes())
            _, most[events] = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert length > 700 * events
        assert hashes > 10 * events
    # The kept subtrees fill up; they are bounded, and a row of 700 bytes each would be far more.
    assert most[20_000] < most[2_000] + 6_000_000
    with psycopg.connect(fresh_database) as other:
        left = other.execute(
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'export!_%' ESCAPE '!'"
        ).fetchone()
    assert left == (0,)
