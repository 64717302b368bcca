"""A text as the search table keeps it: its words, and what else it is found under.

Says the same of the same text at any time, which is what rebuilding rests on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from projections.search.languages import DEFAULT, guess_language, language_of_word
from projections.search.stems import SHORTEST_INFLECTED, Inflected, stems_of
from projections.search.words import different_words, fold, folded_words, spelling

# PostgreSQL keeps at most 1 MiB of different words for one row, and checks that for some functions only.
_WORDS_LIMIT_BYTES: Final = 500_000
_STEMS_LIMIT_BYTES: Final = 300_000
_OWNER_TAG_BYTES: Final = 6


@dataclass(frozen=True)
class Indexed:
    """See SearchRow for what the two hold."""

    words: str
    stems: str


@dataclass(frozen=True)
class TextToIndex:
    """kind_sign: @t, @u or @a. language: by whose rules its words are inflected."""

    text: str
    kind_sign: str
    language: str


def tell_language(text: str, language_before: str) -> tuple[str, bool]:
    """The language of a text, and whether the text itself told it; else that of what came before."""
    guessed = guess_language(folded_words(text[:4000]))
    return (guessed, True) if guessed is not None else (language_before or DEFAULT, False)


def index_texts(texts: Sequence[TextToIndex]) -> list[Indexed]:
    """One for each text, in order; both parts empty where a text holds no word."""
    kept = [_within(folded_words(item.text), _WORDS_LIMIT_BYTES) for item in texts]
    inflected = [
        inflected_words(item.text, item.language, frozenset(words))
        for item, words in zip(texts, kept, strict=True)
    ]
    stems = stems_of({word for words in inflected for word in words.values()})
    return [
        _indexed(item, words, {folded: (word.language, stems[word]) for folded, word in found.items()})
        for item, words, found in zip(texts, kept, inflected, strict=True)
    ]


def inflected_words(text: str, language: str, kept: Collection[str]) -> dict[str, Inflected]:
    """The words of a text that may have another stem, by their folded form. kept: those that are kept of it, folded.

    A text of many megabytes has more words than are kept; to ask for the stems of all would hold up everybody.
    """
    found: dict[str, Inflected] = {}
    # In one order for ever: of two spellings of one word, the first is asked about.
    for word in sorted(different_words(text)):
        for folded in fold(word):
            if len(folded) < SHORTEST_INFLECTED or folded in found or folded not in kept:
                continue
            rules = language_of_word(folded, language)
            if rules is not None:
                found[folded] = Inflected(rules, spelling(word))
    return found


def _indexed(item: TextToIndex, words: Sequence[str], stem_of: dict[str, tuple[str, str]]) -> Indexed:
    if not words:
        return Indexed("", "")
    other = sorted(
        {f"{language}={stem}" for folded, (language, stem) in stem_of.items() if stem not in ("", folded)}
    )
    stems = [item.kind_sign, f"@{item.language}", *_within(other, _STEMS_LIMIT_BYTES)]
    return Indexed(" ".join(words), " ".join(stems))


def _within(words: Iterable[str], limit_bytes: int) -> list[str]:
    """The words up to where different ones would take more than the limit."""
    kept: list[str] = []
    different: set[str] = set()
    size = 0
    for word in words:
        if word not in different:
            size += len(word.encode()) + _OWNER_TAG_BYTES
            if size > limit_bytes:
                break
            different.add(word)
        kept.append(word)
    return kept
