"""What a conversation is called: given by a person, else by a model, else by its first words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.titles import LENGTH, UNTITLED, first_words, title_from_model


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("\n\n  # Plan for *Tuesday*\nmore", "Plan for *Tuesday"),
        ("a\tb   c", "a b c"),
        ("   \n```\n\n", UNTITLED),
        ("word " * 40, "word word word word word word word word word word word word…"),
        ("x" * 200, "x" * (LENGTH - 1) + "…"),
        ("漢" * 100, "漢" * (LENGTH - 1) + "…"),
    ],
)
def test_the_first_words_of_a_message(content: str, title: str) -> None:
    assert first_words(content) == title


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("The Blue Sky", "The Blue Sky"),
        ('"The Blue Sky."', "The Blue Sky"),
        ("Title: **The Blue Sky**", "The Blue Sky"),
        ("\n\n# The Blue Sky\n\nThis title says it all.", "The Blue Sky"),
        ("<think>Hm, a title.\nYes.</think>\n\nThe Blue Sky", "The Blue Sky"),
        ("<think>I never came to an end", None),
        ("„Der blaue Himmel“", "Der blaue Himmel"),
        ("Titel: Der blaue Himmel", "Der blaue Himmel"),
        ("Is the sky blue?", "Is the sky blue?"),
        ("...", None),
        ("", None),
        ("You can use `my_list[::-1]` or `my_list.reverse()` to reverse a list in Python.", None),
    ],
)
def test_a_models_answer_is_tidied(answer: str, title: str | None) -> None:
    assert title_from_model(answer) == title


@given(st.text(max_size=300))
def test_a_title_is_one_short_line_that_is_not_empty(text: str) -> None:
    for title in (first_words(text), title_from_model(text)):
        if title is not None:
            assert 0 < len(title) <= LENGTH
            assert title == title.strip()
            assert len(title.splitlines()) == 1
