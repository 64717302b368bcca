"""Every screen, light and dark, wide and narrow: kept as a picture, checked with axe, never wider than the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.screens import TITLES, prepare, screens
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner
from tests.support.stack import REPOSITORY

AXE = REPOSITORY / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
WIDTHS = {"wide": (1440, 900), "medium": (1024, 768), "narrow": (360, 740)}
# A colour in the middle of a fade is no colour anybody reads: looked at when all motion has ended.
MOTION_ENDS = "Promise.all(document.getAnimations().filter(a => a.effect.getTiming().iterations !== Infinity).map(a => a.finished.catch(() => {})))"
README_REPLY = """## Three ways to keep a promise

A promise to yourself is easiest to keep when it is **small**, **visible** and **shared**.

- Write it down where you will see it tomorrow
- Tie it to something you do anyway, such as making tea
- Tell one person, and tell them again on Friday

Counting helps too. A few lines are enough:

```python
from datetime import date, timedelta

def streak(days: set[date]) -> int:
    \"\"\"How many days in a row, ending today?\"\"\"
    today, length = date.today(), 0
    while today - timedelta(length) in days:
        length += 1
    return length
```

Call it each evening, and the number"""


def violations(page: Page) -> list[str]:
    """What axe has to say against the page as it stands."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    found: list[dict[str, Any]] = page.evaluate("options => axe.run(document, options)", options)[
        "violations"
    ]
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for violation in found
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_screen_is_accessible_fits_its_page_and_is_kept_as_a_picture(
    width: str, theme: str, chat: Chat, runner: HoldingRunner, person: ApiClient, artifacts: Path
) -> None:
    assert AXE.exists(), f"{AXE} is missing: install the front end's packages first (`make test` does)."
    prepare(person)
    size = WIDTHS[width]
    chat.page.set_viewport_size({"width": size[0], "height": size[1]})
    chat.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    faults: dict[str, list[str]] = {}
    for number, name in enumerate(screens(chat, runner, narrow=width == "narrow"), start=1):
        chat.page.mouse.move(1, 1)
        chat.page.evaluate(MOTION_ENDS)
        chat.page.screenshot(path=artifacts / f"{theme}-{width}-{number:02}-{name}.png")
        found = violations(chat.page)
        if chat.is_sideways():
            found.append("the page is wider than the window")
        if found:
            faults[name] = found
    assert faults == {}


def test_the_picture_in_the_readme_shows_a_reply_while_it_is_written(
    logged_in: BrowserContext, runner: HoldingRunner, person: ApiClient, artifacts: Path
) -> None:
    for title in reversed(TITLES):
        person.start_conversation(title=title)
    page = logged_in.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/")
    chat = Chat(page)
    runner.play(Script().text(README_REPLY).hold().text(" grows.").complete())
    chat.say("How do I keep a promise to myself? Add a little Python that counts the days.")
    expect(chat.replies).to_contain_text("Call it each evening")
    expect(chat.replies.get_by_role("heading", name="Three ways to keep a promise")).to_be_visible()
    chat.replies.locator("code span").first.wait_for()
    expect(chat.stop).to_be_visible()
    expect(chat.row(TITLES[0])).to_be_visible()
    page.evaluate("document.fonts.ready.then(() => true)")
    page.screenshot(path=artifacts / "readme-chat.png")
    assert (artifacts / "readme-chat.png").stat().st_size > 20_000
