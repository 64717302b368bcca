"""What search finds, in whose conversations, in which order, and what it marks. On the real PostgreSQL."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain import commands as c
from projections.search import queries
from projections.search.projector import SearchProjector
from projections.search.queries import SearchHit, SearchPage, search
from projections.search.query_language import LONGEST_QUERY, InvalidQuery, parse_query
from projections.search.read_table import SearchRow
from projections.search.words import different_words, fold
from tests.integration.projections.stories import Story, all_events, apply, in_memory, put

FAR = 10**9


class Shelf:
    """Conversations of two people, written in memory and then put into the database."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self.store, self.story = in_memory(seed=1)
        self.me, self.other = self.story.owners
        self._stored = 0

    def talk(
        self, *texts: str, title: str = "New", owner: UUID | None = None, model: str | None = None
    ) -> UUID:
        """A conversation in which the texts are said in turn, first by the person; returns its id."""
        whose = owner or self.me
        story: Story = self.story
        conversation_id = UUID(story.run(c.StartConversation(owner_id=whose, title=title))["id"])
        for said, reply in zip(texts[::2], [*texts[1::2], None], strict=False):
            story.send(conversation_id, whose, said, model=model)
            if reply is not None:
                story.answer(story.calls[-1][0], reply)
        return conversation_id

    def project(self) -> None:
        """Into the store and the read model, what neither has yet."""
        everything = self.store.read_after(0, self.store.end())
        put(everything[self._stored :], self._url)
        apply(SearchProjector, all_events(self._url)[self._stored :])
        self._stored = len(everything)

    def find(self, text: str, **fields: object) -> SearchPage:
        self.project_if_needed()
        asked: dict[str, object] = {"owner_id": self.me, "newest": FAR, **fields}
        return search(query=parse_query(text), **asked)  # type: ignore[arg-type]

    def project_if_needed(self) -> None:
        if self._stored < len(self.store.read_after(0, self.store.end())):
            self.project()

    def excerpts(self, text: str, **fields: object) -> list[str]:
        return [hit.excerpt for hit in self.find(text, **fields).hits]


@pytest.fixture
def shelf(fresh_database: str) -> Shelf:
    return Shelf(fresh_database)


def marks(excerpt: str) -> list[str]:
    return [html.unescape(found) for found in re.findall("<mark>(.*?)</mark>", excerpt)]


@pytest.mark.parametrize(
    ("text", "asked", "marked"),
    [
        ("A walk to the Café on Main Street", "cafe", ["Café"]),
        ("A walk to the cafe on Main Street", "CAFÉ", ["cafe"]),
        ("Die Straße ist lang und nicht schön", "strasse", ["Straße"]),
        ("DIE STRASSE IST LANG", "straße", ["STRASSE"]),
        ("She was running with the dogs", "runs", ["running"]),
        ("She runs with the dogs", "running", ["runs"]),
        ("run", "running", ["run"]),
        ("Das Haus und die Häuser, nicht wahr?", "häuser", ["Haus", "Häuser"]),
        ("Das Haus und die Häuser, nicht wahr?", "hauses", ["Haus", "Häuser"]),
        ("Les chevaux sont dans le pré avec les chiens", "chien", ["chiens"]),
        ("Мы живём в домах", "домами", ["домах"]),
        ("I like strawberries and cream", "strawb", ["strawberries"]),
        ("I like strawberries and cream", "straw* cream", ["strawberries", "cream"]),
        ("東京に行きます", "東京", ["東京"]),
        ("東京に行きます", "行", ["行"]),
        ("今天北京天气很好", "天气", ["天气"]),
        ("สวัสดีครับ วันนี้อากาศดี", "อากาศ", ["อากาศ"]),
        ("서울에서 만나요", "서울", ["서울"]),
        ("to be or not to be", '"not to be"', ["not to be"]),
        ("the snake_case of foo_bar.py", "foo_bar", ["foo_bar"]),
        ("released as v1.2.3 today", "v1.2.3", ["v1.2.3"]),
        ("write to me@example.org please", "example.org", ["example.org"]),
        ("l’eau est bonne", "eau", ["eau"]),
        ("naïve\u0300 cafe\u0301", "café", ["cafe\u0301"]),
    ],
)
def test_a_text_is_found_and_exactly_what_was_meant_is_marked(
    shelf: Shelf, text: str, asked: str, marked: list[str]
) -> None:
    shelf.talk("Something else entirely", "Nothing of it")
    conversation_id = shelf.talk(text)

    (hit,) = shelf.find(asked).hits

    assert (hit.kind, hit.conversation_id, hit.role) == ("message", conversation_id, "user")
    assert marks(hit.excerpt) == marked


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("car", "cares"),
        ("the dog runs", '"running dog"'),
        ("not be to", '"to be"'),
        ("東西 京都", "東京"),
        ("stop", "stopper*"),
        ("tea with milk", "tea -milk"),
        ("black tea is good", 'tea -"black tea"'),
        ("teapot", "tea pot"),
    ],
)
def test_what_was_not_meant_is_not_found(shelf: Shelf, text: str, asked: str) -> None:
    shelf.talk(text)

    assert shelf.excerpts(asked) == []


def test_titles_and_messages_of_both_are_found_and_say_what_they_are(shelf: Shelf) -> None:
    conversation_id = shelf.talk(
        "Sourdough for me?", "Sourdough for you.", title="Sourdough", model="qwen-2.5"
    )

    hits = {hit.role or hit.kind: hit for hit in shelf.find("sourdough").hits}
    title, user, reply = hits["title"], hits["user"], hits["assistant"]

    assert (title.kind, title.message_id, title.role, title.model) == ("title", None, None, None)
    assert (title.title, title.conversation_id) == ("Sourdough", conversation_id)
    assert (user.kind, user.role, user.model, user.outcome) == ("message", "user", None, None)
    assert (reply.role, reply.model, reply.outcome) == ("assistant", "qwen-2.5", "complete")
    assert title.excerpt == "<mark>Sourdough</mark>"
    assert title.rank >= user.rank > 0
    assert {row.id for row in rows_of(shelf, conversation_id)} == {
        conversation_id,
        user.message_id,
        reply.message_id,
    }


def rows_of(shelf: Shelf, conversation_id: UUID) -> list[SearchRow]:
    shelf.project_if_needed()
    return list(SearchRow.objects.filter(conversation_id=conversation_id))


def test_filters_narrow_what_is_found(shelf: Shelf) -> None:
    tea = shelf.talk("tea one", "tea two", title="tea title", model="small-tea")
    shelf.talk("tea three", "tea four", title="Other", model="Large-Model")

    def roles(asked: str, **fields: object) -> list[str]:
        return sorted(hit.role or hit.kind for hit in shelf.find(asked, **fields).hits)

    assert roles("tea") == ["assistant", "assistant", "title", "user", "user"]
    assert roles("tea in:title") == ["title"]
    assert roles("tea in:messages") == ["assistant", "assistant", "user", "user"]
    assert roles("tea from:me") == ["user", "user"]
    assert roles("tea from:model") == ["assistant", "assistant"]
    assert roles("tea model:large") == ["assistant"]
    assert roles("tea model:%") == []
    assert roles("tea from:me in:title") == []
    assert roles("tea", conversation_id=tea) == ["assistant", "title", "user"]
    today = datetime.now(UTC).date()
    assert len(roles(f"tea after:{today - timedelta(days=1)}")) == 5
    assert roles(f"tea before:{today - timedelta(days=1)}") == []
    assert roles(f"tea after:{today + timedelta(days=1)}") == []


def test_filters_alone_give_the_newest_first_without_marks(shelf: Shelf) -> None:
    shelf.talk("one", "two", title="first")
    shelf.talk("three", "four", title="second")

    assert shelf.excerpts("in:all") == ["four", "three", "second", "two", "one", "first"]
    assert shelf.excerpts("from:me -one") == ["three"]
    assert {hit.rank for hit in shelf.find("in:all").hits} == {0.0}


def test_equal_ranks_show_titles_first_and_then_the_newer(shelf: Shelf) -> None:
    for _ in range(2):
        shelf.talk("tea tree", title="tea tree")

    found = [(hit.kind, hit.rank) for hit in shelf.find("tea").hits]

    assert [kind for kind, _ in found] == ["title", "title", "message", "message"]
    assert len({rank for _, rank in found}) == 1
    at = [hit.at for hit in shelf.find("tea").hits]
    assert at[0] > at[1]
    assert at[2] > at[3]


def test_somebody_elses_words_are_never_found(shelf: Shelf) -> None:
    theirs = shelf.talk("a secret", title="secret", owner=shelf.other)

    assert shelf.excerpts("secret") == []
    assert shelf.excerpts("secret", conversation_id=theirs) == []
    assert len(shelf.find("secret", owner_id=shelf.other).hits) == 2


def test_deleted_conversations_are_left_out_and_come_back_when_restored_archived_ones_stay(
    shelf: Shelf,
) -> None:
    gone, kept = shelf.talk("tea", title="x"), shelf.talk("tea", title="y")
    shelf.story.run(c.ChangeConversation(shelf.me, kept, archived=True))
    assert {hit.conversation_id for hit in shelf.find("tea").hits} == {gone, kept}

    shelf.story.run(c.DeleteConversation(shelf.me, gone))
    assert {hit.conversation_id for hit in shelf.find("tea").hits} == {kept}

    shelf.story.run(c.RestoreConversation(shelf.me, gone))
    assert {hit.conversation_id for hit in shelf.find("tea").hits} == {gone, kept}


def test_a_new_title_takes_the_place_of_the_old_one(shelf: Shelf) -> None:
    conversation_id = shelf.talk(title="Apples")
    assert shelf.excerpts("apples") == ["<mark>Apples</mark>"]

    shelf.story.run(c.ChangeConversation(shelf.me, conversation_id, title="Pears"))

    assert shelf.excerpts("apples") == []
    assert shelf.excerpts("pears") == ["<mark>Pears</mark>"]


def test_a_reply_is_found_once_it_is_recorded_also_on_a_branch_that_was_left(shelf: Shelf) -> None:
    conversation_id = shelf.talk("Tell me of the sea")
    assert shelf.excerpts("albatross") == []
    call_id, _ = shelf.story.calls[-1]
    shelf.story.answer(call_id, "The albatross flies far.")
    reply_id = shelf.store.read_call(call_id).reply_id
    assert reply_id is not None
    shelf.story.run(c.RegenerateReply(shelf.me, conversation_id, reply_id))

    assert [hit.message_id for hit in shelf.find("albatross").hits] == [reply_id]


def test_what_a_fork_inherits_is_found_once_where_it_was_written(shelf: Shelf) -> None:
    source = shelf.talk("The albatross", "flies far", title="Birds")
    message_id = next(row.id for row in rows_of(shelf, source) if row.kind == "assistant")
    fork = shelf.story.fork(source, shelf.me, message_id)
    shelf.story.send(fork, shelf.me, "And the penguin?")

    assert [hit.conversation_id for hit in shelf.find("albatross").hits] == [source]
    assert [hit.conversation_id for hit in shelf.find("penguin").hits] == [fork]


def test_texts_come_as_html_with_nothing_but_marks_in_it(shelf: Shelf) -> None:
    text = '<script>alert("tea")</script> & <b>tea</b>'
    shelf.talk(text, title="<mark>tea</mark>")

    found = {hit.kind: hit.excerpt for hit in shelf.find("tea").hits}

    assert found["title"] == "&lt;mark&gt;<mark>tea</mark>&lt;/mark&gt;"
    assert not re.search(r"<(?!/?mark>)", found["message"])
    assert html.unescape(re.sub("</?mark>", "", found["message"])) == text


def test_an_excerpt_of_a_long_text_is_short_and_holds_the_matches(shelf: Shelf) -> None:
    filler = "lorem ipsum\n dolor sit amet " * 3000
    shelf.talk(f"{filler} the first needle {filler} needle and haystack together {filler}")

    (needle,) = shelf.excerpts("needle")
    (both,) = shelf.excerpts("needle haystack")

    for excerpt in (needle, both):
        shown = html.unescape(re.sub("</?mark>", "", excerpt))
        assert len(shown) <= 240
        assert shown.startswith("…")
        assert shown.endswith("…")
        assert "\n" not in shown
    assert marks(needle) == ["needle"]
    assert marks(both) == ["needle", "haystack"]


def test_a_text_of_very_many_different_words_is_kept_and_found(shelf: Shelf) -> None:
    shelf.talk(" ".join(f"{number:x}q" for number in range(37_000)), "short")

    assert [marks(excerpt) for excerpt in shelf.excerpts("0q")] == [["0q"]]
    assert len(shelf.excerpts("from:me")) == 1


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "BLOCK", 7)
    monkeypatch.setattr(queries, "_FIRST_WINDOW", 5)
    monkeypatch.setattr(queries, "_WINDOW_GROWTH", 2)


@pytest.mark.usefixtures("small_blocks")
def test_pages_hold_every_match_once_forwards_and_backwards_whatever_is_written_meanwhile(
    shelf: Shelf,
) -> None:
    for number in range(12):
        shelf.talk("tea " * (number % 3 + 1), "other words", title=f"Number {number}")
    shelf.project()
    newest = max(row.position for row in SearchRow.objects.all())

    pages = [shelf.find("tea", newest=newest, limit=3)]
    while pages[-1].next is not None:
        shelf.talk("tea again")
        pages.append(shelf.find("tea", place=pages[-1].next, limit=3))

    seen = [hit.message_id for page in pages for hit in page.hits]
    assert len(seen) == len(set(seen)) == 12
    assert [len(page.hits) for page in pages] == [3, 3, 1, 3, 2]
    assert pages[0].previous is None
    back: list[tuple[SearchHit, ...]] = []
    place = pages[-1].previous
    while place is not None:
        page = shelf.find("tea", place=place, limit=3)
        back.append(page.hits)
        place = page.previous
    assert {hit.message_id for hits in back for hit in hits} == set(seen[:-2])
    assert len(shelf.find("tea", limit=3).hits) == 3


TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)
ASKED = st.one_of(
    st.text(max_size=LONGEST_QUERY),
    st.lists(
        st.sampled_from(
            ["tea", "-tea", '"', "te*", "in:title", "from:me", "model:'", "東京", "é", "\\", "%", "_", "&", "|", "!",
             "(", ":*", "'", "<->", "\x01", "\u0300", "ﷺ", "½", "in:messages", "-\"a b\"", "before:2026-01-01", "x" * 300]
        ),
        max_size=12,
    ).map(" ".join),
)  # fmt: skip


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=TEXTS, asked=ASKED)
def test_no_text_and_no_question_breaks_anything(shelf: Shelf, text: str, asked: str) -> None:
    if text.strip() and "\x00" not in text:
        shelf.talk(text, text)
    try:
        page = shelf.find(asked.replace("\x00", " "))
    except InvalidQuery:
        return
    for hit in page.hits:
        assert not re.search(r"<(?!/?mark>)", hit.excerpt)
        assert len(html.unescape(re.sub("</?mark>", "", hit.excerpt))) <= 240


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=TEXTS)
def test_every_text_is_found_by_each_of_its_words_as_typed(shelf: Shelf, text: str) -> None:
    words = [word for word in different_words(text) if fold(word) and len(word) < 60]
    if "\x00" in text or not words:
        return
    conversation_id = shelf.talk(text)
    for word in words[:4]:
        page = shelf.find(f'"{word}"', conversation_id=conversation_id)
        assert [len(marks(hit.excerpt)) > 0 for hit in page.hits] == [True], word
