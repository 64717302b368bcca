"""The part of a text that shows why it was found: a line around the matches, which are marked.

The result is HTML: everything of the text is escaped, and the only elements are <mark>.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Final

from projections.search.languages import language_of_word
from projections.search.matching import Wanted, matches
from projections.search.stems import SHORTEST_INFLECTED, Inflected, stems_of
from projections.search.words import different_words, fold, spelling, words_of

LONGEST_EXCERPT: Final = 240
"""In characters as they are read, without escapes and marks."""

_LEAD: Final = 60
_MATCHES_LOOKED_AT: Final = 20
_BEGINNING: Final = 20_000
_BLANKS: Final = re.compile(r"\s+")
_MORE: Final = "…"


@dataclass(frozen=True)
class Found:
    """A text that was found, and the language its words were kept under."""

    text: str
    language: str


@dataclass(frozen=True)
class _Match:
    start: int
    end: int
    term: int


@dataclass(frozen=True)
class _Told:
    """What a word as it stands in a text is to the question. terms: those single words that it is."""

    folded: tuple[str, ...]
    terms: tuple[int, ...]


def excerpts(found: Sequence[Found], wanted: Sequence[Wanted]) -> list[str]:
    """One for each text, in order."""
    beginnings = [Found(item.text[:_BEGINNING], item.language) for item in found]
    matches_of = _all_matches(beginnings, wanted)
    for number, item in enumerate(found):
        # Few texts are so long, and most of those tell early what they are about.
        if wanted and not matches_of[number] and len(item.text) > _BEGINNING:
            matches_of[number] = _all_matches([item], wanted)[0]
    return [_marked(item.text, own) for item, own in zip(found, matches_of, strict=True)]


def _all_matches(found: Sequence[Found], wanted: Sequence[Wanted]) -> list[list[_Match]]:
    if not wanted:
        return [[] for _ in found]
    different: dict[str, set[str]] = {}
    for item in found:
        different.setdefault(item.language, set()).update(different_words(item.text))
    told = {language: _told(words, language, wanted) for language, words in different.items()}
    return [
        list(islice(_matches(item.text, told[item.language], wanted), _MATCHES_LOOKED_AT)) for item in found
    ]


def _told(words: set[str], language: str, wanted: Sequence[Wanted]) -> dict[str, _Told]:
    """Each different word is looked at once, however often it stands in the texts."""
    folded = {word: fold(word) for word in words}
    # Inflection leaves the beginning of a word alone, so few stems are needed.
    beginnings = {
        text[:2] for one in wanted if one.stems for text in (one.term.words[0], *(s for _, s in one.stems))
    }
    inflected: dict[tuple[str, str], Inflected] = {}
    for word, parts in folded.items():
        for part in parts:
            if part[:2] in beginnings and len(part) >= SHORTEST_INFLECTED:
                rules = language_of_word(part, language)
                if rules is not None:
                    inflected[word, part] = Inflected(rules, spelling(word))
    stems = stems_of(set(inflected.values()))

    def is_one(one: Wanted, word: str, part: str) -> bool:
        asked = inflected.get((word, part))
        return matches(one, part, None if asked is None else (asked.language, stems[asked]))

    singles = [(number, one) for number, one in enumerate(wanted) if not one.is_phrase]
    return {
        word: _Told(
            parts,
            tuple(number for number, one in singles if any(is_one(one, word, part) for part in parts)),
        )
        for word, parts in folded.items()
    }


def _matches(text: str, told: dict[str, _Told], wanted: Sequence[Wanted]) -> Iterator[_Match]:
    """Where the text holds what was looked for, in order of the ends."""
    phrases = [(number, one) for number, one in enumerate(wanted) if one.is_phrase]
    longest = max((len(one.term.words) for _, one in phrases), default=0)
    recent: list[tuple[str, int]] = []
    for word in words_of(text):
        known = told[word.group()]
        for number in known.terms:
            yield _Match(word.start(), word.end(), number)
        if not phrases:
            continue
        for folded in known.folded:
            recent = [*recent[-(longest - 1) :], (folded, word.start())]
            for number, one in phrases:
                begun = _phrase_start(one, recent)
                if begun is not None:
                    yield _Match(begun, word.end(), number)


def _phrase_start(one: Wanted, recent: list[tuple[str, int]]) -> int | None:
    """Where a phrase begins that ends with the last of these words and their places, if one does."""
    length = len(one.term.words)
    *asked, asked_last = one.term.words
    last = recent[-1][0]
    if not (last.startswith(asked_last) if one.term.prefix else last == asked_last):
        return None
    if [folded for folded, _ in recent[-length:-1]] != asked:
        return None
    return recent[-length][1]


def _window(text: str, found: Sequence[_Match]) -> tuple[int, int]:
    """The part of the text to show: with as many different terms as possible, early rather than late."""
    room = LONGEST_EXCERPT - 2 * len(_MORE)
    if not found:
        return 0, min(len(text), room)
    ordered = sorted(found, key=lambda match: (match.start, match.end))

    def terms_from(index: int) -> int:
        reach = ordered[index].start + room - _LEAD
        return len({match.term for match in ordered[index:] if match.end <= reach})

    best = max(range(len(ordered)), key=lambda index: (terms_from(index), -index))
    start = max(0, ordered[best].start - _LEAD)
    end = min(len(text), start + room)
    start = max(0, min(start, end - room))
    return _at_a_blank(text, start, ordered[best].start), _end_at_a_blank(text, end, ordered[best].end)


def _at_a_blank(text: str, start: int, match_start: int) -> int:
    """A little later, so that no word is cut at the beginning."""
    if start == 0:
        return 0
    blank = _BLANKS.search(text, start, match_start)
    return blank.end() if blank is not None else start


def _end_at_a_blank(text: str, end: int, match_end: int) -> int:
    if end >= len(text):
        return len(text)
    for place in range(end, max(match_end, end - 30), -1):
        if text[place].isspace():
            return place
    return end


def _marked(text: str, found: Sequence[_Match]) -> str:
    start, end = _window(text, found)
    spans: list[list[int]] = []
    for match in sorted(found, key=lambda match: (match.start, match.end)):
        first, last = max(match.start, start), min(match.end, end)
        if first >= last:
            continue
        if spans and first <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], last)
        else:
            spans.append([first, last])
    parts, place = [_MORE if text[:start].strip() else ""], start
    for first, last in spans:
        parts += [_plain(text[place:first]), "<mark>", _plain(text[first:last]), "</mark>"]
        place = last
    parts += [_plain(text[place:end]), _MORE if text[end:].strip() else ""]
    return "".join(parts).strip()


def _plain(text: str) -> str:
    return escape(_BLANKS.sub(" ", text))
