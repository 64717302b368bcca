"""What can be found: titles of conversations, and messages by who wrote them."""

from __future__ import annotations

from typing import Final

TITLE: Final = "title"
USER: Final = "user"
ASSISTANT: Final = "assistant"
ALL_KINDS: Final = frozenset({TITLE, USER, ASSISTANT})
KIND_SIGNS: Final = {TITLE: "@t", USER: "@u", ASSISTANT: "@a"}
"""Under which sign each kind is found in the index."""
