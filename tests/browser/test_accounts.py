"""Coming in, going out, and a session that ends in the middle of work."""

from __future__ import annotations

import json
from uuid import uuid4

from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.chat import Chat, rows_of
from tests.support.api_client import PASSWORD, ApiClient
from tests.support.holding_runner import HoldingRunner

NEW_PASSWORD = "an-entirely-different-phrase"


def fill_in(page: Page, email: str, password: str, button: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name=button, exact=True).click()


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Account:").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()


def test_a_person_signs_up_chats_logs_out_and_finds_everything_again(
    context: BrowserContext, runner: HoldingRunner
) -> None:
    page, email = context.new_page(), f"{uuid4().hex[:12]}@example.org"
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    fill_in(page, email, PASSWORD, "Create account")
    chat = Chat(page)
    expect(page.get_by_role("heading", name="Verbatim", level=1)).to_be_visible()
    chat.say_and_read("Remember me")
    log_out(page)
    page.goto("/")
    expect(page.get_by_label("Password", exact=True)).to_be_visible()
    assert "Remember me" not in page.content(), "nothing of theirs is left on the page"

    fill_in(page, email, PASSWORD, "Log in")
    chat.row("Remember me").click()
    expect(chat.own).to_contain_text("Remember me")


def test_a_wrong_password_is_told_and_what_was_typed_stays(
    context: BrowserContext, person: ApiClient
) -> None:
    page = context.new_page()
    page.goto("/login")
    fill_in(page, person.email, "not-the-password", "Log in")

    expect(page.get_by_text("not correct")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value(person.email)
    assert not Chat(page).focus_is_lost()


def test_a_weak_password_and_a_taken_address_are_told_beside_their_fields(
    context: BrowserContext, person: ApiClient
) -> None:
    page = context.new_page()
    page.goto("/signup")
    fill_in(page, f"{uuid4().hex[:12]}@example.org", "12345678", "Create account")
    password = page.get_by_label("Password", exact=True)
    expect(password).to_have_attribute("aria-invalid", "true")
    expect(password).to_be_focused()
    fill_in(page, person.email, PASSWORD, "Create account")
    expect(page.get_by_label("Email")).to_have_attribute("aria-invalid", "true")


def test_fields_say_what_they_are_for_so_that_a_password_manager_can_help(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/login")
    expect(page.get_by_label("Email")).to_have_attribute("autocomplete", "username")
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("autocomplete", "current-password")
    page.goto("/signup")
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("autocomplete", "new-password")


def test_the_password_can_be_changed_and_only_the_new_one_opens_the_door(
    chat: Chat, person: ApiClient
) -> None:
    page = chat.page
    page.get_by_role("button", name="Account:").click()
    page.get_by_role("menuitem", name="Settings").click()
    change = page.get_by_role("button", name="Change password")
    page.get_by_label("Current password").fill("wrong-" + PASSWORD)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    change.click()
    expect(page.get_by_label("Current password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    change.click()
    expect(chat.status).to_have_text("Your password is changed.")
    expect(page.get_by_label("New password")).to_have_value("")

    page.get_by_role("main").get_by_role("button", name="Log out").click()
    fill_in(page, person.email, PASSWORD, "Log in")
    expect(page.get_by_text("not correct")).to_be_visible()
    fill_in(page, person.email, NEW_PASSWORD, "Log in")
    expect(page.get_by_role("button", name="Account:")).to_be_visible()


def test_an_address_asked_for_when_logged_out_is_opened_after_logging_in(
    context: BrowserContext, person: ApiClient, runner: HoldingRunner
) -> None:
    conversation = person.start_conversation(title="Deep")["id"]
    person.say(conversation, "Found me")
    page = context.new_page()
    page.goto(f"/c/{conversation}")
    fill_in(page, person.email, PASSWORD, "Log in")

    expect(Chat(page).own).to_contain_text("Found me")
    assert page.url.endswith(f"/c/{conversation}")


def test_when_the_session_ends_one_logs_in_over_the_page_and_nothing_is_lost(
    chat: Chat, logged_in: BrowserContext, person: ApiClient
) -> None:
    chat.say_and_read("Hello")
    logged_in.clear_cookies()
    chat.say("My precious draft")
    expect(chat.dialog).to_contain_text("You have been logged out")
    expect(chat.dialog.get_by_label("Email")).to_have_value(person.email)
    expect(chat.page.get_by_text("Hello", exact=True).first).to_be_visible()
    chat.dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    chat.dialog.get_by_role("button", name="Log in").click()

    expect(chat.dialog).to_have_count(0)
    expect(chat.message).to_have_value("My precious draft")
    assert not chat.focus_is_lost()
    expect(chat.own).to_have_count(1)
    chat.message.press("Enter")
    chat.wait_for_end(2)
    contents = [row["content"] for row in rows_of(person, chat.conversation_id) if row["role"] == "user"]
    assert contents == ["Hello", "My precious draft"]


def test_a_lost_csrf_token_is_fetched_again_without_a_word(chat: Chat, logged_in: BrowserContext) -> None:
    chat.say_and_read("Hello")
    logged_in.clear_cookies(name="csrftoken")
    with chat.requests("POST", "/messages/") as posts:
        chat.say("Still here")
        chat.wait_for_end(2)
    assert len(posts) == 2, "refused once, then accepted with a new token"
    assert len({post.headers["idempotency-key"] for post in posts}) == 1


def test_a_refused_csrf_token_is_tried_again_once_and_not_more(chat: Chat) -> None:
    chat.say_and_read("Hello")
    problem = {
        "status": 403,
        "code": "csrf_failed",
        "title": "Forbidden",
        "detail": "The CSRF token is missing.",
    }

    def refuse(route: Route) -> None:
        route.fulfill(status=403, content_type="application/problem+json", body=json.dumps(problem))

    chat.page.route("**/messages/", refuse)
    with chat.requests("POST", "/messages/") as posts:
        chat.say("Again and again")
        expect(chat.retry).to_be_enabled()
    assert len(posts) == 2
    expect(chat.message).to_have_value("Again and again")
