"""What of a text is kept for searching, where a text is larger than what can be kept."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from projections.search import lexemes
from projections.search.lexemes import TextToIndex, index_texts
from projections.search.stems import Inflected


def test_only_words_that_are_kept_cost_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    def stems_of(words: Collection[Inflected]) -> dict[Inflected, str]:
        asked.update(word.word for word in words)
        return {word: word.word.removesuffix("ing") for word in words}

    monkeypatch.setattr(lexemes, "stems_of", stems_of)
    monkeypatch.setattr(lexemes, "_WORDS_LIMIT_BYTES", 40)
    text = "Running, Singing and running; " + " ".join(f"word{number}ing" for number in range(50_000))

    [indexed] = index_texts([TextToIndex(text, "@u", "en")])

    assert indexed.words == "running singing and running"
    assert asked == {"running", "singing", "and"}
    assert indexed.stems.split() == ["@u", "@en", "en=runn", "en=sing"]
