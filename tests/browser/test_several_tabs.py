"""What is done in one window is there in the others at once, without a reload: windows, devices, and a session that ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.conftest import Device
from tests.browser.test_settings import open_settings
from tests.support.api_client import PASSWORD, ApiClient
from tests.support.holding_runner import HoldingRunner

COMES_BACK = "document.dispatchEvent(new Event('visibilitychange', {bubbles: true}))"
STAYED = "Another branch was selected in another window. This one stays here."


@pytest.fixture
def other(person: ApiClient, base_url: str, device: Device, chat: Chat) -> Iterator[Chat]:
    """The same person on another device, with a session of its own."""
    with ApiClient(base_url) as elsewhere:
        elsewhere.log_in(person.email)
        yield device(elsewhere)


def test_a_conversation_begun_here_is_listed_read_and_gone_on_with_there(
    chat: Chat, other: Chat, runner: HoldingRunner
) -> None:
    runner.play(Script().words("First part,").hold().words(" second part.").complete())
    chat.say("Begun at the desk")
    other.conversations.get_by_role("link", name="Begun at the desk").click()
    expect(other.replies).to_contain_text("First part,")
    runner.let_go()
    for window in (chat, other):
        expect(window.reply_text).to_have_text("First part, second part.")
        expect(window.send).to_be_visible()
    other.say_and_read("Gone on with on the sofa")
    expect(chat.own.last).to_contain_text("Gone on with on the sofa")
    chat.wait_for_end(2)


def test_what_is_done_to_a_conversation_here_is_seen_there(
    chat: Chat, other: Chat, person: ApiClient
) -> None:
    conversation = person.start_conversation(title="Old name")["id"]
    person.say(conversation, "Hello")
    other.open(conversation)
    chat.act_on("Old name", "Rename")
    title = chat.page.get_by_role("textbox", name="Conversation title")
    title.fill("New name")
    title.press("Enter")
    expect(other.row("New name")).to_be_visible()
    expect(other.page.get_by_role("heading", name="New name", level=1)).to_be_visible()
    expect(other.page).to_have_title("New name · Verbatim")

    chat.act_on("New name", "Pin")
    expect(other.conversations.get_by_role("heading", name="Pinned")).to_be_visible()
    chat.act_on("New name", "Archive")
    expect(other.row("New name")).to_have_count(0)
    expect(other.own).to_contain_text("Hello")
    chat.page.get_by_role("button", name="Undo").last.click()
    expect(other.row("New name")).to_be_visible()

    chat.act_on("New name", "Delete")
    chat.dialog.get_by_role("button", name="Delete").click()
    expect(other.row("New name")).to_have_count(0)
    expect(other.page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
    chat.page.get_by_role("button", name="Undo").last.click()
    expect(other.row("New name")).to_be_visible()
    expect(other.own).to_contain_text("Hello")


def test_who_reads_one_branch_stays_there_when_another_is_selected_elsewhere_and_is_told(
    chat: Chat, other: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    first, second = (Script().words(f"{which} answer.").complete() for which in ("First", "Second"))
    runner.play(first, second)
    chat.say_and_read("A question")
    chat.replies.get_by_role("button", name="Regenerate", exact=True).click()
    expect(chat.reply_text).to_have_text("Second answer.")
    expect(chat.send).to_be_visible()
    other.open(chat.conversation_id)
    expect(other.reply_text).to_have_text("Second answer.")

    chat.page.get_by_role("button", name="Previous version").click()
    expect(chat.reply_text).to_have_text("First answer.")
    expect(chat.page.get_by_role("group", name="The branch on screen")).to_have_count(0)
    bar = other.page.get_by_role("group", name="The branch on screen")
    expect(bar).to_contain_text(STAYED)
    expect(other.status).to_have_text(STAYED)
    expect(other.reply_text).to_have_text("Second answer.")
    bar.get_by_role("button", name="Go to the selected branch").click()
    expect(other.reply_text).to_have_text("First answer.")
    expect(bar).to_have_count(0)

    chat.page.get_by_role("button", name="Next version").click()
    expect(bar).to_be_visible()
    chat.page.get_by_role("button", name="Previous version").click()
    expect(bar).to_have_count(0)
    expect(other.page).to_have_url(re.compile(rf"/c/{chat.conversation_id}$"))
    chat.page.get_by_role("button", name="Next version").click()
    bar.get_by_role("button", name="Make this the selected branch").click()
    expect(bar).to_have_count(0)
    expect(chat.page.get_by_role("group", name="The branch on screen")).to_be_visible()
    expect(chat.reply_text).to_have_text("Second answer.")


def test_settings_and_presets_made_here_are_there_too(chat: Chat, other: Chat, person: ApiClient) -> None:
    conversation = person.start_conversation(title="Settings")["id"]
    person.say(conversation, "Hello")
    for window in (chat, other):
        window.open(conversation)
    other.page.goto("/settings")
    expect(other.page.get_by_role("button", name="New preset…")).to_be_visible()
    open_settings(chat)
    chat.page.get_by_label("System prompt").fill("You are a pirate.")
    chat.page.get_by_role("button", name="Save settings").click()
    expect(chat.dialog).to_have_count(0)
    other.open(conversation)
    open_settings(other)
    expect(other.page.get_by_label("System prompt")).to_have_value("You are a pirate.")
    other.page.keyboard.press("Escape")
    expect(other.dialog).to_have_count(0)

    changed = {"system_prompt": "You are a sailor.", "title": "At sea"}
    person.command("PATCH", f"/api/conversations/{conversation}/", changed)
    expect(other.page.get_by_role("heading", name="At sea", level=1)).to_be_visible()
    open_settings(other)
    expect(other.page.get_by_label("System prompt")).to_have_value("You are a sailor.")

    other.page.goto("/settings")
    expect(other.page.get_by_role("button", name="New preset…")).to_be_visible()
    person.command("POST", "/api/presets/", {"name": "Brief", "system_prompt": "Be brief."}, status=201)
    other.page.evaluate(COMES_BACK)
    expect(other.page.get_by_text("Brief", exact=True)).to_be_visible()


def test_logging_out_in_one_window_ends_the_others_kindly_and_logging_in_brings_them_back(
    chat: Chat, other: Chat, logged_in: BrowserContext, person: ApiClient
) -> None:
    conversation = person.start_conversation(title="Private")["id"]
    person.say(conversation, "Something private")
    second = Chat(logged_in.new_page())
    second.open(conversation)
    second.message.fill("Not sent yet")
    chat.page.get_by_role("button", name=re.compile("^Account")).click()
    chat.page.get_by_role("menuitem", name="Log out").click()
    expect(chat.page.get_by_role("heading", name="Welcome back")).to_be_visible()

    expect(second.page.get_by_role("heading", name="Welcome back")).to_be_visible()
    expect(second.page.get_by_text("You logged out in another window.")).to_be_visible()
    expect(second.page.get_by_text("Something private")).to_have_count(0)
    other.open(conversation)
    expect(other.own).to_contain_text("Something private")

    chat.page.get_by_label("Email").fill(person.email)
    chat.page.get_by_label("Password", exact=True).fill(PASSWORD)
    chat.page.get_by_role("button", name="Log in", exact=True).click()
    expect(second.own).to_contain_text("Something private")
    expect(second.message).to_have_value("Not sent yet")
    chat.open(conversation)
    chat.say("Said after logging in again")
    expect(second.own.last).to_contain_text("Said after logging in again")
