"""What somebody types into the search box, taken apart: words, "phrases", -words and filters.

Pure. Lenient where a guess is harmless (a quotation mark that is never closed), strict where a filter's
value makes no sense: a search that quietly ignores half of what was asked is worse than a refusal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from projections.search.kinds import ALL_KINDS, ASSISTANT, TITLE, USER
from projections.search.words import folded_words, is_spaceless, spelling, words_of

LONGEST_QUERY: Final = 500


_SHORTEST_UNASKED_PREFIX: Final = 2
_QUOTES: Final = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_PIECE: Final = re.compile(
    r"""(?P<minus>-)?(?:
        (?P<filter>in|from|model|before|after):(?:"(?P<quoted>[^"]*)(?:"|$)|(?P<value>[^\s"]+))
        | "(?P<phrase>[^"]*)(?:"|$)
        | (?P<word>[^\s"]+)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_PLACES: Final = {
    "title": frozenset({TITLE}),
    "titles": frozenset({TITLE}),
    "message": frozenset({USER, ASSISTANT}),
    "messages": frozenset({USER, ASSISTANT}),
    "all": ALL_KINDS,
}
_WRITERS: Final = {
    "me": frozenset({USER}),
    "user": frozenset({USER}),
    "model": frozenset({ASSISTANT}),
    "assistant": frozenset({ASSISTANT}),
}


class InvalidQuery(ValueError):
    """This is no question that can be answered; the text says why and what to write instead."""


@dataclass(frozen=True)
class Term:
    """Something to be found: one word, or several that follow each other.

    words: folded. prefix: the last one may go on. spelling: a single word as typed, in lower case, whose other
    forms are found as well; empty where only these very words are meant.
    """

    words: tuple[str, ...]
    prefix: bool = False
    spelling: str = ""


@dataclass(frozen=True)
class SearchQuery:
    """All terms must be found, and no excluded one. since: from this moment on; until: before this one."""

    terms: tuple[Term, ...]
    excluded: tuple[Term, ...] = ()
    kinds: frozenset[str] = ALL_KINDS
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def parse_query(text: str) -> SearchQuery:
    """Raises InvalidQuery for a text that is empty, too long, or has a filter that cannot be understood."""
    if len(text) > LONGEST_QUERY:
        raise InvalidQuery(
            f"Expected at most {LONGEST_QUERY} characters, found {len(text)}. Leave out the less telling words."
        )
    terms: dict[Term, None] = {}
    excluded: dict[Term, None] = {}
    filters: dict[str, str] = {}
    last: Term | None = None
    for piece in _PIECE.finditer(text.translate(_QUOTES)):
        name = (piece["filter"] or "").lower()
        if name:
            if piece["minus"]:
                raise InvalidQuery(
                    f"A filter cannot be excluded: -{name}: was found. Write {name}: without the - sign."
                )
            filters[name] = piece["quoted"] if piece["quoted"] is not None else piece["value"]
            last = None
            continue
        quoted = piece["phrase"] is not None
        term = _phrase(piece["phrase"]) if quoted else _word(piece["word"])
        if term is None:
            continue
        (excluded if piece["minus"] else terms)[term] = None
        last = None if piece["minus"] or quoted else term
    if not terms and not filters:
        what = "besides those it excludes" if excluded else "and no filter such as from:me"
        raise InvalidQuery(f"Expected at least one word to look for; this text holds none {what}.")
    return SearchQuery(
        terms=tuple(_open_ended(term) if term == last else term for term in terms),
        excluded=tuple(excluded),
        kinds=_choice("in", filters, _PLACES) & _choice("from", filters, _WRITERS),
        model=_model(filters),
        since=_day("after", filters),
        until=_day("before", filters),
    )


def _word(text: str) -> Term | None:
    """A word as typed. One that our cutting makes several of, such as v1.2, is a phrase of them."""
    prefix = text.endswith("*")
    words = tuple(folded_words(text))
    if not words:
        return None
    prefix = prefix and not is_spaceless(words[-1])
    single = spelling(next(words_of(text)).group()) if len(words) == 1 and not prefix else ""
    return Term(words, prefix, single)


def _phrase(text: str) -> Term | None:
    words = tuple(folded_words(text))
    return Term(words, text.endswith("*") and not is_spaceless(words[-1])) if words else None


def _open_ended(term: Term) -> Term:
    """The last word of a question is still being typed: it may go on."""
    last = term.words[-1]
    if is_spaceless(last) or len(last) < _SHORTEST_UNASKED_PREFIX:
        return term
    return Term(term.words, True, term.spelling)


def _choice(name: str, filters: dict[str, str], choices: dict[str, frozenset[str]]) -> frozenset[str]:
    value = filters.get(name)
    if value is None:
        return ALL_KINDS
    found = choices.get(value.lower())
    if found is None:
        known = ", ".join(f"{name}:{choice}" for choice in choices)
        raise InvalidQuery(f"Expected one of {known}; found {name}:{value[:40]}.")
    return found


def _model(filters: dict[str, str]) -> str | None:
    value = filters.get("model")
    if value is None:
        return None
    if not value.strip():
        raise InvalidQuery("Expected a part of a model's name after model:, as in model:qwen; found none.")
    return value.strip()


def _day(name: str, filters: dict[str, str]) -> datetime | None:
    value = filters.get(name)
    if value is None:
        return None
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError(value)
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    except ValueError:
        raise InvalidQuery(f"Expected a day such as {name}:2026-01-31; found {name}:{value[:40]}.") from None
