"""An installation that sends mail, in a real browser and with a real mail server: addresses are confirmed, passwords replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chat import Chat
from tests.browser.conftest import watched
from tests.browser.test_accounts import fill_in, log_out
from tests.browser.test_screens import MOTION_ENDS, violations
from tests.support.api_client import PASSWORD
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.mail_server import MailServer, link_in, running_mail_server
from tests.support.stack import Stack, running_stack

NEW_PASSWORD = "an-entirely-different-phrase"


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    with running_mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def mailing(shared_runner: HoldingRunner, mails: MailServer) -> Iterator[Stack]:
    settings = {
        "MODEL_RUNNER_URL": shared_runner.url,
        "MODEL_RUNNER_MODEL": MODEL_ID,
        "TITLES": "off",
        "EMAIL_URL": mails.url,
        "EMAIL_FROM": "Verbatim <verbatim@example.org>",
    }
    with running_stack(**settings) as running:
        yield running


@pytest.fixture
def page(
    browser: Browser, browser_context_args: dict[str, Any], mailing: Stack, page_faults: list[str]
) -> Iterator[Page]:
    context = browser.new_context(**{**browser_context_args, "base_url": mailing.url})
    yield watched(context, page_faults).new_page()
    context.close()


def sign_up(page: Page, email: str) -> None:
    page.goto("/signup")
    fill_in(page, email, PASSWORD, "Create account")
    expect(page.get_by_role("status").filter(has_text="open the link in the email")).to_be_visible()


def confirm(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="This is my address", exact=True).click()


def someone() -> str:
    return f"{uuid4().hex[:12]}@example.org"


def test_a_new_person_confirms_the_address_and_is_in(page: Page, mails: MailServer, artifacts: Path) -> None:
    email = someone()
    sign_up(page, email)
    link = link_in(mails.take(email))
    page.goto(link)
    expect(page.get_by_text(email)).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate(MOTION_ENDS)
    page.screenshot(path=artifacts / "confirm-address-360.png")
    assert violations(page) == []
    assert not Chat(page).is_sideways()

    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_role("button", name="This is my address", exact=True).click()
    expect(page.get_by_text("Your address is confirmed.").first).to_be_visible()
    chat = Chat(page)
    chat.say_and_read("Here I am")

    log_out(page)
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("This link does not work any more")


def test_a_forgotten_password_is_replaced(page: Page, mails: MailServer, artifacts: Path) -> None:
    email = someone()
    sign_up(page, email)
    confirm(page, link_in(mails.take(email)))
    expect(page.get_by_text("Your address is confirmed.").first).to_be_visible()
    log_out(page)

    page.goto("/login")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Email").press("Enter")
    expect(page.get_by_role("status").filter(has_text=f"on its way to {email}")).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate(MOTION_ENDS)
    page.screenshot(path=artifacts / "forgotten-password-360.png")
    assert violations(page) == []
    assert not Chat(page).is_sideways()

    page.goto(link_in(mails.take(email)))
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set password", exact=True).click()
    fill_in(page, email, NEW_PASSWORD, "Log in")
    expect(Chat(page).message).to_be_visible()


def test_a_mail_server_in_trouble_is_told(page: Page, mails: MailServer, page_faults: list[str]) -> None:
    mails.refuse = "451 try later"
    try:
        page.goto("/signup")
        fill_in(page, someone(), PASSWORD, "Create account")
        expect(page.get_by_role("alert")).to_contain_text("The email could not be sent")
    finally:
        mails.refuse = ""


def test_where_no_mail_is_sent_people_learn_whom_to_ask(
    browser: Browser, browser_context_args: dict[str, Any], page_faults: list[str]
) -> None:
    context = browser.new_context(**browser_context_args)
    page = watched(context, page_faults).new_page()
    page.goto("/login")
    page.get_by_role("link", name="Forgot your password?").click()
    expect(page.get_by_text("Ask an administrator for a link")).to_be_visible()
    page.get_by_role("link", name="Back to log in").click()
    expect(page.get_by_label("Password", exact=True)).to_be_visible()
    context.close()
