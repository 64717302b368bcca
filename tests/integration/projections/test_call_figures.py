"""The figures of all calls: what a look at every single call would find, and never less than before."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from backend.domain.events import ConversationErased
from backend.domain.outcomes import PENDING
from backend.event_store.store import PostgresEventStore
from projections.model_calls.counting import FIRST_TOKEN_BOUNDS_MS, RATE_BOUNDS, Changes
from projections.model_calls.figures import ENDED, FIRST_TOKEN, OTHER, RATE, Figure, figures
from projections.model_calls.projector import ModelCallsProjector
from projections.model_calls.read_table import CallFigureRow, ModelCallRow
from projections.tracking import wait_until
from tests.integration.projections.stories import Story, all_events, apply, told_in_memory
from tests.integration.projections.test_erasure import erase_some, finish_calls
from tests.integration.projections.workers import worker_thread

FILL: str = import_module("projections.migrations.0007_call_figures").FILL
NOW = datetime.now(UTC)


def told(*, models: int = 1000) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Calls and totals of each figure, by all that it is about."""
    return {
        (each.figure, each.runner, each.model, each.purpose, each.source, each.outcome, each.place): (
            each.calls,
            each.total,
        )
        for each in figures(models=models)
    }


def some_calls(count: int, seed: int = 1) -> list[ModelCallRow]:
    """Calls as the projector leaves them, with times and usages at and around every bound."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        bound = chance.choice(FIRST_TOKEN_BOUNDS_MS)
        first_token = chance.choice([None, 0, bound - 1, bound, bound + 1])
        writing = chance.choice([0, 1, 999, 1000, 7000])
        rows.append(
            ModelCallRow(
                id=uuid4(),
                owner_id=uuid4(),
                version=3,
                purpose=chance.choice(["reply", "title", "external"]),
                source=chance.choice(["browser", "openai"]),
                runner=chance.choice([None, "gpu"]),
                model=f"model {number % 3}",
                params={},
                conversation_version=1,
                builder="",
                serializer="",
                body_sha256="",
                body_length=0,
                requested_at=NOW,
                outcome=chance.choice([PENDING, "complete", "failed"]),
                prompt_tokens=chance.choice([None, 0, 12]),
                completion_tokens=chance.choice([None, 0, 1, 2, 8, 351, 10_001]),
                first_token_ms=first_token,
                duration_ms=chance.choice([None, (first_token or 0) + writing]),
            )
        )
    return rows


def counted(rows: list[ModelCallRow]) -> None:
    changes = Changes()
    for row in rows:
        changes.add(row)
    with transaction.atomic():
        changes.write()


@pytest.mark.usefixtures("fresh_database")
def test_they_say_what_a_look_at_every_call_says() -> None:
    rows = some_calls(600)
    counted(rows[:1])
    counted(rows[1:])
    ended = [row for row in rows if row.outcome != PENDING]
    found = figures(models=1000)

    def of(figure: str) -> list[Figure]:
        return [each for each in found if each.figure == figure]

    assert {
        (each.purpose, each.source, each.runner, each.model, each.outcome): each.calls for each in of(ENDED)
    } == Counter((row.purpose, row.source, row.runner or "", row.model, row.outcome) for row in ended)
    for figure in ("prompt_tokens", "completion_tokens"):
        assert sum(each.total for each in of(figure)) == sum(getattr(row, figure) or 0 for row in ended)
    times = [row.first_token_ms for row in ended if row.first_token_ms is not None]
    for place, bound in enumerate(FIRST_TOKEN_BOUNDS_MS):
        below = sum(each.calls for each in of(FIRST_TOKEN) if each.place <= place)
        assert below == sum(time <= bound for time in times), bound
    assert sum(each.total for each in of(FIRST_TOKEN)) == sum(times)
    rates = [
        1000 * (tokens - 1) / (duration - first)
        for row in ended
        for tokens, duration, first in [
            (row.completion_tokens or 0, row.duration_ms or 0, row.first_token_ms)
        ]
        if first is not None and tokens > 1 and duration > first
    ]
    for place, limit in enumerate(RATE_BOUNDS):
        below = sum(each.calls for each in of(RATE) if each.place <= place)
        assert below == sum(rate <= limit + 0.001 for rate in rates), limit
    assert sum(each.total for each in of(RATE)) / 1000 == pytest.approx(sum(rates), abs=0.001 * len(rates))


@pytest.mark.usefixtures("fresh_database")
def test_an_older_installation_begins_with_the_calls_it_has() -> None:
    rows = some_calls(600, seed=2)
    ModelCallRow.objects.bulk_create(rows)
    counted(rows)
    wanted = told()
    CallFigureRow.objects.all().delete()

    with connection.cursor() as cursor:
        cursor.execute(FILL)

    assert told() == wanted


@pytest.mark.usefixtures("fresh_database")
def test_after_a_long_story_they_are_what_its_calls_add_up_to() -> None:
    apply(ModelCallsProjector, told_in_memory(seed=5, steps=800))
    live = told()
    assert {figure for figure, *_ in live} >= {ENDED, "prompt_tokens", "completion_tokens", FIRST_TOKEN}
    CallFigureRow.objects.all().delete()

    counted(list(ModelCallRow.objects.all()))

    assert told() == live


def test_erasing_conversations_makes_no_figure_smaller(
    fresh_database: str, store: PostgresEventStore
) -> None:
    story = Story(store, seed=1)
    story.tell(200)
    finish_calls(story)
    with worker_thread(fresh_database):
        assert wait_until("model_calls", store.end(), timeout_s=30)
        before = told()
        assert erase_some(story, 4) == 4
        assert wait_until("model_calls", store.end(), timeout_s=30)
    erased = [e.event for e in all_events(fresh_database) if isinstance(e.event, ConversationErased)]
    assert any(event.calls for event in erased)
    assert told() == before


@pytest.mark.usefixtures("fresh_database")
def test_a_model_that_never_answered_does_not_push_out_one_that_did() -> None:
    rows = some_calls(40, seed=3)
    for number, row in enumerate(rows):
        row.outcome = "complete" if number < 10 else "failed"
        row.model = "used" if number < 4 else "seldom used" if number < 10 else f"mistyped {number % 3}"
    counted(rows)

    by_model = Counter[str]()
    for each in figures(models=2):
        if each.figure == ENDED:
            by_model[each.model] += each.calls

    assert by_model == {"used": 4, "seldom used": 6, OTHER: 30}
