"""The ledger of model calls and the page of one call, as a person meets them. Holds no assertion of its own."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.support.holding_runner import HoldingRunner

CALL_URL = re.compile(r"/audit/calls/([0-9a-f-]{36})")


class Ledger:
    """One tab at the ledger, or at a call."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.table = page.get_by_role("table")
        self.rows = self.table.locator("tbody").get_by_role("row")
        self.cards = page.get_by_role("list", name="Model calls, newest first").get_by_role("listitem")
        self.more_filters = page.get_by_role("button", name="More filters")
        self.chips = page.get_by_role("list", name="Chosen filters").get_by_role("button")
        self.show_said = page.get_by_role("button", name="Show what was said")

    def open(self, query: str = "") -> None:
        self.page.goto(f"/audit/calls{query}")
        self.page.get_by_role("heading", name="Model calls", level=1).wait_for()

    def open_call(self, call_id: str) -> None:
        self.page.goto(f"/audit/calls/{call_id}")
        self.page.get_by_role("heading", level=1).wait_for()

    @property
    def call_id(self) -> str:
        self.page.wait_for_url(CALL_URL)
        found = CALL_URL.search(self.page.url)
        assert found
        return found.group(1)

    def link(self, row: int) -> Locator:
        return self.rows.nth(row).get_by_role("link")

    def outcomes(self) -> list[str]:
        words = ("Running", "Complete", "Cut off", "Stopped", "Interrupted", "Failed")
        texts = self.rows.all_inner_texts()
        return [next(word for word in words if word in text) for text in texts]

    def tab(self, name: str) -> Locator:
        """Open one of the parts of what was said."""
        self.page.get_by_role("tab", name=name, exact=True).click()
        return self.page.get_by_role("tabpanel", name=name, exact=True)


def three_calls(chat: Chat, runner: HoldingRunner) -> None:
    """One conversation with a call that is complete, one that failed, and one that was stopped."""
    runner.play(Script().text("It is **so**.").finish().usage(1234, 56).done())
    chat.say_and_read("Is it so?")
    runner.play(Script().respond(400, {"error": {"message": "that cannot be asked"}}))
    chat.say("And this?")
    expect(chat.replies.last).to_contain_text("that cannot be asked")
    runner.play(Script().text("As far as").hold().text(" never").complete())
    chat.say("How far?")
    expect(chat.replies.last).to_contain_text("As far as")
    chat.stop.click()
    expect(chat.replies.last).to_contain_text("Stopped")
