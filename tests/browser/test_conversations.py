"""The list of conversations and the way between them."""

from __future__ import annotations

import datetime

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chat import Chat
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner

# Days later, and the heading under which a conversation of today is then found.
LATER = {1: "Yesterday", 5: "Previous 7 days", 20: "Previous 30 days"}


def test_a_first_message_starts_a_conversation_that_is_listed_under_today(chat: Chat) -> None:
    expect(chat.conversations).to_contain_text("Your conversations will be listed here")
    chat.say_and_read("What is ink?")

    expect(chat.row("What is ink?")).to_have_attribute("aria-current", "page")
    expect(chat.conversations.get_by_role("heading", name="Today")).to_be_visible()
    expect(chat.page).to_have_title("What is ink? · Verbatim")
    chat.page.reload()
    expect(chat.row("What is ink?")).to_be_visible()


@pytest.mark.parametrize("days", [1, 5, 20, 400])
def test_the_list_is_grouped_by_the_days_of_the_readers_own_time_zone(
    days: int, chat: Chat, person: ApiClient
) -> None:
    started = person.start_conversation(title="Some time ago")
    [row] = person.get("/api/conversations/", after=started["position"])["results"]
    then = datetime.datetime.fromisoformat(row["updated_at"])
    chat.page.clock.set_fixed_time(then + datetime.timedelta(days=days))
    chat.page.reload()

    heading = LATER.get(days) or f"{then.astimezone():%B %Y}"
    expect(chat.row("Some time ago")).to_be_visible()
    expect(chat.conversations.get_by_role("heading")).to_have_text([heading])


def test_renaming_in_place_is_saved_with_enter_and_given_up_with_escape(
    chat: Chat, person: ApiClient
) -> None:
    conversation = person.start_conversation(title="Old name")
    title = chat.page.get_by_role("textbox", name="Conversation title")
    expect(chat.row("Old name")).to_be_visible()
    chat.act_on("Old name", "Rename")
    expect(title).to_be_focused()
    title.fill("Not this")
    title.press("Escape")
    expect(chat.row("Old name")).to_be_visible()
    chat.until(lambda: not chat.focus_is_lost(), "the focus to be somewhere")

    chat.act_on("Old name", "Rename")
    title.fill("New name")
    title.press("Enter")
    expect(chat.row("New name")).to_be_visible()
    expect(chat.row("Old name")).to_have_count(0)
    chat.until(lambda: not chat.focus_is_lost(), "the focus to be somewhere")
    chat.until(
        lambda: person.get(f"/api/conversations/{conversation['id']}/")["title"] == "New name",
        "the saved name",
    )


def test_a_pinned_conversation_stands_first_until_it_is_unpinned(chat: Chat, person: ApiClient) -> None:
    person.start_conversation(title="Precious")
    person.start_conversation(title="Newer")
    titles = chat.conversations.get_by_role("link")
    expect(titles).to_have_text(["Newer", "Precious"])
    chat.act_on("Precious", "Pin")
    expect(titles).to_have_text(["Precious", "Newer"])
    expect(chat.conversations.get_by_role("heading", name="Pinned")).to_be_visible()
    chat.page.reload()
    expect(titles).to_have_text(["Precious", "Newer"])

    chat.act_on("Precious", "Unpin")
    expect(chat.conversations.get_by_role("heading", name="Pinned")).to_have_count(0)


def test_an_archived_conversation_leaves_the_list_and_can_be_brought_back(
    chat: Chat, person: ApiClient
) -> None:
    person.start_conversation(title="Done with")
    chat.act_on("Done with", "Archive")
    expect(chat.row("Done with")).to_have_count(0)
    chat.page.get_by_role("button", name="Archived", exact=True).click()
    expect(chat.row("Done with")).to_be_visible()
    chat.act_on("Done with", "Unarchive")
    expect(chat.row("Done with")).to_have_count(0)
    chat.page.get_by_role("button", name="back to all conversations").click()
    expect(chat.row("Done with")).to_be_visible()


def test_deleting_asks_first_and_can_be_undone(chat: Chat, person: ApiClient) -> None:
    conversation = person.start_conversation(title="Mistake")
    person.say(conversation["id"], "Hello")
    chat.open(conversation["id"])
    chat.act_on("Mistake", "Delete")
    expect(chat.dialog).to_contain_text("Delete this conversation?")
    chat.dialog.get_by_role("button", name="Cancel").click()
    expect(chat.dialog).to_have_count(0)
    expect(chat.row("Mistake")).to_be_visible()
    chat.until(lambda: not chat.focus_is_lost(), "the focus to be somewhere")

    chat.act_on("Mistake", "Delete")
    chat.dialog.get_by_role("button", name="Delete").click()
    expect(chat.row("Mistake")).to_have_count(0)
    undo = chat.page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    chat.page.wait_for_timeout(5_000)  # the promise itself: it can be undone for at least five seconds
    undo.click()
    expect(chat.row("Mistake")).to_be_visible()
    chat.row("Mistake").click()
    expect(chat.own).to_contain_text("Hello")


def test_the_note_with_undo_lies_on_nothing_that_was_said_last(chat: Chat, person: ApiClient) -> None:
    person.start_conversation(title="To be archived")
    chat.say_and_read("Hello")
    chat.act_on("To be archived", "Archive")
    undo = chat.page.get_by_role("button", name="Undo").bounding_box()
    seal = chat.replies.get_by_role("button", name="what did the model see?").bounding_box()
    composer = chat.message.bounding_box()

    assert undo
    assert seal
    assert composer
    for other in (seal, composer):
        assert undo["y"] + undo["height"] < other["y"] or other["y"] + other["height"] < undo["y"]


def test_a_change_made_elsewhere_is_shown_without_a_reload(
    chat: Chat, logged_in: BrowserContext, person: ApiClient
) -> None:
    conversation = person.start_conversation(title="Seen by both")
    other = Chat(logged_in.new_page())
    other.page.goto("/")
    for tab in (chat, other):
        expect(tab.row("Seen by both")).to_be_visible()
    other.act_on("Seen by both", "Pin")
    expect(chat.conversations.get_by_role("heading", name="Pinned")).to_be_visible()
    person.command("DELETE", f"/api/conversations/{conversation['id']}/", status=202)
    for tab in (chat, other):
        expect(tab.row("Seen by both")).to_have_count(0)


def test_back_and_forward_move_between_conversations(chat: Chat, person: ApiClient) -> None:
    for name in ("One", "Two"):
        person.say(person.start_conversation(title=name)["id"], f"I am {name}")
    chat.row("One").click()
    expect(chat.own).to_contain_text("I am One")
    chat.row("Two").click()
    expect(chat.own).to_contain_text("I am Two")
    chat.page.go_back()
    expect(chat.own).to_contain_text("I am One")
    expect(chat.row("One")).to_have_attribute("aria-current", "page")
    chat.page.go_forward()
    expect(chat.own).to_contain_text("I am Two")
    chat.new_chat.click()
    expect(chat.page.get_by_role("heading", name="Verbatim", level=1)).to_be_visible()


def test_an_unknown_conversation_and_somebody_elses_give_the_same_page_with_a_way_back(
    chat: Chat, base_url: str
) -> None:
    with ApiClient(base_url) as other:
        other.sign_up()
        theirs = other.start_conversation(title="Secret")["id"]
    pages: list[str] = []
    for conversation in (theirs, "00000000-0000-4000-8000-000000000000"):
        chat.page.goto(f"/c/{conversation}")
        expect(chat.page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
        pages.append(chat.page.get_by_role("main").inner_text())
    assert pages[0] == pages[1]
    assert "Secret" not in pages[0]
    chat.page.get_by_role("link", name="Start a new conversation").click()
    expect(chat.message).to_be_visible()


def test_an_old_list_does_not_take_away_what_was_just_written(chat: Chat, person: ApiClient) -> None:
    person.start_conversation(title="Was here before")
    chat.page.reload()
    expect(chat.row("Was here before")).to_be_visible()
    old = person.http.get("/api/conversations/").text
    assert "Just written" not in old
    # From now on every list is the old one, as from a replica that lags behind.
    lists = "**/api/conversations/?*"
    chat.page.route(lists, lambda route: route.fulfill(status=200, content_type="application/json", body=old))
    chat.say_and_read("Just written")
    expect(chat.row("Just written")).to_be_visible()
    with chat.requests("GET", "/api/conversations/?") as fetched:
        chat.page.get_by_role("button", name="Archived", exact=True).click()
        chat.page.get_by_role("button", name="back to all conversations").click()
        chat.new_chat.click()
        chat.until(lambda: fetched, "a list that was fetched again")
    expect(chat.row("Just written")).to_be_visible()


def test_the_model_of_a_conversation_can_be_chosen(
    chat: Chat, person: ApiClient, runner: HoldingRunner
) -> None:
    picker = chat.page.get_by_role("button", name="Model: scripted-model")
    picker.click()
    choice = chat.page.get_by_role("menuitemradio", name="scripted-model")
    expect(choice).to_be_checked()
    choice.click()
    chat.say_and_read("Hello")
    assert runner.completions[-1].json["model"] == "scripted-model"
    expect(picker).to_be_visible()
