"""When the model's context is full: the person is told what was left out, and offered a way out."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.test_branches import replies
from tests.support.holding_runner import HoldingRunner

OVERFLOW = {"error": {"code": 400, "type": "exceed_context_size_error", "message": "too many tokens"}}


def test_an_overflow_offers_to_retry_with_fewer_messages_and_says_what_was_left_out(
    chat: Chat, runner: HoldingRunner
) -> None:
    runner.play(*replies(*(f"Answer {number}." for number in range(4))))
    for number in range(4):
        chat.say(f"Question {number} with a few words to it")
        chat.wait_for_end(replies=number + 1)
    runner.play(Script().respond(400, OVERFLOW))
    chat.say("One too many")
    again = chat.page.get_by_role("button", name="Retry with fewer earlier messages")
    expect(again).to_be_visible()
    expect(chat.page.get_by_text("earlier messages were not sent")).to_have_count(0)
    runner.play(*replies("Now it fits."))
    again.click()
    expect(chat.page.get_by_role("article", name="scripted-model").last).to_contain_text("Now it fits.")
    left_out = chat.page.get_by_role("button", name=re.compile(r"\d+ earlier messages were not sent"))
    expect(left_out).to_be_visible()
    left_out.click()
    expect(chat.page.get_by_text("Identical to what was sent")).to_be_visible()
