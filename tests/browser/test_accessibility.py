"""For everybody: by keyboard, by screen reader, without motion, in the dark, on a small screen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.conftest import log_in
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner

WHERE_FOCUS_IS = """() => {
  const element = document.activeElement;
  if (element.textContent === 'Skip to the conversation') return 'skip link';
  if (element.closest('nav')) return 'sidebar';
  if (element.closest('[role=region][aria-label=Messages]')) return 'messages';
  if (element.closest('form')) return 'composer';
  return element.closest('header') ? 'head' : 'elsewhere: ' + element.outerHTML.slice(0, 120);
}"""
ORDER = ["skip link", "sidebar", "head", "messages", "composer"]
RUNNING_ANIMATIONS = """() => document.getAnimations()
  .filter(a => a.playState === 'running' && a.effect.getComputedTiming().duration > 1)
  .map(a => `${a.animationName ?? a.transitionProperty} on ${a.effect.target.outerHTML.slice(0, 80)}`)"""
SMALL_TARGETS = """() => [...document.querySelectorAll('button, input, textarea, summary, [role=menuitem], nav a')]
  .filter(e => e.checkVisibility({opacityProperty: false, visibilityProperty: true}))
  .map(e => [e, (e.type === 'radio' ? e.closest('label') : e).getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && box.height > 1 && (box.width < 24 || box.height < 24))
  .map(([e, box]) => `${box.width}x${box.height} ${e.outerHTML.slice(0, 120)}`)"""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
LIGHTNESS = """() => {
  const canvas = document.createElement('canvas').getContext('2d');
  canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
  return (r + g + b) / 3;
}"""


def test_messages_are_articles_in_a_labelled_feed_and_know_their_place(chat: Chat) -> None:
    chat.say_and_read("First")
    chat.say("Second")
    chat.wait_for_end(2)
    feed = chat.messages.get_by_role("feed", name="Conversation")
    articles = feed.get_by_role("article")

    expect(articles).to_have_count(4)
    places = articles.evaluate_all("all => all.map(e => [e.ariaLabel, e.ariaPosInSet, e.ariaSetSize])")
    assert [place for _, place, _ in places] == ["1", "2", "3", "4"]
    assert {size for _, _, size in places} == {"4"}
    assert [label for label, _, _ in places] == ["You", "scripted-model", "You", "scripted-model"]
    assert chat.page.evaluate("document.documentElement.lang") == "en"


def test_the_tab_key_goes_from_the_skip_link_over_list_and_messages_to_the_composer(
    chat: Chat, person: ApiClient
) -> None:
    person.start_conversation(title="Another")
    chat.say_and_read("Hello")
    chat.message.fill("so that Send can be reached")
    chat.page.get_by_role("link", name="Skip to the conversation").focus()
    visited: list[str] = []
    for _ in range(60):
        visited.append(chat.page.evaluate(WHERE_FOCUS_IS))
        if chat.send.evaluate("e => e === document.activeElement"):
            break
        chat.page.keyboard.press("Tab")

    assert [place for place in ORDER if place in visited] == [p for p in ORDER if p != "head" or p in visited]
    assert visited == sorted(visited, key=ORDER.index), "each part is passed once, in this order"
    chat.page.get_by_role("link", name="Skip to the conversation").focus()
    chat.page.keyboard.press("Enter")
    expect(chat.message).to_be_focused()


def test_the_focus_is_never_lost(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().text("Some words").hold().text("never"))
    chat.message.fill("Begin")
    chat.send.click()
    expect(chat.replies).to_contain_text("Some words")
    assert not chat.focus_is_lost()
    chat.stop.click()
    expect(chat.send).to_be_visible()
    assert not chat.focus_is_lost()
    runner.play(Script().respond(500, {"error": {"message": "no"}}))
    chat.replies.get_by_role("button", name="Retry").click()
    expect(chat.replies).to_contain_text("no")
    chat.until(lambda: not chat.focus_is_lost(), "the focus after a retry")
    chat.page.keyboard.press("Control+/")
    expect(chat.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)
    expect(chat.message).to_be_focused()
    chat.new_chat.click()
    chat.until(lambda: not chat.focus_is_lost(), "the focus in the new chat")


def test_a_whole_turn_by_keyboard_alone(chat: Chat, person: ApiClient) -> None:
    keyboard = chat.page.keyboard
    expect(chat.message).to_be_focused()
    keyboard.type("By keyboard")
    keyboard.press("Enter")
    chat.wait_for_end()
    chat.page.get_by_role("button", name="More actions for By keyboard").focus()
    keyboard.press("Enter")
    expect(chat.page.get_by_role("menuitem", name="Rename")).to_be_focused()
    keyboard.press("Enter")
    expect(chat.page.get_by_role("textbox", name="Conversation title")).to_be_focused()
    keyboard.type("Renamed by keyboard")
    keyboard.press("Enter")
    expect(chat.row("Renamed by keyboard")).to_be_visible()
    keyboard.press("Control+Shift+O")
    expect(chat.page.get_by_role("heading", name="Verbatim", level=1)).to_be_visible()


def test_nothing_moves_for_those_who_asked_for_that(chat: Chat, runner: HoldingRunner) -> None:
    chat.page.emulate_media(reduced_motion="reduce")
    runner.play(Script().headers().hold().text("Words").hold().text(" end").complete())
    chat.say("Quietly")
    expect(chat.replies).to_contain_text("Thinking…")
    assert chat.page.evaluate(RUNNING_ANIMATIONS) == []
    runner.let_go()
    expect(chat.replies).to_contain_text("Words")
    assert chat.page.evaluate(RUNNING_ANIMATIONS) == []
    assert chat.messages.evaluate("e => getComputedStyle(e).scrollBehavior") == "auto"
    chat.page.keyboard.press("Control+/")
    expect(chat.dialog).to_be_visible()
    assert chat.page.evaluate(RUNNING_ANIMATIONS) == []


@pytest.mark.parametrize(("system", "choice"), [("light", "Dark"), ("dark", "Light")])
def test_the_chosen_theme_is_there_before_the_first_paint(system: Any, choice: str, chat: Chat) -> None:
    chat.page.emulate_media(color_scheme=system)
    chat.page.goto("/settings")
    chat.page.get_by_text(choice, exact=True).click()
    expect(chat.page.get_by_role("radio", name=choice)).to_be_checked()
    chosen = chat.page.evaluate(BACKGROUND)
    # Without the application itself there is only what the very first frame has: the page and its style sheets.
    chat.page.route("**/assets/index-*.js", lambda route: route.abort())
    chat.page.goto("/settings")

    assert chat.page.evaluate("document.getElementById('root').childElementCount") == 0
    assert chat.page.evaluate(BACKGROUND) == chosen
    assert (chat.page.evaluate(LIGHTNESS) < 128) is (choice == "Dark")


def test_the_system_theme_is_followed_while_the_page_is_open(chat: Chat) -> None:
    chat.page.emulate_media(color_scheme="light")
    chat.until(lambda: chat.page.evaluate(LIGHTNESS) > 200, "a light page")
    chat.page.emulate_media(color_scheme="dark")
    chat.until(lambda: chat.page.evaluate(LIGHTNESS) < 70, "a dark page")
    assert chat.page.evaluate(LIGHTNESS) > 5, "deep grey, not black"


@pytest.fixture
def small(browser: Browser, person: ApiClient, base_url: str, runner: HoldingRunner) -> Any:
    """A telephone."""
    context = browser.new_context(
        base_url=base_url, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    log_in(context, person, base_url)
    page = context.new_page()
    page.goto("/")
    chat = Chat(page)
    chat.message.wait_for()
    yield chat
    context.close()


def test_on_a_telephone_the_list_is_a_drawer_that_holds_the_focus(small: Chat, person: ApiClient) -> None:
    conversation = person.start_conversation(title="In the drawer")
    person.say(conversation["id"], "Hello")
    show = small.page.get_by_role("button", name="Show conversations")
    drawer = small.page.get_by_role("dialog", name="Conversations")
    expect(small.conversations).to_have_count(0)
    show.click()
    expect(drawer).to_be_visible()
    for _ in range(20):
        small.page.keyboard.press("Tab")
        assert drawer.evaluate("e => e.contains(document.activeElement)")
    small.page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(show).to_be_focused()

    show.click()
    drawer.get_by_role("link", name="In the drawer").click()
    expect(drawer).to_have_count(0)
    expect(small.own).to_contain_text("Hello")
    expect(small.message).to_be_in_viewport(ratio=1)


def test_on_a_telephone_everything_can_be_hit_with_a_finger_and_nothing_is_wider_than_the_screen(
    small: Chat,
) -> None:
    small.message.fill("Hello")
    small.send.click()
    small.wait_for_end()
    assert small.page.evaluate(SMALL_TARGETS) == []
    assert not small.is_sideways()
    small.page.get_by_role("button", name="Show conversations").click()
    expect(small.page.get_by_role("dialog", name="Conversations")).to_be_visible()
    assert small.page.evaluate(SMALL_TARGETS) == []
    small.page.goto("/settings")
    expect(small.page.get_by_role("heading", name="Settings")).to_be_visible()
    assert small.page.evaluate(SMALL_TARGETS) == []
    assert not small.is_sideways()


def test_the_composer_stays_in_view_above_a_virtual_keyboard(small: Chat) -> None:
    small.message.fill("Hello")
    small.send.click()
    small.wait_for_end()
    # The keyboard takes the lower part of the visual viewport, which the page sees as a smaller window.
    small.page.set_viewport_size({"width": 360, "height": 380})
    expect(small.message).to_be_in_viewport(ratio=1)
    expect(small.send).to_be_in_viewport(ratio=1)


def test_colours_of_code_are_those_of_the_theme(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().text('```python\nreturn "text"  # a remark\n```').complete())
    chat.say_and_read("Code")
    spans = chat.replies.locator("code span")
    spans.first.wait_for()
    colours = "all => all.map(e => getComputedStyle(e).color)"
    light = spans.evaluate_all(colours)
    chat.page.emulate_media(color_scheme="dark")
    chat.until(lambda: spans.evaluate_all(colours) != light, "other colours in the dark")


def test_when_the_server_does_not_answer_the_page_says_so_and_tries_again(chat: Chat) -> None:
    def refuse(route: Route) -> None:
        route.abort("connectionrefused")

    chat.page.route("**/api/me/", refuse)
    chat.page.reload()
    expect(chat.page.get_by_role("heading", name="Verbatim does not answer")).to_be_visible()
    chat.page.unroute("**/api/me/")
    chat.retry.click()
    expect(chat.message).to_be_visible()
