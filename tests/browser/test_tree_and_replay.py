"""The tree, running a branch again, comparing two branches, and a conversation as it was."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.test_branches import edit, replies
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner


def tool(chat: Chat, name: str) -> None:
    chat.page.get_by_role("button", name="More about this conversation").click()
    chat.page.get_by_role("menuitem", name=name).click()


def two_branches(chat: Chat, runner: HoldingRunner) -> None:
    """A question and its edited version, each with an answer."""
    runner.play(*replies("The old answer stays here.", "The new answer stays here."))
    chat.say_and_read("First question")
    edit(chat, chat.own.first, "Second question")
    expect(chat.reply_text).to_have_text("The new answer stays here.")


def stored(person: ApiClient, conversation_id: str) -> int:
    return int(person.get(f"/api/conversations/{conversation_id}/")["version"])


def items(chat: Chat) -> Locator:
    return chat.page.get_by_role("treeitem")


@pytest.mark.parametrize("width", [1280, 360])
def test_the_tree_lists_every_message_and_opens_a_branch_by_keyboard(
    chat: Chat, runner: HoldingRunner, width: int
) -> None:
    two_branches(chat, runner)
    chat.page.set_viewport_size({"width": width, "height": 740})
    chat.page.get_by_role("button", name="Tree", exact=True).click()
    expect(chat.page.get_by_role("tree")).to_be_visible()
    expect(items(chat)).to_have_count(4)
    for words in ("First question", "old answer", "Second question", "new answer"):
        expect(items(chat).filter(has_text=words)).to_have_count(1)
    expect(items(chat).filter(has_text="selected branch ends here")).to_contain_text("new answer")
    chat.page.keyboard.press("Home")
    expect(items(chat).first).to_be_focused()
    chat.page.keyboard.press("ArrowDown")
    expect(items(chat).nth(1)).to_be_focused()
    expect(items(chat).nth(1)).to_contain_text("old answer")
    chat.page.keyboard.press("Enter")
    chat.page.keyboard.press("Escape")
    expect(chat.reply_text).to_have_text("The old answer stays here.")
    assert not chat.is_sideways()


def test_two_branches_are_compared_word_by_word(chat: Chat, runner: HoldingRunner) -> None:
    two_branches(chat, runner)
    tool(chat, "Compare branches")
    expect(chat.page.get_by_role("heading", name="Compare branches")).to_be_visible()
    turn = chat.page.get_by_role("region", name="Turn 1")
    expect(turn.get_by_role("group", name=re.compile("Left, reply"))).to_contain_text("answer stays here.")
    expect(turn.get_by_role("group", name=re.compile("Right, reply"))).to_contain_text("answer stays here.")
    marked = turn.locator("ins, del").filter(has_text=re.compile("old|new"))
    expect(marked).to_have_count(2)
    for place in range(2):
        line = marked.nth(place).evaluate("e => getComputedStyle(e).textDecorationLine")
        assert line in {"underline", "line-through"}, "marked by more than colour"
    expect(chat.page.get_by_text("Totals")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360])
def test_running_a_branch_again_makes_no_event_until_it_is_confirmed(
    chat: Chat, runner: HoldingRunner, person: ApiClient, width: int
) -> None:
    runner.play(*replies("One.", "Two."))
    chat.say_and_read("First question")
    chat.say("Second question")
    chat.wait_for_end(replies=2)
    chat.page.set_viewport_size({"width": width, "height": 740})
    before = stored(person, chat.conversation_id)
    tool(chat, "Run this branch again…")
    dialog = chat.page.get_by_role("dialog")
    expect(dialog.get_by_text("Makes 2 model calls as a new branch")).to_be_visible()
    expect(dialog.get_by_role("button", name="Run again")).to_be_disabled()
    dialog.get_by_label("System prompt").fill("Shout.")
    assert stored(person, chat.conversation_id) == before
    runner.play(*replies("ONE!", "TWO!"))
    dialog.get_by_role("button", name="Run again").click()
    bar = chat.page.get_by_role("region", name=re.compile("Replay on"))
    expect(bar).to_contain_text("2 turns")
    expect(bar.get_by_role("link", name="Compare with the original")).to_be_visible()
    expect(chat.reply_text.last).to_have_text("TWO!")
    assert stored(person, chat.conversation_id) > before
    assert not chat.is_sideways()
    chat.page.reload()
    expect(bar).to_contain_text("2 turns")
    bar.get_by_role("link", name="Compare with the original").click()
    expect(chat.page.get_by_role("region", name="Turn 2")).to_contain_text("TWO!")


def test_a_replay_that_stopped_says_why_and_is_resumed(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(*replies("One."))
    chat.say_and_read("First question")
    tool(chat, "Run this branch again…")
    chat.page.get_by_role("dialog").get_by_label("System prompt").fill("Shout.")
    runner.play(Script().respond(500, {"error": {"message": "out of memory"}}))
    chat.page.get_by_role("dialog").get_by_role("button", name="Run again").click()
    bar = chat.page.get_by_role("region", name=re.compile("Replay on"))
    expect(bar).to_contain_text("ended as failed")
    runner.play(*replies("ONE!"))
    bar.get_by_role("button", name="Resume").click()
    expect(chat.reply_text.last).to_have_text("ONE!")
    expect(bar.get_by_role("link", name="Compare with the original")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360])
def test_a_conversation_is_looked_at_as_it_was(chat: Chat, runner: HoldingRunner, width: int) -> None:
    two_branches(chat, runner)
    chat.page.set_viewport_size({"width": width, "height": 740})
    tool(chat, "History")
    slider = chat.page.get_by_role("slider")
    past = chat.page.get_by_role("region", name="Messages as they were")
    expect(past).to_contain_text("The new answer stays here.")
    slider.focus()
    slider.press("Home")
    expect(chat.page.get_by_text(re.compile(r"You are looking at version 1\b"))).to_be_visible()
    expect(past).not_to_contain_text("First question")
    for _ in range(5):
        slider.press("ArrowRight")
    expect(past).to_contain_text("The old answer stays here.")
    expect(past).not_to_contain_text("Second question")
    assert chat.page.url.endswith("/at/6")
    chat.page.get_by_role("link", name="Back to now").click()
    expect(chat.reply_text).to_have_text("The new answer stays here.")
    assert not chat.is_sideways()
