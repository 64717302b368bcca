"""What auditors see of other people's calls: how they went; what was said only on request, and never unseen."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.conftest import Device
from tests.browser.ledger import Ledger
from tests.browser.test_screens import MOTION_ENDS, WIDTHS, violations
from tests.support.api_client import ApiClient, Json
from tests.support.holding_runner import HoldingRunner

QUESTION = "A question for nobody else"
ANSWER = "An answer for nobody else"


@pytest.fixture
def foreign(person: ApiClient, runner: HoldingRunner) -> Json:
    """A call of somebody who is no auditor, as they see it themselves."""
    runner.play(Script().text(ANSWER).complete())
    started = person.start_conversation(title="Nobody else's business")
    reply = person.say(started["id"], QUESTION)
    return person.get(f"/api/model-calls/{reply['call_id']}/", after=person.last_position)


@pytest.fixture
def chat_of_auditor(auditor: ApiClient, device: Device) -> Chat:
    return device(auditor)


def test_an_auditor_sees_whose_call_it_is_and_how_it_went_but_nothing_of_what_was_said(
    foreign: Json, person: ApiClient, chat_of_auditor: Chat
) -> None:
    page = chat_of_auditor.page
    ledger = Ledger(page)
    with chat_of_auditor.requests("GET", f"/api/model-calls/{foreign['id']}/") as asked:
        ledger.open(f"?conversation={foreign['conversation_id']}")
        expect(ledger.table.get_by_role("columnheader", name="User and conversation")).to_be_visible()
        expect(ledger.rows.first).to_contain_text(person.email)
        ledger.link(0).click()
        expect(page.get_by_role("list", name="Recorded events")).to_contain_text("ModelCallRequested")
        expect(ledger.show_said).to_be_visible()
    said = [request.url for request in asked if not request.url.split("?")[0].endswith(f"{foreign['id']}/")]
    assert said == []
    text = page.locator("body").inner_text()
    assert QUESTION not in text
    assert ANSWER not in text
    assert "Nobody else's business" not in text
    expect(page.get_by_role("button", name="Replay this call…")).to_have_count(0)
    assert person.get("/api/me/audit-reads/")["results"] == []
    page.get_by_role("link", name=f"All calls of {person.email}").click()
    expect(ledger.chips.first).to_have_accessible_name(f"Remove filter: User: {person.email}")


def test_what_was_said_is_shown_on_request_and_its_owner_sees_who_read_it_once(
    foreign: Json, person: ApiClient, auditor: ApiClient, chat_of_auditor: Chat, device: Device
) -> None:
    ledger = Ledger(chat_of_auditor.page)
    owner = device(person)
    owner.page.goto("/settings")
    readings = owner.page.get_by_role("list", name="Who read my content").get_by_role("listitem")
    expect(owner.page.get_by_text("Nobody has.")).to_be_visible()

    for _ in range(2):  # a reload soon after is the same reading
        ledger.open_call(foreign["id"])
        ledger.show_said.click()
        expect(chat_of_auditor.page.get_by_text(QUESTION)).to_be_visible()
        assert not chat_of_auditor.focus_is_lost()
        expect(ledger.tab("Reply")).to_contain_text(ANSWER)
    owner.page.reload()
    expect(readings).to_have_count(1)
    expect(readings).to_contain_text(auditor.email)
    readings.get_by_role("link", name="A model call").click()
    assert Ledger(owner.page).call_id == foreign["id"]
    expect(owner.page.get_by_text("Identical to what was sent")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_what_an_auditor_sees_is_accessible_and_fits_its_page(
    width: str, theme: str, foreign: Json, chat_of_auditor: Chat, artifacts: Path
) -> None:
    page = chat_of_auditor.page
    ledger = Ledger(page)
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    ledger.open(f"?conversation={foreign['conversation_id']}")
    lines = ledger.cards if width == "narrow" else ledger.rows
    expect(lines).to_have_count(1)
    for name in ("ledger-of-others", "call-of-others"):
        page.mouse.move(1, 1)
        page.evaluate(MOTION_ENDS)
        page.screenshot(path=artifacts / f"{theme}-{width}-{name}.png", full_page=True)
        assert violations(page) == []
        assert not chat_of_auditor.is_sideways()
        if name == "ledger-of-others":
            lines.first.get_by_role("link").click()
            expect(ledger.show_said).to_be_visible()
