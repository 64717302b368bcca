"""Questions to search. They never write.

For rows and position from one moment, ask inside `projections.tracking.snapshot("search")`.

How the work stays bounded, however common a word is: the index gives the matches among the owner's newest
two thousand rows first, and goes further back, in ever longer steps, only while too few are found. The newest BLOCK matches are
ranked among themselves; what is older comes in later blocks, so every match can be reached page by page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from backend.domain import events as e
from backend.domain.imported import text_of_imported
from backend.event_store.picking import events_at
from projections.projector import storable
from projections.search.excerpts import Found, excerpts
from projections.search.kinds import ASSISTANT, TITLE, USER
from projections.search.matching import Wanted, rank_of, tsquery, with_stems
from projections.search.query_language import SearchQuery
from projections.search.read_table import SearchConversationRow

BLOCK: Final = 200
_FIRST_WINDOW: Final = 2000
_WINDOW_GROWTH: Final = 8
_RANKED_CHARACTERS: Final = 2000

_WINDOW_FLOOR: Final = """
SELECT position FROM read_search WHERE owner_id = %(owner)s AND position <= %(upper)s
ORDER BY position DESC OFFSET %(size)s LIMIT 1
"""
# Two things lead the planner to what is quick here. The scalar subquery: knowing the question, it would take
# a few common words for a rare combination and fetch every row that has them all. The sum in ORDER BY: without
# it, it might walk the rows from the newest on and work out the lexemes of each.
_MATCHES: Final = """
SELECT id, conversation_id, kind, position, at, model, outcome, language,
       left(words, {ranked}) AS words, stems
FROM (
    SELECT * FROM read_search
    WHERE owner_id = %(owner)s AND position > %(floor)s AND position <= %(upper)s AND words <> ''
      AND read_search_lexemes(owner_id, words, stems) @@ (SELECT %(question)s::tsquery)
      AND conversation_id <> ALL (ARRAY(
          SELECT conversation_id FROM read_search_conversation WHERE owner_id = %(owner)s AND deleted))
      {conditions}
    ORDER BY position + 0 DESC
    LIMIT %(limit)s
) AS newest
ORDER BY position DESC
"""


@dataclass(frozen=True)
class SearchPlace:
    """Where a page begins.

    blocks: the highest position of each block up to the one the page is in. key: the sort key of the row it
    begins behind, or before which it ends where backwards; None: the block's own beginning, or end.
    """

    blocks: tuple[int, ...]
    key: tuple[int, int, int] | None = None
    backwards: bool = False


@dataclass(frozen=True)
class SearchHit:
    """A title or a message that was found. excerpt: HTML. message_id, role: None for a title."""

    kind: str
    conversation_id: UUID
    title: str
    message_id: UUID | None
    role: str | None
    at: datetime
    model: str | None
    outcome: str | None
    excerpt: str
    rank: float


@dataclass(frozen=True)
class SearchPage:
    hits: tuple[SearchHit, ...]
    next: SearchPlace | None
    previous: SearchPlace | None


@dataclass(frozen=True)
class _Candidate:
    id: UUID
    conversation_id: UUID
    kind: str
    position: int
    at: datetime
    model: str | None
    outcome: str | None
    language: str
    rank: int

    @property
    def key(self) -> tuple[int, int, int]:
        """Better ones first; of equal ones titles, then newer ones. By time alone where nothing was ranked."""
        return (-self.rank, 0 if self.kind == TITLE and self.rank else 1, -self.position)


def search(
    *,
    owner_id: UUID,
    query: SearchQuery,
    newest: int,
    conversation_id: UUID | None = None,
    place: SearchPlace | None = None,
    limit: int = 20,
) -> SearchPage:
    """What this person's conversations hold of what is asked, best first; nothing of deleted ones.

    newest: the position up to which a first page looks; later pages keep to what the first one saw.
    """
    place = place or SearchPlace((newest,))
    wanted = with_stems(query.terms)
    with connection.cursor() as cursor:
        found = _newest_matches(cursor, owner_id, query, wanted, conversation_id, place.blocks[-1])
        block, more = found[:BLOCK], len(found) > BLOCK
        oldest = block[-1].position if block else 0
        block.sort(key=lambda candidate: candidate.key)
        first, last = _bounds(block, place, limit)
        page = block[first:last]
        hits = _hits(cursor, page, wanted)
    following: SearchPlace | None = None
    if page and last < len(block):
        following = SearchPlace(place.blocks, page[-1].key)
    elif more:
        following = SearchPlace((*place.blocks, oldest - 1))
    previous: SearchPlace | None = None
    if page and first > 0:
        previous = SearchPlace(place.blocks, page[0].key, backwards=True)
    elif len(place.blocks) > 1:
        previous = SearchPlace(place.blocks[:-1], backwards=True)
    return SearchPage(hits, following, previous)


def _bounds(block: Sequence[_Candidate], place: SearchPlace, limit: int) -> tuple[int, int]:
    """Which part of a ranked block the page is."""
    key = place.key
    if place.backwards:
        end = len(block) if key is None else sum(candidate.key < key for candidate in block)
        return max(0, end - limit), end
    start = 0 if key is None else sum(candidate.key <= key for candidate in block)
    return start, min(len(block), start + limit)


def _newest_matches(
    cursor: CursorWrapper,
    owner_id: UUID,
    query: SearchQuery,
    wanted: Sequence[Wanted],
    conversation_id: UUID | None,
    upper: int,
) -> list[_Candidate]:
    """The newest matches up to a position, newest first: BLOCK of them and one more, where there are as many."""
    if not query.kinds:
        return []
    conditions, values = _conditions(query, wanted, conversation_id)
    statement = _MATCHES.format(ranked=_RANKED_CHARACTERS, conditions=" ".join(conditions))
    values |= {"owner": owner_id, "question": tsquery(query, wanted, owner_id)}
    found: list[_Candidate] = []
    # One conversation is small enough to be looked at as a whole.
    floor = 0 if conversation_id else _floor(cursor, owner_id, upper)
    width = upper - floor
    while upper > 0 and len(found) <= BLOCK:
        cursor.execute(statement, {**values, "floor": floor, "upper": upper, "limit": BLOCK + 1 - len(found)})
        found += [_candidate(row, wanted) for row in cursor.fetchall()]
        width *= _WINDOW_GROWTH
        upper, floor = floor, max(0, floor - width)
    return found


def _candidate(row: tuple[Any, ...], wanted: Sequence[Wanted]) -> _Candidate:
    *fields, words, stems = row
    return _Candidate(*fields, rank_of(wanted, words=words, stems=stems))  # type: ignore[call-arg]  # as many as _MATCHES selects


def _floor(cursor: CursorWrapper, owner_id: UUID, upper: int) -> int:
    """The position behind which lie the owner's newest rows up to `upper`, a window of them; 0 where there are fewer."""
    cursor.execute(_WINDOW_FLOOR, {"owner": owner_id, "upper": upper, "size": _FIRST_WINDOW})
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def _conditions(
    query: SearchQuery, wanted: Sequence[Wanted], conversation_id: UUID | None
) -> tuple[list[str], dict[str, Any]]:
    """What the index over the words cannot tell, as SQL and its values."""
    conditions: list[str] = []
    values: dict[str, Any] = {}

    def add(condition: str, value: Any) -> None:
        name = f"value_{len(values)}"
        conditions.append("AND " + condition.format(f"%({name})s"))
        values[name] = value

    for one in wanted:
        if one.is_phrase:
            add("strpos(' ' || words || ' ', {}) > 0", one.as_text)
    for term in query.excluded:
        if len(term.words) > 1:
            add("strpos(' ' || words || ' ', {}) = 0", Wanted(term).as_text)
    if conversation_id is not None:
        add("conversation_id = {}", conversation_id)
    if query.model is not None:
        add("strpos(lower(model), lower({})) > 0", query.model)
    if query.since is not None:
        add("at >= {}", query.since)
    if query.until is not None:
        add("at < {}", query.until)
    return conditions, values


def _hits(
    cursor: CursorWrapper, page: Sequence[_Candidate], wanted: Sequence[Wanted]
) -> tuple[SearchHit, ...]:
    titles = dict(
        SearchConversationRow.objects.filter(
            conversation_id__in={candidate.conversation_id for candidate in page}
        ).values_list("conversation_id", "title")
    )
    events = events_at(cursor, [candidate.position for candidate in page if candidate.kind != TITLE])
    texts = [
        titles[candidate.conversation_id] if candidate.kind == TITLE else _text_of(events[candidate.position])
        for candidate in page
    ]
    shown = excerpts(
        [Found(text, candidate.language) for text, candidate in zip(texts, page, strict=True)], wanted
    )
    return tuple(
        SearchHit(
            kind="title" if candidate.kind == TITLE else "message",
            conversation_id=candidate.conversation_id,
            title=titles[candidate.conversation_id],
            message_id=None if candidate.kind == TITLE else candidate.id,
            role={USER: "user", ASSISTANT: "assistant"}.get(candidate.kind),
            at=candidate.at,
            model=candidate.model,
            outcome=candidate.outcome,
            excerpt=excerpt,
            rank=candidate.rank / 1000,
        )
        for candidate, excerpt in zip(page, shown, strict=True)
    )


def _text_of(event: e.VerbatimEvent) -> str:
    if isinstance(event, e.MessageImported):
        return storable(text_of_imported(event.content))
    if not isinstance(event, e.UserMessageSent | e.ReplyRecorded):
        raise TypeError(f"{type(event).__name__} holds no message's text; rebuild the read model search.")
    return storable(event.content)
