"""How a conversation is called: by its person, else by a model, else by its first words. Pure.

The words of a model are tidied here, because small ones answer with quotation marks, labels and explanations.
"""

from __future__ import annotations

import re
from typing import Final

UNTITLED: Final = "New conversation"
"""What a conversation is called while it has neither a title nor a message."""
LENGTH: Final = 60
_LABEL = re.compile(r"^(?:the\s+)?(?:title|titel|titre|título)\s*(?:is)?\s*[:=-]\s*", re.IGNORECASE)
_MARKS = "\"'`*_#“”„‚‘’«»‹› \t"
_END = ".,;:!-–— "
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)


def first_words(content: str) -> str:
    """The beginning of a message as a title: one line, at most LENGTH characters, cut between words."""
    for line in content.splitlines():
        text = " ".join(line.strip(_MARKS).split())
        if text:
            return _cut(text)
    return UNTITLED


def title_from_model(answer: str) -> str | None:
    """What a model gave when it was asked for a title, or None where nothing of it is one.

    A small model may go on with the conversation instead; a line too long for a title is none.
    """
    for line in _THOUGHTS.sub("", answer).splitlines():
        text = _LABEL.sub("", " ".join(line.strip(_MARKS).split())).strip(_MARKS).rstrip(_END).strip(_MARKS)
        if any(character.isalnum() for character in text):
            return text if len(text) <= LENGTH else None
    return None


def _cut(text: str) -> str:
    if len(text) <= LENGTH:
        return text
    # A language without spaces has no words to cut between.
    head, space, _ = text[:LENGTH].rpartition(" ")
    return (head.rstrip(_END) if space and len(head) > LENGTH // 2 else text[: LENGTH - 1]) + "…"
