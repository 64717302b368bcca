"""The stems of words: running and runs are run. PostgreSQL's own dictionaries know them; this asks and remembers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from threading import Lock
from typing import Final, NamedTuple

from django.db import connection

from projections.search.languages import DICTIONARIES
from projections.search.words import fold

SHORTEST_INFLECTED: Final = 3
_REMEMBERED: Final = 100_000
_ASK: Final = (
    "SELECT language, word, ts_lexize(dictionary::regdictionary, word)"
    " FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked (language, dictionary, word)"
)


class Inflected(NamedTuple):
    """A word in lower case, with its accents, in one language."""

    language: str
    word: str


class _Memory:
    """The stems asked for last. Safe to share between threads; the same answers for ever."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._stems: OrderedDict[Inflected, str] = OrderedDict()
        self._lock = Lock()

    def find(self, words: Iterable[Inflected]) -> dict[Inflected, str]:
        with self._lock:
            found = {}
            for word in words:
                stem = self._stems.get(word)
                if stem is not None:
                    found[word] = stem
                    self._stems.move_to_end(word)
            return found

    def keep(self, stems: dict[Inflected, str]) -> None:
        with self._lock:
            self._stems.update(stems)
            while len(self._stems) > self._size:
                self._stems.popitem(last=False)


_memory = _Memory(_REMEMBERED)


def stems_of(words: Collection[Inflected]) -> dict[Inflected, str]:
    """The folded stem of each word; words without one, such as "the", have the empty text."""
    found = _memory.find(words)
    missing = [word for word in set(words) if word not in found]
    if missing:
        with connection.cursor() as cursor:
            cursor.execute(
                _ASK,
                [
                    [word.language for word in missing],
                    [DICTIONARIES[word.language] for word in missing],
                    [word.word for word in missing],
                ],
            )
            asked = {
                Inflected(language, word): _one(stems or []) for language, word, stems in cursor.fetchall()
            }
        _memory.keep(asked)
        found |= asked
    return found


def _one(stems: list[str]) -> str:
    folded = fold(stems[0]) if stems else ()
    return folded[0] if len(folded) == 1 else ""
