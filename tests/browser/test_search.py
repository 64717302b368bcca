"""Finding what was said, going there, and keeping it as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.test_screens import MOTION_ENDS, violations
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner

# Whether the message with the focus is drawn otherwise than the others: a bar beside it, or a ring.
MARKED = """() => {
  const found = document.activeElement.closest('article');
  const others = [...document.querySelectorAll('article')].filter(e => e !== found && e.ariaLabel === found.ariaLabel);
  const look = e => ['', '::before', '::after'].map(p => getComputedStyle(e, p || null))
    .map(s => [s.outlineStyle, s.boxShadow, s.borderInlineStartWidth, s.backgroundColor, s.content].join()).join();
  return others.length > 0 && others.every(e => look(e) !== look(found));
}"""


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search conversations and messages")


def options(page: Page) -> Locator:
    return page.get_by_role("option")


def search_for(chat: Chat, text: str) -> None:
    chat.page.keyboard.press("Control+k")
    box(chat.page).fill(text)


@pytest.fixture
def told(person: ApiClient, runner: HoldingRunner) -> dict[str, str]:
    """Two conversations, one of them long: its id, and that of a message at its beginning."""
    short = person.start_conversation(title="About gardens")["id"]
    person.say(short, "When do I plant tulips?")
    conversation = person.start_conversation(title="Sea voyages")["id"]
    runner.play(Script().text("The *albatross* circled the ship.").complete())
    reply = person.say(conversation, "Tell me of a bird")
    runner.always(Script().text("And so it went on. " * 40).complete())
    for number in range(8):
        person.say(conversation, f"Go on, part {number}")
    return {"conversation": conversation, "reply": reply["id"], "short": short}


def test_ctrl_k_opens_the_search_and_escape_gives_the_focus_back(chat: Chat) -> None:
    expect(chat.message).to_be_focused()
    chat.page.keyboard.press("Control+k")
    expect(box(chat.page)).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)
    expect(chat.message).to_be_focused()

    opener = chat.page.get_by_role("button", name="Search")
    opener.click()
    expect(box(chat.page)).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_with_nothing_typed_it_goes_to_recent_conversations_and_actions(
    chat: Chat, told: dict[str, str]
) -> None:
    chat.page.keyboard.press("Control+k")
    expect(options(chat.page)).to_have_text(
        [
            "Sea voyages",
            "About gardens",
            "New chat",
            "Model calls",
            "API tokens",
            "Settings",
            "Keyboard shortcuts",
        ]
    )
    chat.page.keyboard.press("ArrowDown")
    expect(options(chat.page).nth(1)).to_have_attribute("aria-selected", "true")
    chat.page.keyboard.press("Enter")
    expect(chat.own).to_contain_text("tulips")
    expect(chat.dialog).to_have_count(0)
    chat.until(lambda: not chat.focus_is_lost(), "the focus to be somewhere")

    chat.page.keyboard.press("Control+k")
    options(chat.page).get_by_text("Keyboard shortcuts").click()
    shortcuts = chat.page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(shortcuts).to_contain_text("Search, and go to a conversation")
    chat.page.keyboard.press("Escape")
    expect(chat.message).to_be_focused()


def test_a_message_is_found_by_its_words_and_opened_where_it_stands(chat: Chat, told: dict[str, str]) -> None:
    search_for(chat, "albatros")
    expect(options(chat.page)).to_have_count(1)
    hit = options(chat.page).first
    expect(hit).to_contain_text("Sea voyages")
    expect(hit.locator("mark")).to_have_text("albatross")
    chat.page.keyboard.press("Enter")

    chat.page.wait_for_url(f"**/c/{told['conversation']}?message={told['reply']}")
    found = chat.replies.filter(has_text="albatross")
    expect(found).to_be_in_viewport()
    expect(found).to_be_focused()
    chat.page.wait_for_timeout(1_500)  # it stays there: nothing moves the page once it has been laid out
    expect(found).to_be_in_viewport()
    assert chat.page.evaluate(MARKED), "the message that was found stands out"

    # Where the conversation is open already, also by pointer.
    search_for(chat, '"part 7" from:me')
    options(chat.page).first.click()
    expect(chat.dialog).to_have_count(0)
    last = chat.own.filter(has_text="part 7")
    expect(last).to_be_in_viewport()
    expect(last).to_be_focused()


def test_a_message_of_another_branch_is_found_and_its_branch_is_shown(
    chat: Chat, person: ApiClient, runner: HoldingRunner
) -> None:
    conversation = person.start_conversation(title="Two ways")["id"]
    first = person.say(conversation, "Shall we take the pelican road?")
    path = f"/api/conversations/{conversation}/messages/{first['parent_id']}/edit/"
    edited = person.command("POST", path, {"content": "Shall we take the other road?"}, status=202)
    person.wait_for_reply(conversation, edited["reply_id"])
    chat.open(conversation)
    expect(chat.own).to_contain_text("Shall we take the other road?")
    search_for(chat, "pelican from:me")
    expect(options(chat.page)).to_have_count(1)
    chat.page.keyboard.press("Enter")

    expect(chat.own).to_contain_text("pelican")
    expect(chat.page.get_by_text("the other road")).to_have_count(0)
    row = person.get(f"/api/conversations/{conversation}/")
    assert row["selected_leaf_id"] == edited["reply_id"], "looking at a branch selects nothing"


def test_titles_filters_and_this_conversation_narrow_what_is_found(chat: Chat, told: dict[str, str]) -> None:
    search_for(chat, "gardens")
    expect(options(chat.page)).to_have_count(1)
    expect(options(chat.page)).to_contain_text("Conversation")
    box(chat.page).fill("went")
    expect(options(chat.page)).to_have_count(8)
    chat.page.get_by_role("button", name="Filters").click()
    chat.page.get_by_role("button", name="from:me", exact=True).click()
    expect(box(chat.page)).to_have_value("went from:me ")
    expect(box(chat.page)).to_be_focused()
    expect(chat.page.get_by_text("Nothing found.")).to_be_visible()
    expect(chat.status).to_have_text("Nothing found")
    box(chat.page).fill("from:nobody")
    expect(chat.dialog).to_contain_text("Expected one of from:me")
    chat.page.keyboard.press("Escape")

    chat.open(told["short"])
    search_for(chat, "went")
    expect(options(chat.page)).to_have_count(8)
    chat.page.get_by_role("button", name="This conversation only").click()
    expect(chat.page.get_by_text("Nothing found.")).to_be_visible()


def test_more_results_follow(chat: Chat, person: ApiClient) -> None:
    for number in range(25):
        person.start_conversation(title=f"Kingfisher {number}")
    search_for(chat, "kingfisher")
    expect(options(chat.page)).to_have_count(20)
    chat.page.get_by_role("button", name="More results").click()
    expect(options(chat.page)).to_have_count(25)
    expect(box(chat.page)).to_be_focused()


def test_markup_in_what_is_found_is_text(chat: Chat, person: ApiClient) -> None:
    conversation = person.start_conversation(title="<img src=x onerror=window.hacked=1> osprey")["id"]
    person.say(conversation, "<script>window.hacked=1</script> osprey <mark>not mine</mark>")
    search_for(chat, "osprey from:me")
    expect(options(chat.page)).to_contain_text(
        "<script>window.hacked=1</script> osprey <mark>not mine</mark>"
    )
    assert options(chat.page).locator("img, script").count() == 0
    assert chat.page.evaluate("window.hacked") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_telephone_the_search_fits_and_is_accessible(
    theme: str, chat: Chat, told: dict[str, str], artifacts: Path
) -> None:
    chat.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    for width, height in ((1280, 800), (360, 740)):
        chat.page.set_viewport_size({"width": width, "height": height})
        chat.page.keyboard.press("Control+k")
        expect(options(chat.page).first).to_be_visible()
        chat.page.evaluate(MOTION_ENDS)
        chat.page.screenshot(path=artifacts / f"{theme}-{width}-search-empty.png")
        assert violations(chat.page) == []
        chat.page.get_by_role("button", name="Filters").click()
        box(chat.page).fill("ship")
        expect(options(chat.page)).to_have_count(1)
        chat.page.screenshot(path=artifacts / f"{theme}-{width}-search-found.png")
        assert violations(chat.page) == []
        assert not chat.is_sideways()
        expect(options(chat.page).first).to_be_in_viewport()
        chat.page.keyboard.press("Escape")
        expect(chat.dialog).to_have_count(0)


@pytest.mark.parametrize(("item", "ending"), [("Download as Markdown", ".md"), ("Download as JSON", ".json")])
@pytest.mark.parametrize("place", ["list", "page"])
def test_a_conversation_is_kept_as_a_file(
    item: str, ending: str, place: str, chat: Chat, person: ApiClient
) -> None:
    conversation = person.start_conversation(title="To be kept")["id"]
    person.say(conversation, "Keep *these* words")
    chat.open(conversation)
    if place == "list":
        chat.row("To be kept").hover()
        chat.conversations.get_by_role("button", name="More actions for To be kept").click()
    else:
        chat.page.get_by_role("button", name="More about this conversation").click()
    with chat.page.expect_download() as downloading:
        chat.page.get_by_role("menuitem", name=item).click()
    text = Path(downloading.value.path()).read_text()

    assert downloading.value.suggested_filename.endswith(ending)
    assert "Keep *these* words" in text
    if ending == ".json":
        assert json.loads(text)["format"] == "verbatim-conversation/1"
