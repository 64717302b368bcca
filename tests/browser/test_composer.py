"""Writing and sending: nothing is sent by mistake, nothing that was written is lost."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat, rows_of
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner

HEIGHT = "e => e.getBoundingClientRect().height"
ENTER_WHILE_COMPOSING = """area => {
  area.dispatchEvent(new CompositionEvent('compositionstart', {bubbles: true}));
  area.dispatchEvent(new KeyboardEvent('keydown', {
    key: 'Enter', keyCode: 229, isComposing: true, bubbles: true, cancelable: true,
  }));
  area.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true}));
}"""


def test_enter_sends_empties_the_composer_and_keeps_the_focus_there(chat: Chat, person: ApiClient) -> None:
    chat.say("Hello there")

    expect(chat.own).to_contain_text("Hello there")
    expect(chat.message).to_have_value("")
    chat.wait_for_end()
    expect(chat.message).to_be_focused()
    assert rows_of(person, chat.conversation_id)[0]["content"] == "Hello there"


def test_shift_enter_makes_a_line_and_sends_nothing(chat: Chat) -> None:
    with chat.requests("POST", "/api/") as posts:
        chat.message.fill("First")
        chat.message.press("Shift+Enter")
        chat.message.press_sequentially("second")

        expect(chat.message).to_have_value("First\nsecond")
        expect(chat.own).to_have_count(0)
    assert posts == []


def test_enter_that_chooses_a_word_of_an_input_method_sends_nothing(chat: Chat) -> None:
    with chat.requests("POST", "/api/") as posts:
        chat.message.fill("にほん")
        chat.message.evaluate(ENTER_WHILE_COMPOSING)

        expect(chat.message).to_have_value("にほん")
        expect(chat.own).to_have_count(0)
    assert posts == []


def test_blanks_alone_cannot_be_sent(chat: Chat) -> None:
    with chat.requests("POST", "/api/") as posts:
        chat.message.fill("  \n\t ")
        expect(chat.send).to_be_disabled()
        chat.message.press("Enter")
        expect(chat.own).to_have_count(0)
        chat.message.fill("  a")
        expect(chat.send).to_be_enabled()
    assert posts == []


def test_the_composer_grows_to_two_fifths_of_the_page_then_scrolls_and_shrinks_after_sending(
    chat: Chat,
) -> None:
    small = chat.message.evaluate(HEIGHT)
    chat.message.fill("\n".join(f"line {number}" for number in range(5)))
    grown = chat.message.evaluate(HEIGHT)
    chat.message.fill("\n".join(f"line {number}" for number in range(80)))
    highest = chat.message.evaluate(HEIGHT)

    assert small < grown < highest <= 0.4 * 800 + 1
    assert chat.message.evaluate("e => e.scrollHeight > e.clientHeight"), "the rest is reached by scrolling"
    chat.message.press("Enter")
    expect(chat.own).to_have_count(1)
    chat.until(lambda: chat.message.evaluate(HEIGHT) == small, "the composer to be small again")


def test_a_draft_outlives_a_reload_and_a_look_at_another_conversation(chat: Chat, person: ApiClient) -> None:
    first = person.start_conversation(title="First one")
    person.say(first["id"], "Hello")
    second = person.start_conversation(title="Second one")
    person.say(second["id"], "Hello")
    chat.open(first["id"])
    chat.message.fill("not sent yet")

    chat.row("Second one").click()
    expect(chat.message).to_have_value("")
    chat.message.fill("another draft")
    chat.row("First one").click()
    expect(chat.message).to_have_value("not sent yet")
    chat.page.reload()
    expect(chat.message).to_have_value("not sent yet")
    chat.row("Second one").click()
    expect(chat.message).to_have_value("another draft")


def keep_in(held: list[Route]) -> Callable[[Route], None]:
    """A handler that answers nothing yet. (The list's own `append` is not a function to Playwright.)"""

    def keep(route: Route) -> None:
        held.append(route)

    return keep


def test_a_draft_is_forgotten_only_when_the_server_has_accepted_it(chat: Chat) -> None:
    chat.say_and_read("Begin")
    held: list[Route] = []
    chat.page.route("**/messages/", keep_in(held))
    chat.say("on its way")
    chat.until(lambda: held, "the request")
    chat.page.reload()

    expect(chat.message).to_have_value("on its way")
    chat.page.unroute("**/messages/")
    chat.message.press("Enter")
    expect(chat.own.filter(has_text="on its way")).to_have_count(1)
    chat.wait_for_end(2)
    chat.page.reload()
    chat.replies.last.wait_for()
    expect(chat.message).to_have_value("")


REFUSALS = {
    "a refusal": (
        400,
        {"code": "invalid", "title": "Bad request", "detail": "No such thing.", "status": 400},
    ),
    "an error of the server": (500, {"code": "error", "title": "Error", "detail": "Broken.", "status": 500}),
    "no connection": (0, {}),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_was_not_accepted_is_still_there_and_can_be_sent_again(
    case: str, chat: Chat, person: ApiClient
) -> None:
    status, problem = REFUSALS[case]
    chat.say_and_read("Begin")

    def refuse(route: Route) -> None:
        if status == 0:
            route.abort("connectionrefused")
        else:
            route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(problem))

    chat.page.route("**/messages/", refuse)
    chat.say("Please keep me")
    expect(chat.message).to_have_value("Please keep me")
    expect(chat.page.get_by_role("alert")).to_contain_text("Not sent.")
    expect(chat.own).to_have_count(1)
    chat.page.unroute("**/messages/")
    chat.retry.click()

    expect(chat.own.filter(has_text="Please keep me")).to_have_count(1)
    expect(chat.message).to_have_value("")
    expect(chat.page.get_by_role("alert")).to_have_count(0)
    chat.wait_for_end(2)
    rows = rows_of(person, chat.conversation_id)
    assert [row["content"] for row in rows if row["role"] == "user"] == ["Begin", "Please keep me"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_not_asked_again_before_the_time_it_named(status: int, chat: Chat) -> None:
    chat.say_and_read("Begin")
    problem = {"code": "busy", "title": "Busy", "detail": "Come back later.", "status": status}

    def refuse(route: Route) -> None:
        headers = {"Retry-After": "2", "Content-Type": "application/problem+json"}
        route.fulfill(status=status, headers=headers, body=json.dumps(problem))

    chat.page.route("**/messages/", refuse)
    with chat.requests("POST", "/messages/") as posts:
        chat.say("Later then")
        expect(chat.page.get_by_role("button", name="Retry in")).to_be_disabled()
        expect(chat.page.get_by_role("button", name="Retry", exact=True)).to_be_enabled()
    assert len(posts) == 1
    expect(chat.message).to_have_value("Later then")


def test_pressing_enter_twice_makes_one_message(chat: Chat, person: ApiClient) -> None:
    with chat.requests("POST", "/messages/") as posts:
        chat.message.fill("Only once")
        chat.message.evaluate("""area => {
          const press = () => area.dispatchEvent(
            new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true}));
          press(); press();
        }""")
        chat.wait_for_end()
    assert len({post.headers["idempotency-key"] for post in posts}) == 1
    contents = [row["content"] for row in rows_of(person, chat.conversation_id) if row["role"] == "user"]
    assert contents == ["Only once"]


def test_a_double_click_on_send_makes_one_message(chat: Chat, person: ApiClient) -> None:
    chat.message.fill("Only once")
    chat.send.evaluate("button => { button.click(); button.click(); }")
    chat.wait_for_end()
    assert [row["role"] for row in rows_of(person, chat.conversation_id)] == ["user", "assistant"]


def test_an_answer_that_was_lost_does_not_make_a_second_message(chat: Chat, person: ApiClient) -> None:
    chat.say_and_read("Begin")

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    chat.page.route("**/messages/", lose_the_answer)
    chat.say("Said once")
    expect(chat.retry).to_be_visible()
    chat.page.unroute("**/messages/")
    chat.wait_for_end(2)
    chat.retry.click()
    expect(chat.page.get_by_role("alert")).to_have_count(0)
    chat.wait_for_end(2)

    contents = [row["content"] for row in rows_of(person, chat.conversation_id) if row["role"] == "user"]
    assert contents == ["Begin", "Said once"]
    expect(chat.own).to_have_count(2)


def test_a_message_is_shown_at_once_and_marked_until_the_server_has_it(chat: Chat) -> None:
    chat.say_and_read("Begin")
    held: list[Route] = []
    chat.page.route("**/messages/", keep_in(held))
    chat.say("Quick as ink")

    shown = chat.own.filter(has_text="Quick as ink")
    expect(shown).to_contain_text("Sending…")
    chat.until(lambda: held, "the request")
    held[0].continue_()
    expect(shown).not_to_contain_text("Sending…")
    expect(shown).to_have_count(1)


def test_while_a_reply_is_written_one_may_type_but_only_stop(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().text("Some words").hold().text(" and more").complete())
    chat.say("Go on")
    expect(chat.replies).to_contain_text("Some words")

    expect(chat.stop).to_be_visible()
    expect(chat.send).to_have_count(0)
    chat.message.fill("My next question")
    with chat.requests("POST", "/messages/") as posts:
        chat.message.press("Enter")
        expect(chat.message).to_have_value("My next question")
    assert posts == []
    runner.let_go()
    expect(chat.send).to_be_enabled()
    expect(chat.message).to_have_value("My next question")


def test_on_a_touch_screen_enter_makes_a_line_and_the_button_sends(chat: Chat, person: ApiClient) -> None:
    session = chat.page.context.new_cdp_session(chat.page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    chat.page.reload()
    assert chat.page.evaluate("matchMedia('(pointer: coarse)').matches")
    chat.message.click()
    chat.message.press_sequentially("one")
    chat.message.press("Enter")
    chat.message.press_sequentially("two")

    expect(chat.message).to_have_value("one\ntwo")
    chat.send.click()
    chat.wait_for_end()
    assert rows_of(person, chat.conversation_id)[0]["content"] == "one\ntwo"
