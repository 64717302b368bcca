"""How much JavaScript the first page takes: what is opened later is loaded later."""

from __future__ import annotations

import gzip
import re

from tests.browser.chat import Chat
from tests.support.stack import REPOSITORY

DIST = REPOSITORY / "frontend" / "dist"
SHELL_BYTES = 200_000
WITH_MARKDOWN_BYTES = 260_000
LOADED_FIRST = re.compile(r"(?:src|href)=\"/(assets/[^\"]+\.js)\"")


def gzipped(name: str) -> int:
    return len(gzip.compress((DIST / name).read_bytes(), 9))


def test_the_shell_and_the_renderer_are_within_their_budget(chat: Chat) -> None:
    first = set(LOADED_FIRST.findall((DIST / "index.html").read_text()))
    (markdown,) = (f"assets/{path.name}" for path in DIST.glob("assets/Markdown-*.js"))
    fetched = set(
        chat.page.evaluate(
            "performance.getEntriesByType('resource').map(e => new URL(e.name).pathname).filter(p => p.endsWith('.js')).map(p => p.slice(1))"
        )
    )
    assert fetched - first <= {markdown}, "nothing else is fetched for a new conversation"
    shell = sum(map(gzipped, first))
    assert shell <= SHELL_BYTES
    assert shell + gzipped(markdown) <= WITH_MARKDOWN_BYTES
