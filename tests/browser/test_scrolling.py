"""Where the view stands: at the end while a reply grows, wherever the reader went otherwise."""

from __future__ import annotations

from functools import partial

import pytest
from playwright.sync_api import expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat, rows_of
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner

Y_OF = "e => e.getBoundingClientRect().y"
NOTE_WORST_DISTANCE = """e => {
  window.worst = 0;
  const look = () => {
    window.worst = Math.max(window.worst, e.scrollHeight - e.clientHeight - e.scrollTop);
    requestAnimationFrame(() => setTimeout(look));
  };
  look();
}"""
FIRST_IN_VIEW = """e => {
  const top = e.getBoundingClientRect().top;
  const first = [...e.querySelectorAll('[role=feed] > [id]')].find(m => m.getBoundingClientRect().bottom > top + 1);
  return {id: first.id, y: first.getBoundingClientRect().y};
}"""


def paragraphs(first: int, last: int) -> str:
    return "".join(f"Paragraph {number} of a long reply.\n\n" for number in range(first, last))


def long_reply() -> Script:
    """Higher than the page, then held; then more of it."""
    return (
        Script()
        .text(paragraphs(0, 30))
        .hold()
        .words(paragraphs(30, 60), delay_ms=2)
        .hold()
        .text("The very end.")
        .complete()
    )


def rests(seen: list[object], now: object, *, times: int) -> bool:
    """Whether the same was seen so many times in a row."""
    seen.append(now)
    return seen[-times:].count(now) == times


def has_moved(chat: Chat, before: object) -> bool:
    """Whether another message is the first in view, or there is nothing above."""
    return chat.scrolled() <= 0 or chat.messages.evaluate(FIRST_IN_VIEW) != before


def test_at_the_end_the_view_stays_there_while_the_text_grows(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(long_reply())
    chat.say("At length")
    expect(chat.replies).to_contain_text("Paragraph 29 ")
    chat.until(lambda: chat.distance_from_end() <= 2, "the view at the end")
    # Sampled after each painted frame: what a person could have seen.
    chat.messages.evaluate(NOTE_WORST_DISTANCE)
    runner.let_go()
    expect(chat.replies).to_contain_text("Paragraph 59 ")

    assert chat.page.evaluate("window.worst") <= 2
    assert chat.can_scroll_by() > 1000
    expect(chat.jump).to_have_count(0)


@pytest.mark.parametrize("way", ["wheel", "PageUp"])
def test_going_up_lets_go_at_once_and_jump_to_latest_holds_on_again(
    way: str, chat: Chat, runner: HoldingRunner
) -> None:
    runner.play(long_reply())
    chat.say("At length")
    expect(chat.replies).to_contain_text("Paragraph 29 ")
    chat.until(lambda: chat.distance_from_end() <= 2, "the view at the end")
    if way == "wheel":
        chat.messages.hover()
        chat.page.mouse.wheel(0, -120)
    else:
        chat.messages.focus()
        chat.page.keyboard.press("PageUp")
    chat.until(lambda: chat.distance_from_end() > 50, "the view to go up")
    expect(chat.jump).to_be_visible()
    still: list[object] = []
    chat.until(lambda: rests(still, chat.scrolled(), times=3), "the view to rest")
    mark = chat.replies.get_by_text("Paragraph 20 ")
    before = (chat.scrolled(), mark.evaluate(Y_OF))
    runner.let_go()
    expect(chat.replies).to_contain_text("Paragraph 59 ")
    assert (chat.scrolled(), mark.evaluate(Y_OF)) == pytest.approx(before, abs=2)

    chat.jump.click()
    chat.until(lambda: chat.distance_from_end() <= 2, "the view at the end")
    expect(chat.jump).to_have_count(0)
    runner.let_go()
    expect(chat.replies.get_by_text("The very end.")).to_be_in_viewport()
    assert not chat.focus_is_lost()


def test_sending_goes_to_the_end_again(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().text(paragraphs(0, 60)).complete())
    chat.say_and_read("At length")
    chat.messages.hover()
    chat.page.mouse.wheel(0, -800)
    expect(chat.jump).to_be_visible()
    chat.say_and_read("And now?")

    chat.until(lambda: chat.distance_from_end() <= 2, "the view at the end")
    expect(chat.own.last).to_be_in_viewport()
    expect(chat.jump).to_have_count(0)


@pytest.fixture
def long_conversation(person: ApiClient, runner: HoldingRunner) -> str:
    """More messages than the page fetches at once."""
    conversation: str = person.start_conversation(title="Long")["id"]
    runner.always(Script().text(paragraphs(0, 4)).complete())
    for number in range(32):
        person.say(conversation, f"Question {number}")
    return conversation


def test_a_long_conversation_opens_at_its_end_and_older_messages_come_without_a_jump(
    chat: Chat, long_conversation: str
) -> None:
    chat.open(long_conversation)
    expect(chat.own.get_by_text("Question 31", exact=True)).to_be_in_viewport()
    chat.until(lambda: chat.distance_from_end() <= 2, "the view at the end")

    with chat.requests("GET", "/transcript/") as fetched:
        chat.messages.hover()
        for _ in range(400):
            chat.page.mouse.wheel(0, -400)
            before = chat.messages.evaluate(FIRST_IN_VIEW)
            if fetched:
                break
            chat.page.wait_for_timeout(30)
        assert fetched, "older messages were asked for"
        still: list[object] = []
        chat.until(lambda: rests(still, chat.messages.evaluate(FIRST_IN_VIEW), times=5), "the view to rest")
    for _ in range(400):
        if chat.own.get_by_text("Question 0", exact=True).count():
            break
        before = chat.messages.evaluate(FIRST_IN_VIEW)
        chat.page.mouse.wheel(0, -200)
        chat.until(partial(has_moved, chat, before), "a move")
        after = chat.page.evaluate(
            f"document.getElementById('{before['id']}')?.getBoundingClientRect().y ?? null"
        )
        assert after is None or after - before["y"] <= 202, "the view moved by the wheel and by nothing else"
    expect(chat.own.get_by_text("Question 0", exact=True)).to_be_attached()
    assert chat.page.locator("body *").count() < 1500, "only what is near the view is in the page"


def test_an_address_with_a_message_opens_there(chat: Chat, person: ApiClient, runner: HoldingRunner) -> None:
    conversation = person.start_conversation(title="Anchors")["id"]
    runner.always(Script().text(paragraphs(0, 10)).complete())
    for number in range(6):
        person.say(conversation, f"Question {number}")
    wanted = next(row for row in rows_of(person, conversation) if row["content"] == "Question 2")
    chat.page.goto("/settings")
    chat.open(conversation, f"#{wanted['id']}")

    shown = chat.own.get_by_text("Question 2", exact=True)
    expect(shown).to_be_in_viewport()
    expect(chat.jump).to_be_visible()
    top = chat.messages.evaluate(Y_OF)
    chat.until(lambda: abs(shown.evaluate(Y_OF) - top) < 120, "the message at the top of the view")


def test_code_and_tables_scroll_inside_on_a_page_320_pixels_wide(chat: Chat, runner: HoldingRunner) -> None:
    wide = "x" * 400
    cells = "|".join(f" column {number} " for number in range(30))
    text = f"```\n{wide}\n```\n\n|{cells}|\n|{'---|' * 30}\n|{cells}|\n\n{wide}\n\n`{wide}`\n"
    runner.play(Script().text(text).complete())
    chat.page.set_viewport_size({"width": 320, "height": 640})
    chat.say_and_read(f"A long word: {wide}")

    assert not chat.is_sideways()
    assert chat.messages.evaluate("e => e.scrollWidth <= e.clientWidth"), "nor does the list of messages"
    for inside in (chat.replies.locator("pre"), chat.replies.get_by_role("group", name="Table")):
        assert inside.evaluate(
            "e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === 'auto'"
        )
        assert inside.evaluate("e => e.tabIndex") == 0, "it is reached by keyboard"
