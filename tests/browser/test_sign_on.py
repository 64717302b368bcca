"""Log-in through another service in a real browser, against a real small provider: there and back under the strict policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import log_in, watched
from tests.browser.test_accounts import fill_in, log_out
from tests.browser.test_screens import MOTION_ENDS, violations
from tests.support.api_client import PASSWORD, ApiClient
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, running_oidc_provider
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="module")
def service() -> Iterator[OidcProvider]:
    with running_oidc_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def stack_with_service(shared_runner: HoldingRunner, service: OidcProvider) -> Iterator[Stack]:
    settings = {
        "MODEL_RUNNER_URL": shared_runner.url,
        "MODEL_RUNNER_MODEL": MODEL_ID,
        "TITLES": "off",
        "OIDC_SERVER_URL": service.url,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_NAME": "Our staff",
    }
    with running_stack(**settings) as running:
        with ApiClient(running.url) as first:
            first.sign_up("administrator@example.org")
        yield running


@pytest.fixture
def page(
    browser: Browser,
    browser_context_args: dict[str, Any],
    stack_with_service: Stack,
    page_faults: list[str],
) -> Iterator[Page]:
    """A browser of somebody whom the installation with the service does not know yet. A refusal of the policy fails the test."""
    context: BrowserContext = browser.new_context(
        **{**browser_context_args, "base_url": stack_with_service.url}
    )
    yield watched(context, page_faults).new_page()
    context.close()


def test_somebody_new_comes_in_leaves_and_comes_back(
    page: Page, service: OidcProvider, artifacts: Path
) -> None:
    service.claims = {
        "sub": "g-1",
        "name": "Grace Hopper",
        "email": "grace@example.org",
        "email_verified": True,
    }
    page.goto("/login")
    button = page.get_by_role("button", name="Continue with Our staff")
    expect(button).to_be_visible()
    page.evaluate(MOTION_ENDS)
    page.screenshot(path=artifacts / "sign-on-button.png")
    assert violations(page) == []

    button.press("Enter")
    expect(page.get_by_role("button", name="Account: Grace Hopper")).to_be_visible()
    log_out(page)
    page.get_by_role("button", name="Continue with Our staff").click()
    expect(page.get_by_role("button", name="Account: Grace Hopper")).to_be_visible()
    page.goto("/settings")
    expect(page.get_by_role("button", name="Set a password")).to_be_visible()
    page.get_by_role("button", name="Delete my account…").click()
    expect(page.get_by_label("Type grace@example.org to confirm")).to_be_visible()


def test_an_account_here_is_connected_by_its_owner_and_by_nobody_else(
    page: Page, service: OidcProvider, stack_with_service: Stack
) -> None:
    with ApiClient(stack_with_service.url) as ada:
        ada.sign_up("ada@example.org")
        service.claims = {"sub": "a-1", "name": "Ada", "email": "ada@example.org", "email_verified": True}
        page.goto("/login")
        page.get_by_role("button", name="Continue with Our staff").click()
        expect(page.get_by_role("alert")).to_contain_text(
            "There is an account with your email address here already."
        )

        fill_in(page, "ada@example.org", PASSWORD, "Log in")
        expect(page.get_by_role("button", name="Account:")).to_be_visible()
        page.goto("/settings/log-in")
        page.get_by_role("button", name="Connect Our staff").click()
        proof = page.get_by_role("dialog", name="Is it you?")
        proof.get_by_label("Your password").fill(PASSWORD)
        proof.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("You can log in with it.")).to_be_visible()
        assert page.url.endswith("/settings/log-in?from=service")
        log_out(page)
        page.get_by_role("button", name="Continue with Our staff").click()
        expect(page.get_by_role("button", name="Account: ada")).to_be_visible()


def test_turning_back_there_is_said_and_nothing_else(page: Page, service: OidcProvider) -> None:
    service.deny = True
    try:
        page.goto("/login")
        page.get_by_role("button", name="Continue with Our staff").click()
        expect(page.get_by_role("alert")).to_contain_text("You turned back at the other service.")
    finally:
        service.deny = False


def test_an_installation_without_it_shows_no_button(
    browser: Browser, base_url: str, person: ApiClient
) -> None:
    context = browser.new_context(base_url=base_url)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto("/login")
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("button", name="Continue with")).to_have_count(0)
    log_in(context, person, base_url)
    page.goto("/settings/log-in")
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    expect(page.get_by_role("heading", level=2)).to_have_count(1)
    context.close()
