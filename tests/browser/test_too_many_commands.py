"""Somebody sends more than the installation allows: they read that, and why, and lose nothing of what they wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, rows_of
from tests.support.api_client import ApiClient
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.stack import Stack, running_stack


@pytest.fixture
def strict(shared_runner: HoldingRunner) -> Iterator[Stack]:
    """Two messages at once: the first takes another command for its conversation. Then one more every 20 s."""
    settings = {"MODEL_RUNNER_URL": shared_runner.url, "MODEL_RUNNER_MODEL": MODEL_ID, "TITLES": "off"}
    with running_stack(**settings, COMMAND_RATE="3/m") as running:
        yield running


def test_a_message_too_many_stays_in_the_composer_and_is_sent_later(
    strict: Stack, runner: HoldingRunner, device: Callable[[ApiClient], Chat]
) -> None:
    with ApiClient(strict.url) as person:
        person.sign_up()
        chat = device(person)
        chat.say_and_read("One")
        chat.say("Two")
        chat.wait_for_end(2)

        chat.say("Three, which took a while to write")
        told = chat.page.get_by_role("alert").filter(has_text="Not sent.")
        expect(told).to_contain_text("more at a time than this installation allows one person")
        expect(told).to_contain_text("try again in")
        expect(chat.message).to_have_value("Three, which took a while to write")
        expect(chat.own).to_have_count(2)

        # The button counts down to when it will do.
        expect(chat.retry).to_be_disabled()
        expect(chat.retry).to_have_text("Retry", timeout=30_000)
        expect(chat.retry).to_be_enabled()
        chat.retry.click()
        chat.wait_for_end(3)
        expect(told).to_have_count(0)
        written = [row["content"] for row in rows_of(person, chat.conversation_id) if row["role"] == "user"]
        assert written == ["One", "Two", "Three, which took a while to write"]
