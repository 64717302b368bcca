"""API tokens as a person meets them: made, shown once, used by a real program, seen in the ledger, revoked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.ledger import Ledger
from tests.browser.test_accessibility import SMALL_TARGETS
from tests.browser.test_screens import MOTION_ENDS, WIDTHS, violations
from tests.support.api_client import ApiClient, Json
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.openai_program import token_for

TOKEN_LENGTH = 64
MOST_TOKENS = 100
QUESTION = {"model": MODEL_ID, "messages": [{"role": "user", "content": "Is anybody there?"}]}


class TokensPage:
    """One tab at the tokens."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.name = page.get_by_role("textbox", name="Name of a new token")
        self.rows = page.get_by_role("list", name="API tokens").get_by_role("listitem")
        self.shown = page.get_by_role("group", name="The token", exact=True)
        self.question = page.get_by_role("alertdialog")

    def open(self) -> None:
        self.page.goto("/settings/tokens")
        expect(self.page.get_by_role("heading", name="API tokens", level=1)).to_be_visible()

    def make(self, name: str) -> str:
        self.name.fill(name)
        self.name.press("Enter")
        expect(self.page.get_by_role("heading", name=f"“{name}” is made")).to_be_focused()
        return self.shown.inner_text()

    def revoke(self, name: str) -> None:
        self.page.get_by_role("button", name=f"Revoke {name}…", exact=True).click()
        self.question.get_by_role("button", name="Revoke", exact=True).click()

    def example(self, name: str) -> Locator:
        return self.page.get_by_role("group", name=name)


@pytest.fixture
def desk(chat: Chat) -> TokensPage:
    """Somebody without a token, at the tokens."""
    page = TokensPage(chat.page)
    page.open()
    return page


def ask(base_url: str, token: str) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{base_url}/v1/chat/completions", json=QUESTION, headers=bearer, timeout=30)


def test_the_settings_and_the_search_lead_to_the_tokens(chat: Chat) -> None:
    page = chat.page
    page.goto("/settings")
    page.get_by_role("link", name="Manage API tokens").click()
    expect(page).to_have_title("API tokens · Verbatim")
    expect(page.get_by_text("No tokens yet.")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="What programs can ask").click()
    expect(opened.value.get_by_text("POST /v1/chat/completions")).to_be_in_viewport()
    page.goto("/")
    chat.message.press("Control+k")
    page.get_by_role("option", name="API tokens").click()
    expect(page.get_by_role("heading", name="API tokens", level=1)).to_be_visible()


def test_a_token_is_made_used_by_a_program_seen_in_the_ledger_and_revoked(
    desk: TokensPage, chat: Chat, base_url: str, runner: HoldingRunner
) -> None:
    page = desk.page
    token = desk.make("My editor")
    assert len(token) == TOKEN_LENGTH
    expect(desk.rows).to_contain_text(["My editor"])
    expect(desk.rows).to_contain_text(f"Begins with {token[:8]}")
    expect(desk.rows).to_contain_text("never used")

    runner.play(Script().text("Yes, **I** am.").complete())
    answer = ask(base_url, token)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "Yes, **I** am."
    page.reload()
    expect(desk.rows).to_contain_text("last used")
    expect(desk.shown).to_have_count(0)
    assert token not in page.content()

    page.get_by_role("link", name="your model calls").click()
    ledger = Ledger(page)
    expect(ledger.rows).to_have_count(1)
    assert ledger.outcomes() == ["Complete"]
    ledger.link(0).click()
    assert ledger.call_id == answer.headers["X-Model-Call-Id"]
    expect(page.get_by_text("A call of another program for you")).to_be_visible()
    expect(ledger.tab("Reply")).to_contain_text("Yes, **I** am.")
    page.get_by_role("link", name="Show it in its conversation").click()
    expect(chat.replies).to_contain_text("Yes, I am.")
    assert chat.conversation_id == answer.headers["X-Conversation-Id"]

    desk.open()
    page.get_by_role("button", name="Revoke My editor…").click()
    expect(desk.question).to_contain_text("“My editor” are refused from now on")
    page.keyboard.press("Escape")
    expect(desk.rows).to_have_count(1)
    desk.revoke("My editor")
    expect(page.get_by_text("No tokens yet.")).to_be_visible()
    expect(desk.name).to_be_focused()
    refused = ask(base_url, token)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert token not in refused.text


def test_the_examples_work_as_they_stand(
    desk: TokensPage, context: BrowserContext, runner: HoldingRunner
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    token = desk.make("From the examples")
    desk.page.get_by_role("button", name="Copy token").click()
    assert desk.page.evaluate("navigator.clipboard.readText()") == token
    desk.page.get_by_role("button", name="Copy the curl example").click()
    command: str = desk.page.evaluate("navigator.clipboard.readText()")
    assert command == desk.example("curl").inner_text()
    runner.play(Script().text("Hello to the terminal").complete())
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=30)
    assert "Hello to the terminal" in done.stdout

    program = desk.example("Python, with the openai package").inner_text()
    runner.play(Script().text("Hello to Python").complete())
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout.strip(), done.returncode) == ("Hello to Python", 0), done.stderr
    desk.page.get_by_role("button", name="Done").click()
    expect(desk.name).to_be_focused()
    expect(desk.example("curl")).to_contain_text("Bearer YOUR-TOKEN")
    assert token not in desk.page.content()


def test_what_the_server_refuses_stands_at_the_name_and_the_name_stays(
    desk: TokensPage, person: ApiClient
) -> None:
    desk.name.fill("   ")
    desk.name.press("Enter")
    expect(desk.name).to_have_accessible_description(re.compile("The name is empty"))
    assert person.get("/api/tokens/")["results"] == []
    for number in range(MOST_TOKENS):
        token_for(person, f"Program {number}")
    desk.name.fill("One too many")
    desk.name.press("Enter")
    expect(desk.name).to_have_accessible_description(re.compile("100 API tokens, which is the limit"))
    expect(desk.name).to_have_value("One too many")
    expect(desk.name).to_be_focused()
    desk.page.reload()
    expect(desk.rows).to_have_count(MOST_TOKENS)
    desk.revoke("Program 7")
    expect(desk.rows).to_have_count(MOST_TOKENS - 1)
    desk.make("One again")


def test_a_name_may_be_as_long_as_its_field_in_any_script(desk: TokensPage) -> None:
    desk.make("é" * 150)
    desk.make("🧪" * 75)
    expect(desk.rows).to_have_count(2)


def test_another_window_made_and_revoked_them_too(desk: TokensPage, chat: Chat, person: ApiClient) -> None:
    token_for(person, "Elsewhere")
    other = TokensPage(chat.page.context.new_page())
    other.open()
    desk.page.reload()
    expect(desk.rows).to_contain_text(["Elsewhere"])
    other.revoke("Elsewhere")
    expect(other.rows).to_have_count(0)
    desk.revoke("Elsewhere")
    expect(desk.page.get_by_role("alert")).to_contain_text("You have no API token")
    expect(desk.rows).to_have_count(0)


def test_the_keyboard_is_enough(desk: TokensPage) -> None:
    page = desk.page
    desk.make("By keyboard")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy token")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(desk.name).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Revoke By keyboard…")).to_be_focused()
    page.keyboard.press("Enter")
    expect(desk.question).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Revoke By keyboard…")).to_be_focused()


LONG_NAMES = ["W" * 150, "محرر النصوص الخاص بي", "🧪" * 37]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_tokens_are_accessible_and_fit_their_page(
    width: str, theme: str, desk: TokensPage, chat: Chat, person: ApiClient, artifacts: Path
) -> None:
    page = desk.page
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    expect(page.get_by_text("No tokens yet.")).to_be_visible()
    faults: Json = {}

    def look(name: str) -> None:
        page.evaluate(MOTION_ENDS)
        # What scrolls is a part of the page: only a window of its height shows all of it.
        height = page.evaluate(
            "Math.max(...[...document.querySelectorAll('main *')].map(e => e.scrollHeight)) + 80"
        )
        page.set_viewport_size({"width": WIDTHS[width][0], "height": max(height, WIDTHS[width][1])})
        page.screenshot(path=artifacts / f"{theme}-{width}-tokens-{name}.png")
        page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
        found = [*violations(page), *page.evaluate(SMALL_TARGETS)]
        if chat.is_sideways():
            found.append("the page is wider than the window")
        if found:
            faults[name] = found

    look("none")
    for name in LONG_NAMES:
        token_for(person, name)
    page.reload()
    expect(desk.rows).to_have_count(len(LONG_NAMES))
    desk.make("My editor")
    look("made")
    page.get_by_role("button", name="Revoke My editor…").click()
    expect(desk.question).to_be_visible()
    look("question")
    assert faults == {}
