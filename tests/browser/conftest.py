"""Real Chromium against the whole product, which runs as a subprocess beside a scripted model runner.

A pytest process of its own: Playwright's sync API and pytest-asyncio cannot share one. These tests speak only
HTTP to the product and touch none of its modules; every test has a person of its own, so that order is no matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.chat import Chat
from tests.support.api_client import ApiClient
from tests.support.chromium import find_chromium
from tests.support.cuttable_proxy import CuttableProxy
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.stack import Stack, running_stack

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SESSION_COOKIE = "verbatim_session"
ADMINISTRATOR = "administrator@example.org"
# Generous, because nothing here is about speed: a busy machine must not fail a test.
WAIT_MS = 20_000
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    chromium = find_chromium()
    assert chromium, (
        "No Chromium was found. `python -m tests.support.chromium` installs one, or says why not."
    )
    return {"executable_path": chromium, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(base_url: str) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "viewport": {"width": 1280, "height": 800},
        "locale": "en-GB",
        "timezone_id": "Europe/Berlin",
        "color_scheme": "light",
    }


@pytest.fixture(scope="session")
def shared_runner() -> Iterator[HoldingRunner]:
    with HoldingRunner().in_thread() as runner:
        yield runner


@pytest.fixture(scope="session")
def stack(shared_runner: HoldingRunner) -> Iterator[Stack]:
    # Each test says what the runner is asked and answers; titles would ask it now and then.
    settings = {"MODEL_RUNNER_URL": shared_runner.url, "MODEL_RUNNER_MODEL": MODEL_ID, "TITLES": "off"}
    with running_stack(**settings) as running:
        with ApiClient(running.url) as first:
            first.sign_up(
                ADMINISTRATOR
            )  # the first account is the administrator; no test should be that by chance
        yield running


@pytest.fixture(scope="session")
def base_url(stack: Stack) -> str:
    return stack.url


@pytest.fixture
def runner(shared_runner: HoldingRunner) -> Iterator[HoldingRunner]:
    """The shared runner without scripts or requests of earlier tests."""
    shared_runner.reset()
    yield shared_runner
    shared_runner.reset()


@pytest.fixture
def person(base_url: str) -> Iterator[ApiClient]:
    """Somebody who has just signed up: what the server holds for them can be asked without the browser."""
    with ApiClient(base_url) as client:
        client.sign_up()
        yield client


@pytest.fixture
def administrator(base_url: str) -> Iterator[ApiClient]:
    """The one administrator of the stack: a test that makes another one takes that back."""
    with ApiClient(base_url) as client:
        client.log_in(ADMINISTRATOR)
        yield client


@pytest.fixture
def auditor(base_url: str, administrator: ApiClient) -> Iterator[ApiClient]:
    """Somebody who may read the ledger of everybody."""
    with ApiClient(base_url) as client:
        who = client.sign_up()
        administrator.command("PATCH", f"/api/users/{who['id']}/", {"is_auditor": True})
        yield client


@pytest.fixture
def page_faults() -> Iterator[list[str]]:
    """Errors no script caught and everything the content security policy refused: a test with one has failed."""
    faults: list[str] = []
    yield faults
    assert faults == [], "the page had errors of its own"


@pytest.fixture
def context(context: BrowserContext, page_faults: list[str]) -> BrowserContext:
    return watched(context, page_faults)


Device = Callable[[ApiClient], Chat]


@pytest.fixture
def device(
    browser: Browser, browser_context_args: dict[str, Any], page_faults: list[str]
) -> Iterator[Device]:
    """Another browser, in which a person is logged in where their client is: at the first page."""
    with ExitStack() as opened:

        def open_device(person: ApiClient) -> Chat:
            url = str(person.http.base_url).rstrip("/")
            context = browser.new_context(**{**browser_context_args, "base_url": url})
            opened.enter_context(closing(watched(context, page_faults)))
            log_in(context, person, url)
            chat = Chat(context.new_page())
            chat.page.goto("/")
            chat.message.wait_for()
            return chat

        yield open_device


def watched(context: BrowserContext, faults: list[str]) -> BrowserContext:
    context.set_default_timeout(WAIT_MS)

    def watch(page: Page) -> None:
        def on_console(message: ConsoleMessage) -> None:
            if "Content Security Policy" in message.text:
                faults.append(message.text)

        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", on_console)

    context.on("page", watch)
    return context


@pytest.fixture
def logged_in(context: BrowserContext, person: ApiClient, base_url: str) -> BrowserContext:
    """A browser in which the person is logged in already."""
    log_in(context, person, base_url)
    return context


@pytest.fixture
def chat(logged_in: BrowserContext, runner: HoldingRunner) -> Chat:
    """The person's first page: a new conversation."""
    page = logged_in.new_page()
    page.goto("/")
    chat = Chat(page)
    chat.message.wait_for()
    return chat


@pytest.fixture
def proxy(stack: Stack) -> Iterator[CuttableProxy]:
    """A way to the product that can be cut, as a bad network does."""
    with CuttableProxy(stack.port) as running:
        yield running


def log_in(context: BrowserContext, person: ApiClient, url: str) -> None:
    """Give the browser the session that the person's client has."""
    names = (SESSION_COOKIE, "csrftoken")
    values = {name: person.http.cookies.get(name) for name in names}
    assert all(values.values()), f"the product set no such cookies: {values}"
    context.add_cookies([{"name": name, "value": str(values[name]), "url": url} for name in names])
