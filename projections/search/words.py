"""What counts as a word: how texts are cut into words, and how a word is folded so that its spellings are one.

Texts and questions go through here alike, so they cannot disagree. Pure: knows neither events nor tables.
Languages without blanks (Chinese, Japanese, Thai …) give one word for each character; what was one word to
whoever searches is then a phrase of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

LONGEST_WORD: Final = 64
"""In characters. Only the beginning of longer ones (addresses, encoded data) is kept, here and in questions."""

_SPACELESS_RANGES: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Korean: particles are written onto words, so syllables are found one by one
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Japanese syllables
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Chinese characters
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
# Marks that spellings differ by: accents, Hebrew points, Arabic vowels. Those of Indian and Japanese
# writing make other letters and stay.
_SPELLING_MARKS: Final = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0640\u064b-\u065f\u0670]")
_OTHER_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t"}
)
_PLAIN_WORD: Final = re.compile("[0-9a-z]+")
# Letters beyond these planes are not in use.
_LAST_WITH_LETTERS: Final = 0x323AF


def words_of(text: str) -> Iterator[re.Match[str]]:
    """The words of a text as they stand there, in order."""
    return _word_pattern().finditer(text)


def different_words(text: str) -> set[str]:
    """The words of a text as they stand there, each once."""
    return set(_word_pattern().findall(text))


def fold(word: str) -> tuple[str, ...]:
    """The spelling under which a word is kept: Straße is strasse, É is e. A few signs give several words, or none."""
    if word.isascii():
        return (word.lower()[:LONGEST_WORD],) if word else ()
    folded = _fold_text(word)
    if _PLAIN_WORD.fullmatch(folded):
        return (folded[:LONGEST_WORD],)
    return tuple(part[:LONGEST_WORD] for part in _word_pattern().findall(folded))


def folded_words(text: str) -> list[str]:
    """Every word of a text, folded, in order."""
    if text.isascii():
        return [word[:LONGEST_WORD] for word in _PLAIN_WORD.findall(text.lower())]
    return [part for word in _word_pattern().findall(text) for part in fold(word)]


def spelling(word: str) -> str:
    """A word in lower case with its accents, as rules of grammar want it."""
    return word.lower() if word.isascii() else unicodedata.normalize("NFC", word.casefold())


def is_spaceless(word: str) -> bool:
    """Whether a word is one character of a writing without blanks."""
    return bool(word) and _in_spaceless(ord(word[0]))


def _fold_text(text: str) -> str:
    taken_apart = unicodedata.normalize("NFKD", text.casefold())
    bare = _SPELLING_MARKS.sub("", taken_apart).translate(_OTHER_LETTERS)
    # Taking apart may bring new capitals, as with the signs for units.
    return unicodedata.normalize("NFC", bare.casefold())


def _in_spaceless(code: int) -> bool:
    return any(first <= code <= last for first, last in _SPACELESS_RANGES)


@cache
def _word_pattern() -> re.Pattern[str]:
    """Letters, digits and marks in a row; in writing without blanks each letter with its marks."""
    spaced: list[int] = []
    spaceless: list[int] = []
    marks: list[int] = []
    for code in range(_LAST_WITH_LETTERS + 1):
        kind = unicodedata.category(chr(code))[0]
        if kind == "M":
            marks.append(code)
        if kind not in "LNM":
            continue
        (spaceless if _in_spaceless(code) else spaced).append(code)
    one = f"[{_ranges(spaceless)}][{_ranges(marks)}]*"
    return re.compile(f"[{_ranges(spaced)}]+|{one}")


def _ranges(codes: list[int]) -> str:
    """The inside of a character class that holds these code points, which ascend."""
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs)
