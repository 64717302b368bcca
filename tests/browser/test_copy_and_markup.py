"""Taking words out exactly as they are, and letting nothing in that a model's words could smuggle."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import expect

from backend.model_runner.script import Script
from tests.browser.chat import REPLY_NAME, Chat
from tests.support.holding_runner import HoldingRunner

CODE = 'def greet(name):\n    if name:\n\t\treturn f"Hi <{name}> & all"\n\n\nprint(greet("x"))'
SOURCE = f"## Title\n\n*Some* **words** & <tags>\n\n```python\n{CODE}\n```\n\n- a\n- b"
DANGEROUS = """Before <img src=x onerror="window.hacked='img'"> after

<script>window.hacked='script'</script>

<iframe src="javascript:parent.hacked='frame'"></iframe>

<style>body { display: none }</style>

<svg onload="window.hacked='svg'"></svg>

[press me](javascript:window.hacked='link')

[press me too](data:text/html,<script>opener.hacked='data'</script>)

[upper case](JaVaScRiPt:window.hacked='case')

![picture](https://tracker.invalid/pixel.png?secret=1)

<a href="https://example.org" onclick="window.hacked='click'">anchor</a>

The end of it."""
CLIPBOARD = "navigator.clipboard.readText()"


def test_copying_a_message_gives_its_source_and_says_so(chat: Chat, runner: HoldingRunner) -> None:
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    runner.play(Script().text(SOURCE).complete())
    chat.say_and_read("Show *me*")
    chat.replies.get_by_role("button", name="Copy message").click()
    expect(chat.status).to_contain_text("Copied")
    assert chat.page.evaluate(CLIPBOARD) == SOURCE

    chat.own.hover()
    chat.own.get_by_role("button", name="Copy message").click()
    chat.until(
        lambda: chat.page.evaluate(CLIPBOARD) == "Show *me*", "the person's own words in the clipboard"
    )


def test_copying_code_gives_exactly_the_code(chat: Chat, runner: HoldingRunner) -> None:
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    runner.play(Script().text(SOURCE).complete())
    chat.say_and_read("Show me")
    chat.replies.locator("code span").first.wait_for()  # coloured: what is copied must not change by that
    chat.replies.get_by_role("button", name="Copy code").click()
    expect(chat.status).to_contain_text("Copied")
    assert chat.page.evaluate(CLIPBOARD) == CODE


def test_html_and_scripts_in_a_message_do_nothing(chat: Chat, runner: HoldingRunner, base_url: str) -> None:
    runner.play(Script().words(DANGEROUS).complete())
    with chat.requests("GET", "") as fetched:
        chat.say_and_read("<img src=x onerror=\"window.hacked='own'\"> <b>mine</b>")
        expect(chat.replies).to_contain_text("The end of it.")
        for name in ("press me", "press me too", "upper case"):
            for place in chat.replies.get_by_text(name, exact=True).all():
                place.click()
        chat.replies.get_by_text("anchor").click()
    reply = chat.page.get_by_role("article", name=REPLY_NAME)

    assert chat.page.evaluate("window.hacked") is None
    assert (
        reply.locator("img, script, iframe, style, object, embed, [onclick], [onerror], [onload]").count()
        == 0
    )
    assert reply.locator("a[href^='javascript' i], a[href^='data' i]").count() == 0
    assert chat.own.locator("img, b").count() == 0
    expect(chat.message).to_be_visible()
    hosts = {urlsplit(request.url).netloc for request in fetched}
    assert hosts <= {urlsplit(base_url).netloc}, "nothing is fetched from anywhere else"
    assert len(chat.page.context.pages) == 1


def test_links_to_elsewhere_show_their_target_and_tell_it_nothing(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().text("See [the manual](https://example.org/manual?page=1).").complete())
    chat.say_and_read("Where?")
    link = chat.replies.get_by_role("link", name="the manual")

    relations = set((link.get_attribute("rel") or "").split())
    assert {"noopener", "noreferrer"} <= relations
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("href", "https://example.org/manual?page=1")
    expect(link).to_have_attribute("title", "https://example.org/manual?page=1")
