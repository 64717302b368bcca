"""Many conversations for measuring search: words as often as languages use them, the same in every run.

Writes events straight into a store's table, as appends would have, in batches; nothing else is touched.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final
from uuid import UUID

import psycopg

from backend.domain import events as e
from backend.domain.events import TokenUsage, VerbatimEvent
from backend.domain.prompt_request import PromptRequest
from backend.event_store.mapper import VerbatimMapper
from tests.support.facts import CORRELATION, Fact, as_events, fact

WORDS: Final = 30_000
_SMALL: Final = {
    "en": [
        "the",
        "of",
        "and",
        "to",
        "in",
        "a",
        "is",
        "that",
        "it",
        "for",
        "you",
        "was",
        "with",
        "on",
        "as",
        "are",
        "this",
        "be",
        "at",
        "or",
        "from",
        "have",
        "can",
        "not",
        "what",
    ],
    "de": [
        "der",
        "die",
        "und",
        "in",
        "das",
        "ist",
        "den",
        "von",
        "zu",
        "mit",
        "nicht",
        "ein",
        "es",
        "sich",
        "auf",
        "dem",
        "eine",
        "auch",
        "wie",
        "für",
        "wird",
        "aus",
    ],
}
_SYLLABLES: Final = [
    a + b for a in "bdfghklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "ing", "tion")
]
_MODELS: Final = ("small-1b-instruct", "medium-7b", "large-70b-chat")


class Corpus:
    """Conversations of one owner after another. words[language]: most frequent first."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.words = {language: [*small, *self._made_up()] for language, small in _SMALL.items()}
        self._shares = list(accumulate(1 / (rank + 2) for rank in range(WORDS)))
        self._began = datetime(2026, 1, 1, tzinfo=UTC)
        self.text_bytes = 0

    def text(self, language: str, words: int) -> str:
        """Sentences of this many words, by Zipf's law."""
        known, shares, chance = self.words[language], self._shares, self.random.random
        picked = [known[bisect(shares, chance() * shares[-1])] for _ in range(words)]
        for end in range(9, words, 10):
            picked[end] += "."
        return " ".join(picked)

    def conversation(self, owner_id: UUID, turns: int) -> Iterator[list[VerbatimEvent]]:
        """The events of one conversation, and then of each of its calls, stream by stream."""
        language = self.random.choice(["en", "en", "de"])
        conversation_id = self._id()
        own: list[Fact] = [
            fact(e.ConversationStarted, owner_id=owner_id, title=self._spoken(language, 4), forked_from=None)
        ]
        calls: list[list[VerbatimEvent]] = []
        parent: UUID | None = None
        for _ in range(turns):
            message, reply, call = self._id(), self._id(), self._id()
            own += [
                fact(
                    e.UserMessageSent,
                    message_id=message,
                    parent_id=parent,
                    content=self._spoken(language, self.random.randrange(5, 100)),
                ),
                fact(
                    e.ReplyRequested,
                    reply_id=reply,
                    parent_id=message,
                    call_id=call,
                    continues=None,
                    replay=None,
                ),
                fact(
                    e.ReplyRecorded,
                    reply_id=reply,
                    call_id=call,
                    content=self._spoken(language, self.random.randrange(50, 200)),
                    reasoning="",
                    tool_calls=[],
                    finish_reason="stop",
                    outcome="complete",
                    error=None,
                ),
            ]
            calls.append(self._call(call, owner_id, conversation_id, reply, version=len(own) - 1))
            parent = reply
        yield self._at_their_times(as_events(conversation_id, own))
        yield from calls

    def fill(self, database_url: str, owner_id: UUID, conversations: int, turns: int) -> int:
        """Store that many conversations; returns the highest position.

        In a store the events of a call lie between those of its conversation: requested after its reply
        was, ended after it was recorded. That order is kept here as far as projections rest on it.
        """
        mapper = VerbatimMapper()
        with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
            for _ in range(conversations):
                first, *others = self.conversation(owner_id, turns)
                ordered = [*first, *(event for events in others for event in events)]
                # psycopg's executemany would use the pipeline; COPY is quicker still.
                columns = "(originator_id, originator_version, topic, state)"
                with cursor.copy(f"COPY events {columns} FROM STDIN") as copy:
                    for event in ordered:
                        stored = mapper.to_stored_event(event)
                        self.text_bytes += len(getattr(event, "content", None) or "")
                        copy.write_row(
                            (stored.originator_id, stored.originator_version, stored.topic, stored.state)
                        )
            cursor.execute("SELECT max(notification_id) FROM events")
            row = cursor.fetchone()
            cursor.execute("NOTIFY events")
        assert row is not None
        return int(row[0])

    def _call(
        self, call_id: UUID, owner_id: UUID, conversation_id: UUID, reply_id: UUID, version: int
    ) -> list[VerbatimEvent]:
        model = self.random.choice(_MODELS)
        asked = PromptRequest(leaf_id=reply_id, version=version, model=model, params={})
        ended = dict.fromkeys(
            ("response_id", "response_model", "system_fingerprint", "error", "content"), None
        )
        return as_events(
            call_id,
            [
                fact(
                    e.ModelCallRequested,
                    owner_id=owner_id,
                    conversation_id=conversation_id,
                    reply_id=reply_id,
                    purpose="reply",
                    source="browser",
                    runner="made up",
                    prompt_request=asked,
                    body_sha256="0" * 64,
                    body_length=1,
                ),
                fact(e.ModelCallStarted, attempt=1, runner="made up", runner_version=None, worker="corpus"),
                fact(
                    e.ModelCallCompleted,
                    attempt=1,
                    final=True,
                    duration_ms=900,
                    first_token_ms=80,
                    chunk_count=100,
                    usage=TokenUsage(100, 150),
                    usage_source="runner",
                    finish_reason="stop",
                    delivered_characters=700,
                    **ended,
                ),
            ],
        )

    def _at_their_times(self, events: list[VerbatimEvent]) -> list[VerbatimEvent]:
        for event in events:
            self._began += timedelta(seconds=20)
            event.__dict__.update(timestamp=self._began, correlation_id=CORRELATION, event_id=self._id())
        return events

    def _spoken(self, language: str, words: int) -> str:
        return self.text(language, words)

    def _made_up(self) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < WORDS:
            found["".join(self.random.choice(_SYLLABLES) for _ in range(self.random.randrange(2, 5)))] = None
        return list(found)

    def _id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)
