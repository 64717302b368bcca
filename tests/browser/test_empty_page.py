"""The first page, and what a person is told when no model can answer."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import Chat
from tests.browser.conftest import log_in
from tests.support.api_client import ApiClient
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.stack import free_port, running_stack


def test_the_first_page_says_what_this_is_where_answers_come_from_and_how_to_begin(chat: Chat) -> None:
    expect(chat.page.get_by_role("heading", name="Verbatim", level=1)).to_be_visible()
    starters = chat.page.get_by_role("list", name="Ways to begin").get_by_role("button")
    expect(starters).to_have_count(3)
    expect(chat.page.get_by_text("runs on this machine · nothing leaves it")).to_be_visible()
    expect(chat.page.get_by_role("button", name="Model: scripted-model")).to_be_visible()
    with chat.requests("POST", "/api/") as posts:
        starters.first.click()
        expect(chat.message).to_be_focused()
        expect(chat.message).not_to_have_value("")
    assert posts == [], "a starter is a draft: the person decides to send it"
    chat.message.press("Enter")
    chat.wait_for_end()


def test_on_a_telephone_the_ways_to_begin_are_told_in_full(chat: Chat) -> None:
    chat.page.set_viewport_size({"width": 360, "height": 740})
    texts = chat.page.get_by_role("list", name="Ways to begin").locator("span")
    expect(texts).to_have_count(3)
    assert texts.evaluate_all("all => all.every(e => e.scrollWidth <= e.clientWidth)")
    assert not chat.is_sideways()


def test_a_model_runner_that_is_down_is_told_with_its_reason_and_retry_helps_once_it_is_back(
    context: BrowserContext,
) -> None:
    port = free_port()
    with (
        running_stack(MODEL_RUNNER_URL=f"http://127.0.0.1:{port}/v1", MODEL_RUNNER_MODEL=MODEL_ID) as stack,
        ApiClient(stack.url) as person,
    ):
        person.sign_up()
        log_in(context, person, stack.url)
        chat = Chat(context.new_page())
        chat.page.goto(stack.url)
        expect(chat.page.get_by_role("alert")).to_contain_text(f"127.0.0.1:{port} does not answer")
        expect(chat.retry).to_be_visible()
        chat.say("Is anybody there?")
        expect(chat.replies).to_contain_text(f"127.0.0.1:{port} does not answer")
        expect(chat.own).to_contain_text("Is anybody there?")
        # It is tried a few times more before that is said.
        expect(chat.replies.get_by_role("button", name="Retry")).to_be_visible()
        with HoldingRunner(port=port).in_thread():
            chat.replies.get_by_role("button", name="Retry").click()
            expect(chat.replies).to_contain_text("You wrote: Is anybody there?")
            chat.wait_for_end()
            chat.new_chat.click()
            retry, answer = chat.retry, chat.page.get_by_text("nothing leaves it")
            expect(retry.or_(answer).first).to_be_visible()
            if retry.is_visible():
                retry.click()
            expect(answer).to_be_visible()
            expect(chat.page.get_by_role("alert")).to_have_count(0)
