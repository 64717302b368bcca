"""What is typed into the search box, taken apart, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.search.kinds import ALL_KINDS, ASSISTANT, TITLE, USER
from projections.search.matching import Wanted, rank_of, tsquery
from projections.search.query_language import InvalidQuery, Term, parse_query

OWNER = UUID("abcdef00-0000-4000-8000-000000000001")


def test_all_words_are_looked_for_and_the_last_one_may_go_on() -> None:
    assert parse_query("Bread reci").terms == (
        Term(("bread",), False, "bread"),
        Term(("reci",), True, "reci"),
    )


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a", (Term(("a",), False, "a"),)),
        ("bak* bread.", (Term(("bak",), True), Term(("bread",), True, "bread"))),
        ('"Sour  dough"', (Term(("sour", "dough")),)),
        ('x "never closed', (Term(("x",), False, "x"), Term(("never", "closed")))),
        ("“smart quotes” „unten“", (Term(("smart", "quotes")), Term(("unten",)))),
        ("v1.2", (Term(("v1", "2"), False),)),
        ("foo_bar", (Term(("foo", "bar"), True),)),
        ("東京", (Term(("東", "京")),)),
        ("http://example.org", (Term(("http", "example", "org"), True),)),
        ("in: model: before", tuple(Term((w,), w == "before", w) for w in ("in", "model", "before"))),
        ("tea tea", (Term(("tea",), True, "tea"),)),
        ("Cafés x-ray", (Term(("cafes",), False, "cafés"), Term(("x", "ray"), True))),
    ],
)
def test_texts_become_terms(text: str, terms: tuple[Term, ...]) -> None:
    assert parse_query(text).terms == terms


def test_excluded_words_and_filters_are_told_from_the_words() -> None:
    query = parse_query(
        'Tea -coffee -"black tea" FROM:me In:messages model:"Qwen 2" after:2026-01-05 before:2026-02-01'
    )

    assert query.terms == (Term(("tea",), False, "tea"),)
    assert [term.words for term in query.excluded] == [("coffee",), ("black", "tea")]
    assert query.kinds == {USER}
    assert query.model == "Qwen 2"
    assert (query.since, query.until) == (datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("x", ALL_KINDS),
        ("in:all", ALL_KINDS),
        ("in:title", {TITLE}),
        ("in:titles", {TITLE}),
        ("in:messages", {USER, ASSISTANT}),
        ("from:user", {USER}),
        ("from:model", {ASSISTANT}),
        ("from:assistant in:messages", {ASSISTANT}),
        ("from:me in:title", set()),
    ],
)
def test_filters_choose_what_is_looked_at(text: str, kinds: set[str]) -> None:
    assert parse_query(text).kinds == kinds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least one word"),
        ("  ?! 🙂 ", "at least one word"),
        ("*", "at least one word"),
        ('""', "at least one word"),
        ("-tea", "besides those it excludes"),
        ("x" * 501, "Expected at most 500 characters, found 501"),
        ("in:drawer", "Expected one of in:title, .*; found in:drawer"),
        ("from:somebody", "Expected one of from:me, .*; found from:somebody"),
        ("before:yesterday", "Expected a day such as before:2026-01-31; found before:yesterday"),
        ("after:2026-02-30", "found after:2026-02-30"),
        ("after:20260101", "found after:20260101"),
        ("after:٢٠٢٦-٠١-٠١", "Expected a day"),
        ('model:""', "part of a model's name"),
        ("-from:me", "A filter cannot be excluded"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidQuery, match=why):
        parse_query(text)


@given(st.text(max_size=600))
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    try:
        query = parse_query(text)
    except InvalidQuery:
        return
    found = [*query.terms, *query.excluded]
    assert all(term.words and all(term.words) for term in found)


def test_a_question_to_the_index_names_the_owner_in_every_word() -> None:
    query = parse_query("tea -milk in:title")
    wanted = [Wanted(query.terms[0], (("de", "te"), ("ru", "чай")))]

    assert tsquery(query, wanted, OWNER) == (
        "('abcdeftea' | 'abcdefde=te' | ('abcdefte' & 'abcdef@de') | 'abcdefru=чай' | ('abcdefчай'))"
        " & ('abcdef@t') & !'abcdefmilk'"
    )


def test_more_of_a_word_in_fewer_words_ranks_higher_and_the_word_itself_above_its_other_forms() -> None:
    bake = [Wanted(Term(("bake",), False, "bake"), (("en", "bake"),))]

    often = rank_of(bake, "bake and bake", "@a @en")
    once = rank_of(bake, "bake and eat", "@a @en")
    diluted = rank_of(bake, "bake " + "and eat " * 200, "@a @en")
    other_form = rank_of(bake, "baking and eat", "@a @en en=bake")

    assert 1000 > often > once > diluted > 0
    assert once > other_form > 0
    assert rank_of([], "bake", "@a") == 0
