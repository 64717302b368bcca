"""Cutting texts into words, folding spellings, and guessing languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.search.languages import guess_language, language_of_word
from projections.search.words import (
    LONGEST_WORD,
    different_words,
    fold,
    folded_words,
    is_spaceless,
    spelling,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Café CAFÉ cafe", ["cafe"] * 3),
        ("Straße STRASSE strasse", ["strasse"] * 3),
        ("Łódź Ångström Øre Æsir", ["lodz", "angstrom", "ore", "aesir"]),
        ("İstanbul ısı", ["istanbul", "isi"]),
        ("don't foo_bar a/b.py v1.2", ["don", "t", "foo", "bar", "a", "b", "py", "v1", "2"]),
        ("МИР ёлка Ἀθῆναι", ["мир", "елка", "αθηναι"]),
        ("ﬁn ＡＢＣ x²", ["fin", "abc", "x2"]),
        ("東京に行く", ["東", "京", "に", "行", "く"]),
        ("がガ", ["が", "ガ"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("서울에서", ["서", "울", "에", "서"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("GPT4を使う", ["gpt4", "を", "使", "う"]),
        ("— … ¿? 🙂 __", []),
        ("", []),
    ],
)
def test_words_are_cut_and_folded(text: str, folded: list[str]) -> None:
    assert folded_words(text) == folded


def test_an_accent_written_as_a_sign_of_its_own_makes_no_difference() -> None:
    assert folded_words("cafe\u0301") == folded_words("caf\u00e9") == ["cafe"]
    assert spelling("CAFE\u0301") == "caf\u00e9"


def test_only_the_beginning_of_a_very_long_word_counts() -> None:
    assert folded_words("x" * 5000) == ["x" * LONGEST_WORD]
    assert folded_words("é" * 5000) == ["e" * LONGEST_WORD]


def test_writing_without_blanks_is_known_by_its_characters() -> None:
    assert all(map(is_spaceless, ["東", "が", "ส", "서"]))
    assert not any(map(is_spaceless, ["a", "é", "м", "हि", ""]))


@given(st.text())
def test_every_spelling_is_found_by_its_folded_form(text: str) -> None:
    folded = folded_words(text)

    assert folded_words(" ".join(folded)) == folded
    assert folded == [part for word in words_of(text) for part in fold(word.group())]
    assert {word.group() for word in words_of(text)} == different_words(text)
    assert all(text[word.start() : word.end()] == word.group() for word in words_of(text))
    assert all(part.isprintable() and len(part) <= LONGEST_WORD and " " not in part for part in folded)
    assert not set("".join(folded)) & set("'\\%_@=:*&|!()<>\"")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I bake bread without yeast, and what is it called?", "en"),
        ("Wie backe ich ein Brot ohne Hefe und wie nennt man das?", "de"),
        ("Comment est-ce que je fais du pain sans levure avec une machine ?", "fr"),
        ("¿Cómo hago el pan sin levadura y qué nombre tiene la masa?", "es"),
        ("Come faccio il pane con la pasta madre e che cosa è questa?", "it"),
        ("Como faço o pão sem fermento e quando é que você me diz isso?", "pt"),
        ("Hoe bak ik een brood en wat is het verschil met de winkel?", "nl"),
        ("Hur bakar jag ett bröd och vad är det som inte fungerar?", "sv"),
        ("Brot backen", None),
        ("", None),
        ("def main(argv): return argv[1:]", None),
        ("東京", None),
    ],
)
def test_the_small_words_tell_the_language(text: str, language: str | None) -> None:
    assert guess_language(folded_words(text)) == language


def test_other_letters_tell_the_language_of_each_word() -> None:
    assert language_of_word("дома", "en") == "ru"
    assert language_of_word("σπιτι", "en") == "el"
    assert language_of_word("haus", "de") == "de"
    assert language_of_word("v1", "de") is None
    assert language_of_word("東", "de") is None
