"""Every screen of the product, one after the other, for whatever has to be looked at on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from playwright.sync_api import expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner

RICH_REPLY = """## How rainbows form

Sunlight enters a drop of rain and **bends**: each colour by its own angle. At the back of the drop it is
*reflected*, and on its way out it bends once more. See [the long story](https://example.org/rainbow).

1. Refraction on the way in
2. Reflection at the back
3. Refraction on the way out

> The bow is always opposite the sun.

| Colour | Angle |
|---|---|
| red | 42.4° |
| violet | 40.5° |

```python
def angle(n: float) -> float:
    # the angle of least deviation
    return 4 * asin(1 / n) - 2 * asin(1.0)
```
"""
TITLES = (
    "Notes for the garden",
    "A letter to the landlord",
    "Why is the sky blue?",
    "Regular expressions, gently, with a title that is far too long to be shown whole in a narrow list",
    "Reading list for winter",
)


def prepare(person: ApiClient) -> None:
    """Some conversations, so that the list is not bare."""
    for title in TITLES:
        person.start_conversation(title=title)


def screens(chat: Chat, runner: HoldingRunner, *, narrow: bool) -> Iterator[str]:
    """Bring one screen after the other before the person and name it."""
    page = chat.page
    expect(page.get_by_text("nothing leaves it")).to_be_visible()
    if not narrow:
        expect(chat.row(TITLES[0])).to_be_visible()
    yield "empty"

    runner.play(Script().headers().hold().text(RICH_REPLY[:180]).hold().text(RICH_REPLY[180:]).complete())
    chat.say("How do rainbows form? Please with a table and a little code.")
    expect(chat.replies).to_contain_text("Thinking…")
    yield "thinking"
    runner.let_go()
    expect(chat.replies).to_contain_text("Sunlight enters")
    yield "streaming"
    runner.let_go()
    chat.replies.locator("code span").first.wait_for()
    chat.wait_for_end()
    yield "conversation"

    if narrow:
        page.get_by_role("button", name="Show conversations").click()
        expect(page.get_by_role("dialog", name="Conversations")).to_be_visible()
        yield "drawer"
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)

    chat.replies.get_by_role("button", name="what did the model see?").click()
    expect(page.get_by_text("Identical to what was sent")).to_be_visible()
    yield "inspector"
    page.get_by_role("button", name="Close", exact=True).click()

    runner.play(Script().words("As far as it came before").error(message="the model ran out of memory"))
    chat.say("And a double rainbow?")
    expect(chat.replies.last).to_contain_text("out of memory")
    expect(chat.retry).to_be_enabled()
    yield "failed"
    runner.play(Script().words("A double rainbow shows the colours").hold().text(" never").complete())
    chat.say("Try once more")
    expect(chat.replies.last).to_contain_text("the colours")
    chat.stop.click()
    expect(chat.replies.last).to_contain_text("Stopped")
    yield "stopped"

    page.get_by_role("button", name="Model: scripted-model").click()
    expect(page.get_by_role("menu")).to_be_visible()
    yield "model-menu"
    page.keyboard.press("Escape")
    if not narrow:
        yield from _dialogs(chat)

    page.goto("/c/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
    yield "not-found"
    page.goto("/settings")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    yield "settings"
    page.get_by_role("main").get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    yield "login"
    # After five refusals in five minutes an address is locked for a while; each walk takes one of its own.
    page.get_by_label("Email").fill(f"nobody-{uuid4().hex[:8]}@example.org")
    page.get_by_label("Password", exact=True).fill("not-the-password")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_text("not correct")).to_be_visible()
    yield "login-refused"
    page.get_by_role("link", name="Create an account").click()
    expect(page.get_by_role("heading", name="Create your account")).to_be_visible()
    yield "sign-up"


def _dialogs(chat: Chat) -> Iterator[str]:
    title = TITLES[-1]
    chat.act_on(title, "Pin")
    chat.row(title).hover()
    chat.conversations.get_by_role("button", name=f"More actions for {title}").click()
    expect(chat.page.get_by_role("menu")).to_be_visible()
    yield "conversation-menu"
    chat.page.get_by_role("menuitem", name="Delete").click()
    expect(chat.dialog).to_contain_text("Delete this conversation?")
    yield "delete-dialog"
    chat.dialog.get_by_role("button", name="Delete").click()
    expect(chat.page.get_by_role("button", name="Undo")).to_be_visible()
    yield "deleted"
    chat.page.keyboard.press("Control+/")
    expect(chat.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    yield "shortcuts"
    chat.page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)
