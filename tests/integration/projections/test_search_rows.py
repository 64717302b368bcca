"""What search keeps of texts: words, stems and languages; and that the index answers, not the table."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection

from backend.domain import commands as c
from backend.event_store.picking import events_at
from projections.search import stems
from projections.search.projector import SearchProjector
from projections.search.queries import _MATCHES
from projections.search.read_table import SearchConversationRow, SearchRow
from projections.search.stems import Inflected, stems_of
from tests.integration.projections.stories import all_events, apply, in_memory, put, rows_of


def test_a_row_holds_folded_words_and_the_stems_that_differ(fresh_database: str) -> None:
    store, story = in_memory(1)
    conversation_id = story.start()
    owner = story.conversations[0][1]
    sent = story.send(conversation_id, owner, "The Cafés were closing; \x01 naïve dogs!")
    apply(SearchProjector, store.read_after(0, 100))

    row = SearchRow.objects.get(id=sent["message_id"])
    assert row.words == "the cafes were closing naive dogs"
    assert row.stems.split() == ["@u", "@en", "en=cafe", "en=close", "en=dog", "en=naiv"]
    assert (row.kind, row.language, row.owner_id) == ("user", "en", owner)
    reply = SearchRow.objects.get(id=sent["reply_id"])
    assert (reply.words, reply.stems, reply.outcome) == ("", "", None)


def test_a_short_message_is_read_in_the_language_of_those_before_it(fresh_database: str) -> None:
    store, story = in_memory(1)
    conversation_id = story.start()
    owner = story.conversations[0][1]
    first = story.send(conversation_id, owner, "Häuser")
    story.send(
        conversation_id, owner, "Wie viele Häuser sind in der Stadt und wie groß ist das?", parent_id=None
    )
    last = story.send(conversation_id, owner, "Häuser", parent_id=None)
    apply(SearchProjector, store.read_after(0, 100))

    languages = dict(SearchRow.objects.values_list("id", "language"))
    assert languages[UUID(first["message_id"])] == "en"
    assert languages[UUID(last["message_id"])] == "de"
    assert SearchRow.objects.get(id=last["message_id"]).stems == "@u @de de=haus"
    assert SearchConversationRow.objects.get(conversation_id=conversation_id).language == "de"


def test_an_older_title_delivered_again_does_not_come_back(fresh_database: str) -> None:
    store, story = in_memory(1)
    conversation_id = story.start()
    owner = story.conversations[0][1]
    story.rename(conversation_id, owner, "Apples")
    story.rename(conversation_id, owner, "Pears")
    story.run(c.DeleteConversation(owner, conversation_id))
    events = store.read_after(0, 100)
    apply(SearchProjector, events)
    before = rows_of(SearchProjector)

    for recorded in events:
        apply(SearchProjector, [recorded])

    assert rows_of(SearchProjector) == before
    assert SearchRow.objects.get(id=conversation_id).words == "pears"


def test_stems_are_asked_for_once_and_forgotten_when_there_are_too_many(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stems, "_memory", stems._Memory(2))
    running, the, houses = Inflected("en", "running"), Inflected("en", "the"), Inflected("de", "häuser")

    assert stems_of([running, the]) == {running: "run", the: ""}
    with connection.execute_wrapper(_refuse):
        assert stems_of([the, running]) == {running: "run", the: ""}
    assert stems_of([houses]) == {houses: "haus"}
    with pytest.raises(AssertionError, match="asked again"), connection.execute_wrapper(_refuse):
        stems_of([the])


def _refuse(*_: object) -> None:
    raise AssertionError("asked again")


def test_events_are_picked_by_their_positions(fresh_database: str) -> None:
    store, story = in_memory(1)
    story.tell(30)
    put(store.read_after(0, store.end()), fresh_database)
    stored = {recorded.position: recorded.event for recorded in all_events(fresh_database)}
    wanted = list(stored)[::3]

    with connection.cursor() as cursor:
        found = events_at(cursor, [*wanted, 10**9])
        assert events_at(cursor, []) == {}

    assert {position: event.event_id for position, event in found.items()} == {
        position: stored[position].event_id for position in wanted
    }


@pytest.mark.parametrize(
    "question", ["'{tag}word'", "'{tag}word' & '{tag}other' & ('{tag}third' | '{tag}f':*)"]
)
def test_matches_come_from_both_indexes_together_however_many_there_are(
    fresh_database: str, question: str
) -> None:
    owner = UUID("abcdef00-0000-4000-8000-000000000001")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO read_search (id, conversation_id, owner_id, kind, position, at, language, words, stems)"
            " SELECT gen_random_uuid(), gen_random_uuid(), %s, 'user', number, now(), 'en',"
            " 'word other third filler' || repeat(' filler' || number, 20), '@u @en'"
            " FROM generate_series(1, 12000) AS number",
            [owner],
        )
        cursor.execute("ANALYZE read_search")
        cursor.execute(
            "EXPLAIN " + _MATCHES.format(ranked=100, conditions=""),
            {
                "owner": owner,
                "floor": 8000,
                "upper": 12000,
                "limit": 20,
                "question": question.format(tag="abcdef"),
            },
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "BitmapAnd" in plan, plan
    assert "read_search_words" in plan
    assert "read_search_recent" in plan
