"""Branches as a person meets them: other versions of a message, going on, links to a branch, forks."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Locator, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat, recorded_reply, rows_of
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner

LONG = "\n\n".join(f"Paragraph {number} of a long reply." for number in range(1, 31))


def replies(*texts: str) -> list[Script]:
    return [Script().headers().text(text).complete() for text in texts]


def version(chat: Chat, words: str) -> Locator:
    return chat.page.get_by_role("group", name=words, exact=True)


def top(locator: Locator) -> float:
    value: float = locator.evaluate("e => e.getBoundingClientRect().top")
    return value


def edit(chat: Chat, message: Locator, text: str) -> None:
    message.hover()
    message.get_by_role("button", name="Edit", exact=True).click()
    area = message.get_by_role("textbox")
    expect(area).to_be_focused()
    area.fill(text)
    area.press("Enter")


def choose(chat: Chat, article: Locator, *names: str) -> None:
    """Open a message's menu and choose."""
    article.hover()
    article.get_by_role("button", name="More", exact=True).click()
    for name in names:
        chat.page.get_by_role("menuitem", name=name, exact=True).click()


def test_an_edited_message_is_another_version_and_the_first_one_stays(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    runner.play(*replies("First answer.", "Second answer."))
    chat.say_and_read("First question")
    edit(chat, chat.own.first, "Second question")
    expect(chat.reply_text).to_have_text("Second answer.")
    expect(version(chat, "Version 2 of 2")).to_be_visible()
    assert not chat.focus_is_lost()

    chat.page.get_by_role("button", name="Previous version").click()
    expect(chat.own.first).to_contain_text("First question")
    expect(chat.reply_text).to_have_text("First answer.")
    expect(version(chat, "Version 1 of 2")).to_be_visible()
    expect(chat.page.get_by_role("button", name="Previous version")).to_be_focused()
    expect(chat.page.get_by_role("button", name="Previous version")).to_be_disabled()
    assert [row["content"] for row in rows_of(person, chat.conversation_id)] == [
        "First question",
        "First answer.",
    ]

    chat.page.reload()
    expect(chat.reply_text).to_have_text("First answer.")


def test_escape_gives_up_an_edit_and_the_focus_goes_back_to_its_button(
    chat: Chat, runner: HoldingRunner
) -> None:
    runner.play(*replies("An answer."))
    chat.say_and_read("A question")
    with chat.requests("POST", "/edit/") as sent:
        chat.own.first.hover()
        chat.own.first.get_by_role("button", name="Edit", exact=True).click()
        chat.own.first.get_by_role("textbox").fill("Never mind")
        chat.page.keyboard.press("Escape")
        expect(chat.own.first).to_contain_text("A question")
        expect(chat.own.first.get_by_role("button", name="Edit", exact=True)).to_be_focused()
    assert sent == []


def test_another_version_of_a_reply_appears_where_the_first_one_was(
    chat: Chat, runner: HoldingRunner
) -> None:
    runner.play(*replies(LONG, LONG, "Short.", "After it."))
    chat.say_and_read("A first question")
    chat.say_and_read("A question")
    chat.replies.last.get_by_role("button", name="Regenerate", exact=True).click()
    expect(chat.replies.last).to_contain_text("Short.")
    expect(chat.send).to_be_visible()
    chat.say_and_read("More")
    for name, shown, count in (("Previous version", LONG[-20:], 2), ("Next version", "Short.", 3)):
        button = chat.page.get_by_role("button", name=name)
        button.focus()
        before = top(chat.replies.nth(1))
        if name == "Next version":
            before = top(button)  # the first line of the long reply is out of view here
        button.press("Enter")
        expect(chat.replies).to_have_count(count)
        expect(chat.replies.nth(1)).to_contain_text(shown)
        expect(button).to_be_focused()
        chat.page.wait_for_timeout(300)
        assert abs((top(button) if name == "Next version" else top(chat.replies.nth(1))) - before) <= 2


def test_a_shorter_version_appears_where_the_longer_one_was(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(*replies(LONG, LONG, "Short.", LONG))
    chat.say_and_read("A first question")
    chat.say_and_read("A question")
    chat.replies.last.get_by_role("button", name="Regenerate", exact=True).click()
    expect(chat.reply_text).to_have_text("Short.")
    expect(chat.send).to_be_visible()
    chat.page.get_by_role("button", name="Previous version").click()
    expect(chat.replies.last).to_contain_text(LONG[-20:])
    button = chat.page.get_by_role("button", name="Next version")
    button.focus()
    chat.page.wait_for_timeout(200)
    before = top(button)
    button.press("Enter")
    expect(chat.reply_text).to_have_text("Short.")
    chat.page.wait_for_timeout(300)
    assert abs(top(button) - before) <= 2
    chat.say("More")
    expect(chat.replies.last).to_contain_text(LONG[-20:])
    assert chat.distance_from_end() <= 2


def test_a_stopped_reply_goes_on_in_the_same_place(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    runner.play(Script().headers().text("Half a sen").hold())
    chat.say("A question")
    expect(chat.reply_text).to_have_text("Half a sen")
    chat.stop.click()
    runner.play(Script().headers().text("tence, and the rest.").complete())
    chat.page.get_by_role("button", name="Continue", exact=True).click()
    recorded_reply(person, chat.conversation_id)
    rows = rows_of(person, chat.conversation_id)
    if rows[-1]["continues"] is None:
        expect(chat.own).to_have_count(2)
        expect(chat.replies).to_have_count(2)
    else:
        expect(chat.replies).to_have_count(1)
        expect(chat.reply_text).to_have_text("Half a sentence, and the rest.")


def test_the_address_of_a_branch_shows_it_without_selecting_it(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    runner.play(*replies("First answer.", "Second answer.", "Third answer."))
    chat.say_and_read("A question")
    first = rows_of(person, chat.conversation_id)[-1]["id"]
    chat.replies.last.get_by_role("button", name="Regenerate", exact=True).click()
    expect(chat.reply_text).to_have_text("Second answer.")
    expect(chat.send).to_be_visible()

    chat.open(chat.conversation_id, f"?leaf={first}")
    expect(chat.reply_text).to_have_text("First answer.")
    expect(chat.page.get_by_role("button", name="Make this the selected branch")).to_be_visible()
    assert rows_of(person, chat.conversation_id)[-1]["content"] == "Second answer."

    chat.say("On this branch")
    expect(chat.reply_text).to_have_text("Third answer.")
    chat.wait_for_end(2)
    expect(chat.page).not_to_have_url(re.compile("leaf="))
    texts = [row["content"] for row in rows_of(person, chat.conversation_id)]
    assert texts == ["A question", "First answer.", "On this branch", "Third answer."]


def test_the_address_of_a_message_goes_to_it_and_gives_it_the_focus(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    runner.always(Script().headers().text(LONG).complete())
    conversation = person.start_conversation(title="Long")["id"]
    for number in range(6):
        person.say(conversation, f"Question {number}")
    target = rows_of(person, conversation)[2]["id"]
    chat.open(conversation, f"?message={target}")
    article = chat.own.filter(has_text="Question 1")
    expect(article).to_be_in_viewport()
    expect(article).to_be_focused()


def test_a_branch_can_be_hidden_and_that_can_be_undone(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(*replies("First answer.", "Second answer."))
    chat.say_and_read("A question")
    chat.replies.last.get_by_role("button", name="Regenerate", exact=True).click()
    expect(chat.reply_text).to_have_text("Second answer.")
    expect(chat.send).to_be_visible()
    choose(chat, chat.replies.last, "Hide this branch")
    expect(chat.reply_text).to_have_text("First answer.")
    chat.page.get_by_role("button", name="Undo").click()
    expect(chat.reply_text).to_have_text("Second answer.")


def test_a_fork_says_where_it_comes_from_and_leads_there(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(*replies("First answer.", "Second answer.", "Own answer."))
    chat.say_and_read("First question")
    chat.say_and_read("Second question")
    source = chat.conversation_id
    choose(chat, chat.replies.first, "Fork from here")
    expect(chat.page).not_to_have_url(re.compile(source))
    expect(chat.page.get_by_text(re.compile("^Continues"))).to_contain_text("at message 2")
    chat.say_and_read("Own question")
    expect(chat.own).to_have_count(2)
    chat.page.get_by_role("link", name=re.compile("First question")).last.click()
    expect(chat.page).to_have_url(re.compile(f"{source}.*message="))
    expect(chat.own).to_have_count(2)


def test_another_tab_does_not_move_one_that_looks_at_a_branch(
    chat: Chat, runner: HoldingRunner, person: ApiClient, logged_in: BrowserContext
) -> None:
    runner.play(*replies("First answer.", "Second answer."))
    chat.say_and_read("A question")
    first = rows_of(person, chat.conversation_id)[-1]["id"]
    looking = Chat(logged_in.new_page())
    looking.open(chat.conversation_id, f"?leaf={first}")
    expect(looking.reply_text).to_have_text("First answer.")
    chat.replies.last.get_by_role("button", name="Regenerate", exact=True).click()
    expect(chat.reply_text).to_have_text("Second answer.")
    expect(version(looking, "Version 1 of 2")).to_be_visible()
    expect(looking.reply_text).to_have_text("First answer.")
