"""The first minutes of a new user, in a real browser, through the front end's container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.containers.compose import Compose
from tests.containers.conftest import LONG
from tests.support.api_client import PASSWORD
from tests.support.chromium import get_chromium

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WAIT_MS = 120_000
SOME_WORDS = re.compile(r"\S+\s+\S+\s+\S+\s+\S")


@pytest.fixture
def page(compose: Compose) -> Iterator[Page]:
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=get_chromium(), args=FLAGS)
        page = browser.new_page(base_url=compose.url)
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        yield page
        browser.close()
    assert faults == [], "the page had errors of its own"


def test_somebody_signs_up_sees_a_reply_grow_loads_the_page_again_and_looks_at_the_proof(page: Page) -> None:
    expect.set_options(timeout=WAIT_MS)
    page.goto("/signup")
    page.get_by_label("Email").fill(f"{uuid4().hex[:12]}@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account", exact=True).click()
    page.get_by_role("textbox", name="Message", exact=True).fill(LONG)
    page.get_by_role("textbox", name="Message", exact=True).press("Enter")

    reply = page.get_by_role("article").nth(1)
    text = reply.get_by_role("paragraph").first
    # Until its first word, a note in its place says what it waits for, behind three moving dots.
    expect(reply).to_be_visible()
    expect(reply.locator("p", has=page.locator("[aria-hidden]"))).to_have_count(0)
    expect(text).to_contain_text(SOME_WORDS)
    shown = " ".join(text.inner_text().split()[:3])
    page.reload()
    expect(text).to_contain_text(shown)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    expect(text).to_contain_text(shown)

    reply.get_by_role("button", name="what did the model see?").click()
    panel = page.get_by_role("complementary", name="What did the model see?")
    expect(panel.get_by_text("Identical to what was sent")).to_be_visible()
