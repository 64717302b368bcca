"""What a term matches: said to the index, counted in a row's words, and told of a single word of a text.

All three must agree, so they are side by side here. Words hold only letters, digits and marks, so nothing
in them needs quoting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from projections.search.kinds import ALL_KINDS, KIND_SIGNS
from projections.search.languages import OF_LATIN_WRITING, OF_OTHER_WRITING, language_of_word
from projections.search.query_language import SearchQuery, Term
from projections.search.stems import SHORTEST_INFLECTED, Inflected, stems_of

_MOST_INFLECTED_TERMS: Final = 12
"""A question of more words is a quotation: its other words are looked for as they stand."""
_OTHER_FORM: Final = 0.5
_OUT_OF_SIGHT: Final = 0.3
_USUAL_LENGTH: Final = 100


@dataclass(frozen=True)
class Wanted:
    """A term with the stems under which its other forms are found, by language."""

    term: Term
    stems: tuple[tuple[str, str], ...] = ()

    @property
    def is_phrase(self) -> bool:
        return len(self.term.words) > 1

    @property
    def as_text(self) -> str:
        """What a phrase looks like among a row's words, which have a blank on each side."""
        return " " + " ".join(self.term.words) + ("" if self.term.prefix else " ")


def with_stems(terms: Sequence[Term]) -> list[Wanted]:
    """The terms, each with its stem in every language in which it may be a word."""
    asked = {term: _readings(term) for term in terms[:_MOST_INFLECTED_TERMS]}
    stems = stems_of({word for words in asked.values() for word in words})
    return [
        Wanted(term, tuple((word.language, stems[word]) for word in asked.get(term, ()) if stems[word] != ""))
        for term in terms
    ]


def _readings(term: Term) -> tuple[Inflected, ...]:
    if not term.spelling or len(term.words[0]) < SHORTEST_INFLECTED:
        return ()
    own = language_of_word(term.words[0], OF_LATIN_WRITING[0])
    if own is None:
        return ()
    languages = (own,) if own in OF_OTHER_WRITING else OF_LATIN_WRITING
    return tuple(Inflected(language, term.spelling) for language in languages)


# ---- said to the index ----------------------------------------------------------------------


def tsquery(query: SearchQuery, wanted: Iterable[Wanted], owner_id: UUID) -> str:
    """The question in PostgreSQL's notation. Phrases are asked for as words; their order is for the caller to check."""
    tag = str(owner_id)[:6]

    def lexeme(text: str) -> str:
        return f"'{tag}{text}'"

    def any_of(parts: Iterable[str]) -> str:
        return "(" + " | ".join(parts) + ")"

    def told(one: Wanted) -> str:
        *first, last = one.term.words
        ends = [lexeme(last) + (":*" if one.term.prefix else "")]
        for language, stem in one.stems:
            ends.append(lexeme(f"{language}={stem}"))
            if stem != last:
                own = "" if language in OF_OTHER_WRITING else f" & {lexeme('@' + language)}"
                ends.append(f"({lexeme(stem)}{own})")
        return " & ".join([*map(lexeme, first), any_of(ends)])

    parts = [told(one) for one in wanted]
    if not parts or query.kinds != ALL_KINDS:
        parts.append(any_of(lexeme(KIND_SIGNS[kind]) for kind in sorted(query.kinds)))
    for term in query.excluded:
        if len(term.words) == 1:
            parts.append(f"!{lexeme(term.words[0])}" + (":*" if term.prefix else ""))
    return " & ".join(parts)


# ---- counted in a row -----------------------------------------------------------------------


def rank_of(wanted: Sequence[Wanted], words: str, stems: str) -> int:
    """How well a row that matches does so, in thousandths: often, in few words, and as typed count more.

    words: the row's words, or the first thousands of characters of them.
    """
    if not wanted:
        return 0
    body, others = f" {words} ", f" {stems} "
    length = body.count(" ") - 1
    damping = 1.2 * (0.25 + 0.75 * length / _USUAL_LENGTH)
    total = 0.0
    for one in wanted:
        found = _occurrences(one, body, others) or _OUT_OF_SIGHT
        total += found / (found + damping)
    return round(1000 * total / len(wanted))


def _occurrences(one: Wanted, body: str, others: str) -> float:
    exact = body.count(" " + " ".join(one.term.words) + " ")
    found = float(exact)
    if one.term.prefix:
        found += _OTHER_FORM * (body.count(one.as_text) - exact)
    for language, stem in one.stems:
        if f" {language}={stem} " in others or (
            stem != one.term.words[-1]
            and f" {stem} " in body
            and (language in OF_OTHER_WRITING or f" @{language} " in others)
        ):
            return found + _OTHER_FORM
    return found


# ---- told of a text's own words -------------------------------------------------------------


def matches(one: Wanted, folded: str, stem: tuple[str, str] | None) -> bool:
    """Whether a word of a text is what a single-word term looks for. stem: the word's language and stem, if any."""
    word = one.term.words[0]
    return folded == word or (one.term.prefix and folded.startswith(word)) or stem in one.stems
