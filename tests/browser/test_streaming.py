"""A reply while it is written: it grows, it can be stopped, and it is the same in every tab and after a reload."""

from __future__ import annotations

from functools import partial

import pytest
from playwright.sync_api import BrowserContext, expect

from backend.model_runner.script import Script
from tests.browser.chat import REPLY_NAME, Chat, recorded_reply, rows_of
from tests.browser.conftest import log_in
from tests.support.api_client import ApiClient
from tests.support.cuttable_proxy import CuttableProxy
from tests.support.holding_runner import HoldingRunner

NUMBERS = [" ".join(f"n{number}" for number in range(start, start + 40)) for start in range(0, 160, 40)]
MARKDOWN = """# A heading

Some *text* with `code` and a [link](https://example.org/a).

1. one
2. two

| a | b |
|---|---|
| 1 | 2 |

```python
def answer() -> int:
    return 42
```

The end."""
# The names that tie a control to its menu or its description are counted through on every page.
INNER_HTML = r"e => e.innerHTML.replace(/_r_\w+_/g, '_r_')"


def test_thinking_is_shown_before_the_first_word_and_replaced_by_it(
    chat: Chat, runner: HoldingRunner
) -> None:
    runner.play(Script().headers().hold().text("The first word").complete())
    chat.say("Think")
    expect(chat.replies).to_contain_text("Thinking…")

    runner.let_go()
    expect(chat.replies).to_contain_text("The first word")
    expect(chat.replies).not_to_contain_text("Thinking…")
    expect(chat.replies).to_have_count(1)


@pytest.mark.parametrize("way", ["the button", "Esc"])
def test_a_stopped_reply_stands_still_says_so_and_is_the_same_after_a_reload(
    way: str, chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    runner.play(Script().words(NUMBERS[0]).hold().words(" never seen").complete())
    chat.say("Count")
    expect(chat.replies).to_contain_text("n39")
    if way == "Esc":
        chat.page.keyboard.press("Escape")
    else:
        chat.stop.click()

    expect(chat.replies).to_contain_text("Stopped")
    expect(chat.send).to_be_visible()
    expect(chat.message).to_be_focused()
    expect(chat.reply_text).to_have_text(NUMBERS[0])
    reply = recorded_reply(person, chat.conversation_id)
    assert (reply["outcome"], reply["content"]) == ("cancelled", NUMBERS[0])
    chat.page.reload()
    expect(chat.replies).to_contain_text("Stopped")
    expect(chat.reply_text).to_have_text(NUMBERS[0])


HALVES = {
    "an open fence": ("Before\n\n```html\n<b>bold</b>\n<img src=x onerror=alert(1)>", "<b>bold</b>"),
    "half a table": ("Before\n\n| first | second |\n|---|---|\n| one | tw", "first"),
    "half a link": ("Before [the documentation](https://example.org/a-very-long-addre", "documentation"),
    "half a formula": ("Before $$\\frac{1}{2", "frac"),
    "half an element": ('Before <div class="wide" onclick="alert(1)', "Before"),
}


@pytest.mark.parametrize("case", HALVES)
def test_what_is_half_written_never_becomes_an_element_of_its_own_and_never_widens_the_page(
    case: str, chat: Chat, runner: HoldingRunner
) -> None:
    text, visible = HALVES[case]
    runner.play(Script().words(text).hold().text(" rest").complete())
    chat.say("Begin")
    expect(chat.replies).to_contain_text(visible)

    assert chat.replies.locator("img, iframe, b, [onclick], [onerror]").count() == 0
    assert not chat.is_sideways()
    head = chat.page.get_by_role("heading", level=1).bounding_box()
    runner.let_go()
    chat.wait_for_end()
    assert chat.page.get_by_role("heading", level=1).bounding_box() == head, "the page itself did not move"
    assert chat.replies.locator("img, iframe, b, [onclick], [onerror]").count() == 0


def test_a_reply_looks_the_same_when_written_and_when_loaded(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().words(MARKDOWN, delay_ms=5).complete())
    chat.say_and_read("Show me everything")
    coloured = chat.replies.locator("code span").first
    coloured.wait_for()
    written = chat.replies.evaluate(INNER_HTML)
    chat.page.reload()
    coloured.wait_for()

    assert chat.replies.evaluate(INNER_HTML) == written


def test_a_reload_in_mid_reply_shows_the_same_stream_without_gap_or_double(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    runner.play(
        Script()
        .words(NUMBERS[0] + " ")
        .hold()
        .words(NUMBERS[1] + " ", delay_ms=5)
        .words(NUMBERS[2])
        .complete()
    )
    chat.say("Count")
    expect(chat.replies).to_contain_text("n39")
    chat.page.reload()
    expect(chat.replies).to_contain_text("n39")
    expect(chat.stop).to_be_visible()
    runner.let_go()
    chat.wait_for_end()

    expect(chat.reply_text).to_have_text(" ".join(NUMBERS[:3]))
    assert recorded_reply(person, chat.conversation_id)["content"] == " ".join(NUMBERS[:3])


def test_three_cuts_of_the_live_stream_lose_and_double_nothing(
    context: BrowserContext, runner: HoldingRunner, person: ApiClient, proxy: CuttableProxy
) -> None:
    script = Script()
    for part in NUMBERS:
        script.words(part + " ").hold()
    runner.play(script.complete())
    conversation = person.start_conversation(title="Cut")
    log_in(context, person, proxy.url)
    chat = Chat(context.new_page())
    chat.page.goto(f"{proxy.url}/c/{conversation['id']}")
    chat.message.wait_for()
    chat.until(lambda: proxy.open_streams, "the live stream")
    chat.say("Count")
    for cut in range(3):
        expect(chat.replies).to_contain_text(f"n{cut * 40 + 39}")
        opens = proxy.live_opens
        proxy.cut_live_streams()
        runner.let_go()
        chat.until(partial(has_come_back, proxy, opens), "the stream to come back")
    expect(chat.replies).to_contain_text("n159")
    runner.let_go()
    chat.wait_for_end()

    expect(chat.reply_text).to_have_text(" ".join(NUMBERS))
    assert recorded_reply(person, conversation["id"])["content"].strip() == " ".join(NUMBERS)
    assert proxy.live_opens == 4


def test_a_lost_connection_is_told_and_writing_goes_on(
    context: BrowserContext, runner: HoldingRunner, person: ApiClient, proxy: CuttableProxy
) -> None:
    log_in(context, person, proxy.url)
    chat = Chat(context.new_page())
    chat.page.goto(f"{proxy.url}/")
    chat.message.wait_for()
    chat.until(lambda: proxy.open_streams, "the live stream")
    proxy.go_down()

    expect(chat.status).to_have_text("Reconnecting…")
    banner = chat.page.get_by_text("What you write is kept")
    expect(banner).to_be_visible()
    chat.say("Into the void")
    expect(chat.message).to_have_value("Into the void")
    # Beside it another notice may say that the models cannot be listed.
    expect(chat.page.get_by_role("alert").filter(has_text="Not sent.")).to_be_visible()
    proxy.come_back()
    expect(banner).to_have_count(0)
    chat.retry.click()
    chat.wait_for_end()
    expect(chat.own).to_have_count(1)


def test_two_tabs_show_the_same_stream_and_stop_in_one_stops_both(
    chat: Chat, logged_in: BrowserContext, runner: HoldingRunner
) -> None:
    runner.play(
        Script().words(NUMBERS[0] + " ").hold().words(NUMBERS[1]).hold().text(" never seen").complete()
    )
    chat.say("Count")
    expect(chat.replies).to_contain_text("n39")
    other = Chat(logged_in.new_page())
    other.open(chat.conversation_id)
    expect(other.replies).to_contain_text("n39")
    runner.let_go()
    for tab in (chat, other):
        expect(tab.replies).to_contain_text("n79")
    other.stop.click()

    for tab in (chat, other):
        expect(tab.replies).to_contain_text("Stopped")
        expect(tab.send).to_be_visible()
        expect(tab.reply_text).to_have_text(" ".join(NUMBERS[:2]))


def test_a_message_sent_in_one_tab_is_shown_in_the_other(
    chat: Chat, logged_in: BrowserContext, runner: HoldingRunner
) -> None:
    chat.say_and_read("From the first")
    other = Chat(logged_in.new_page())
    other.open(chat.conversation_id)
    other.say_and_read("From the second")

    expect(chat.own.filter(has_text="From the second")).to_have_count(1)
    chat.wait_for_end(2)
    assert chat.articles.all_inner_texts() == other.articles.all_inner_texts()


def test_a_reply_goes_on_while_another_conversation_is_looked_at(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    other = person.start_conversation(title="Elsewhere")
    person.say(other["id"], "Hello")
    runner.play(Script().words(NUMBERS[0] + " ").hold().words(NUMBERS[1] + " ").hold().text("end").complete())
    chat.say("Count")
    expect(chat.replies).to_contain_text("n39")
    conversation = chat.conversation_id
    chat.row("Elsewhere").click()
    expect(chat.own).to_contain_text("Hello")
    runner.let_go()
    # Its name also says that a reply is being written.
    chat.conversations.get_by_role("link", name="Count").click()
    expect(chat.replies).to_contain_text("n79")
    runner.let_go()
    chat.wait_for_end()

    assert chat.conversation_id == conversation
    expect(chat.reply_text).to_have_text(" ".join([*NUMBERS[:2], "end"]))


def test_an_error_in_mid_reply_keeps_the_text_says_why_and_retry_makes_a_sibling(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    runner.play(
        Script().text("As far as it came").error(message="the graphics card caught fire"),
        Script().text("Second attempt").complete(),
    )
    chat.say("Try")
    expect(chat.replies).to_contain_text("the graphics card caught fire")
    expect(chat.replies).to_contain_text("As far as it came")
    chat.replies.get_by_role("button", name="Retry").click()

    expect(chat.replies).to_contain_text("Second attempt")
    expect(chat.replies).to_have_count(1)
    chat.wait_for_end()
    expect(chat.message).to_be_focused()
    reply = rows_of(person, chat.conversation_id)[-1]
    assert (reply["content"], reply["sibling_count"], reply["sibling_index"]) == ("Second attempt", 2, 1)


def test_a_cut_connection_to_the_model_is_told_as_an_interruption(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().text("Half a sen").cut())
    chat.say("Try")
    expect(chat.replies.get_by_role("button", name="Retry")).to_be_enabled()
    expect(chat.replies).to_contain_text("Half a sen")
    expect(
        chat.replies.get_by_text("broke").or_(chat.replies.get_by_text("nterrupted")).first
    ).to_be_visible()


def test_one_status_says_that_a_reply_began_and_ended_and_never_its_words(
    chat: Chat, runner: HoldingRunner
) -> None:
    runner.play(Script().words(NUMBERS[0] + ".", delay_ms=10).hold().words(" More here.").complete())
    expect(chat.status).to_have_count(1)
    chat.status.evaluate("""element => {
      window.announced = [];
      new MutationObserver(() => window.announced.push(element.textContent))
        .observe(element, {childList: true, characterData: true, subtree: true});
    }""")
    chat.say("Count")
    expect(chat.status).to_have_text("Assistant is replying")
    expect(chat.replies).to_contain_text("n39")
    runner.let_go()
    expect(chat.status).to_contain_text("Reply finished.")

    announced = chat.page.evaluate("window.announced")
    assert 2 <= len(announced) <= 3, announced
    assert announced[-1].startswith("Reply finished. n0 n1"), "with its first sentence"
    assert "More" not in announced[-1]
    inside = (
        "e => e.closest('[aria-live]:not([aria-live=off]), [role=log], [role=status], [role=alert]') !== null"
    )
    assert not chat.page.get_by_role("article", name=REPLY_NAME).evaluate(inside)


def has_come_back(proxy: CuttableProxy, opens: int) -> bool:
    """Whether the page has opened its stream once more."""
    return proxy.live_opens > opens and proxy.open_streams > 0
