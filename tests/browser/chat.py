"""The chat page as a person meets it: what can be read and pressed, found by its role and its name.

Holds no assertion of its own beyond waiting for what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, Request, expect

from backend.model_runner.scripted import MODEL_ID
from tests.support.api_client import ApiClient, Json
from tests.support.stack import wait_until

REPLY_NAME = MODEL_ID
CONVERSATION_URL = re.compile(r"/c/([0-9a-f-]{36})")
DISTANCE_FROM_END = "e => e.scrollHeight - e.clientHeight - e.scrollTop"


class Chat:
    """One tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.message = page.get_by_role("textbox", name="Message", exact=True)
        self.send = page.get_by_role("button", name="Send", exact=True)
        self.stop = page.get_by_role("button", name="Stop", exact=True)
        self.new_chat = page.get_by_role("button", name="New chat", exact=True)
        self.retry = page.get_by_role("button", name="Retry")
        self.jump = page.get_by_role("button", name="Jump to latest")
        self.messages = page.get_by_role("region", name="Messages", exact=True)
        self.articles = page.get_by_role("article")
        self.own = page.get_by_role("article", name="You", exact=True)
        self.replies = page.get_by_role("article", name=REPLY_NAME, exact=True)
        self.conversations = page.get_by_role("region", name="Conversations", exact=True)
        self.status = page.get_by_role("status")
        self.dialog = page.get_by_role("dialog").or_(page.get_by_role("alertdialog"))

    # ---- doing ------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Write and send with Enter."""
        self.message.fill(text)
        self.message.press("Enter")

    def say_and_read(self, text: str) -> None:
        """Send and wait until the reply is there and complete."""
        before = self.replies.count()
        self.say(text)
        self.wait_for_end(before + 1)

    def wait_for_end(self, replies: int = 1) -> None:
        """Wait until there are so many replies and none is being written."""
        expect(self.replies).to_have_count(replies)
        expect(self.send).to_be_visible()

    def open(self, conversation_id: str, fragment: str = "") -> None:
        self.page.goto(f"/c/{conversation_id}{fragment}")
        self.articles.last.wait_for()

    def row(self, title: str) -> Locator:
        """A conversation's link in the list."""
        return self.conversations.get_by_role("link", name=title, exact=True)

    def act_on(self, title: str, action: str) -> None:
        """Choose an action from a conversation's menu."""
        self.row(title).hover()
        self.conversations.get_by_role("button", name=f"More actions for {title}", exact=True).click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()

    # ---- reading ----------------------------------------------------------------------------

    @property
    def conversation_id(self) -> str:
        self.page.wait_for_url(CONVERSATION_URL)
        found = CONVERSATION_URL.search(self.page.url)
        assert found
        return found.group(1)

    @property
    def reply_text(self) -> Locator:
        """The last reply's first paragraph: all there is of a reply without any Markdown."""
        return self.replies.last.get_by_role("paragraph").first

    def distance_from_end(self) -> float:
        distance: float = self.messages.evaluate(DISTANCE_FROM_END)
        return distance

    def scrolled(self) -> float:
        top: float = self.messages.evaluate("e => e.scrollTop")
        return top

    def can_scroll_by(self) -> float:
        height: float = self.messages.evaluate("e => e.scrollHeight - e.clientHeight")
        return height

    def is_sideways(self) -> bool:
        """Whether the page as a whole can be scrolled sideways."""
        sideways: bool = self.page.evaluate(
            "document.scrollingElement.scrollWidth > document.documentElement.clientWidth"
        )
        return sideways

    def focus_is_lost(self) -> bool:
        lost: bool = self.page.evaluate(
            "document.activeElement === null || document.activeElement === document.body"
        )
        return lost

    def until(self, condition: Callable[[], object], what: str, *, timeout_s: float = 15.0) -> None:
        """Like `wait_until`, while the page goes on."""

        def holds() -> object:
            # Playwright's events are only handled while it waits.
            self.page.wait_for_timeout(20)
            return condition()

        wait_until(holds, what, timeout_s=timeout_s)

    @contextmanager
    def requests(self, method: str, part: str) -> Iterator[list[Request]]:
        """The requests the page makes meanwhile."""
        seen: list[Request] = []

        def note(request: Request) -> None:
            if request.method == method and part in request.url:
                seen.append(request)

        self.page.on("request", note)
        try:
            yield seen
        finally:
            self.page.remove_listener("request", note)


def rows_of(person: ApiClient, conversation_id: str) -> list[Json]:
    """What the server holds of a conversation."""
    rows: list[Json] = person.get(f"/api/conversations/{conversation_id}/transcript/")["results"]
    return rows


def recorded_reply(person: ApiClient, conversation_id: str) -> Json:
    """The last reply as the server holds it, once it is no longer pending."""
    found: dict[str, Any] = {}

    def recorded() -> bool:
        rows = rows_of(person, conversation_id)
        if rows and rows[-1]["role"] == "assistant" and rows[-1]["outcome"] != "pending":
            found.update(rows[-1])
        return bool(found)

    wait_until(recorded, "the recorded reply")
    return found
