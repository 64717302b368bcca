"""A conversation is erased while it is on a screen: the words leave it at once, and everything else goes on."""

from __future__ import annotations

from playwright.sync_api import expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.ledger import Ledger
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner
from tests.support.stack import Stack

SECRET = "The quixotarium is open."


def erase(stack: Stack, conversation_id: str) -> None:
    done = stack.manage(
        "erase_conversation", conversation_id, "--reason", "asked for by its owner", "--by", "Ada", "--yes"
    )
    assert done.returncode == 0, done.stdout


def test_what_was_erased_leaves_every_screen(chat: Chat, runner: HoldingRunner, stack: Stack) -> None:
    runner.play(Script().text(SECRET).complete())
    chat.say_and_read("What is open?")
    expect(chat.replies).to_contain_text(SECRET)
    conversation_id = chat.conversation_id

    erase(stack, conversation_id)
    expect(chat.page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
    expect(chat.page.get_by_text("by Ada (asked for by its owner)")).to_be_visible()
    expect(chat.row("What is open?")).to_have_count(0)
    expect(chat.page.get_by_text("quixotarium")).to_have_count(0)

    ledger = Ledger(chat.page)
    ledger.open()
    expect(ledger.rows).to_have_count(1)
    expect(ledger.rows.first).to_contain_text("erased")
    ledger.rows.first.get_by_role("link").first.click()
    expect(chat.page.get_by_text("by Ada: asked for by its owner")).to_be_visible()
    expect(chat.page.get_by_role("button", name="Replay this call…")).to_have_count(0)
    expect(chat.page.get_by_text("quixotarium")).to_have_count(0)


def test_at_the_address_of_what_is_not_there_the_list_still_lives(
    chat: Chat, runner: HoldingRunner, stack: Stack, person: ApiClient
) -> None:
    runner.play(Script().text(SECRET).complete())
    chat.say_and_read("What is open?")
    gone = chat.conversation_id
    erase(stack, gone)
    for address in (gone, "00000000-0000-4000-8000-000000000000"):
        chat.page.goto(f"/c/{address}")
        expect(chat.page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
        # Longer than it takes until a lost connection is told.
        chat.page.wait_for_timeout(3_000)
        expect(chat.page.get_by_text("Reconnecting")).to_have_count(0)
        title = f"Begun elsewhere {address[:4]}"
        person.start_conversation(title=title)
        expect(chat.row(title)).to_be_visible()
