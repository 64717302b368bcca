"""The people of an installation: roles, deactivating, and what the server does not let go."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chat import Chat
from tests.browser.conftest import ADMINISTRATOR, Device
from tests.browser.test_accessibility import SMALL_TARGETS
from tests.browser.test_screens import MOTION_ENDS, WIDTHS, violations
from tests.support.api_client import ApiClient


@pytest.fixture
def desk(administrator: ApiClient, device: Device) -> Chat:
    """The administrator's browser, at the people."""
    chat = device(administrator)
    chat.page.goto("/settings")
    chat.page.get_by_role("link", name="Manage people").click()
    expect(chat.page.get_by_role("heading", name="People", level=1)).to_be_visible()
    return chat


def find(desk: Chat, email: str) -> Locator:
    """The line of somebody, looked for by their email."""
    desk.page.get_by_label("Find by name or email").fill(email)
    rows = desk.page.get_by_role("list", name="People").get_by_role("listitem")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(email)
    return rows


def test_somebody_is_made_an_auditor_and_sees_everybody_s_calls(
    desk: Chat, person: ApiClient, device: Device
) -> None:
    row = find(desk, person.email)
    row.get_by_role("checkbox", name="Auditor").click()
    expect(desk.status).to_contain_text("is an auditor now")
    assert person.get("/api/me/")["is_auditor"] is True
    page = device(person).page
    page.goto("/audit/calls")
    expect(page.get_by_text("Everybody’s calls to models")).to_be_visible()
    desk.page.reload()
    expect(find(desk, person.email).get_by_role("checkbox", name="Auditor")).to_be_checked()


def test_somebody_is_deactivated_is_out_at_once_and_comes_back(
    desk: Chat, person: ApiClient, device: Device
) -> None:
    theirs = device(person)
    row = find(desk, person.email)
    row.get_by_role("button", name=f"Deactivate {person.email}…").click()
    question = desk.page.get_by_role("alertdialog")
    expect(question).to_contain_text("logged out everywhere at once")
    question.get_by_role("button", name="Cancel").click()
    assert person.get("/api/me/")["email"] == person.email
    row.get_by_role("button", name=f"Deactivate {person.email}…").click()
    question.get_by_role("button", name="Deactivate", exact=True).click()
    expect(row).to_contain_text("Deactivated")
    desk.until(lambda: not desk.focus_is_lost(), "the focus after deactivating")

    assert person.http.get("/api/me/").status_code == 401
    theirs.page.reload()
    expect(theirs.page.get_by_role("heading", name="Welcome back")).to_be_visible()
    row.get_by_role("button", name=f"Activate {person.email}").click()
    expect(row).not_to_contain_text("Deactivated")
    person.log_in(person.email)


def test_the_last_administrator_stays_and_is_told_why(desk: Chat) -> None:
    row = find(desk, ADMINISTRATOR)
    row.get_by_role("checkbox", name="Administrator").click()
    desk.page.get_by_role("alertdialog").get_by_role("button", name="Give it up").click()
    expect(row.get_by_role("alert")).to_contain_text("the only administrator")
    expect(row.get_by_role("checkbox", name="Administrator")).to_be_checked()
    row.get_by_role("button", name=f"Deactivate {ADMINISTRATOR}…").click()
    desk.page.get_by_role("alertdialog").get_by_role("button", name="Deactivate", exact=True).click()
    expect(row.get_by_role("alert")).to_contain_text("the only administrator")
    expect(row.get_by_role("button", name=f"Deactivate {ADMINISTRATOR}…")).to_be_visible()


def test_nobody_else_finds_this_page(chat: Chat) -> None:
    chat.page.goto("/settings")
    expect(chat.page.get_by_role("heading", name="Who read my content")).to_be_visible()
    expect(chat.page.get_by_role("link", name="Manage people")).to_have_count(0)
    chat.page.goto("/settings/people")
    expect(chat.page.get_by_role("heading", name="This page is not here")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_people_are_accessible_and_fit_their_page(
    width: str, theme: str, desk: Chat, artifacts: Path
) -> None:
    page = desk.page
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    expect(page.get_by_role("list", name="People").get_by_role("listitem").first).to_be_visible()
    page.evaluate(MOTION_ENDS)
    page.screenshot(path=artifacts / f"{theme}-{width}-people.png", full_page=True)
    assert [*violations(page), *page.evaluate(SMALL_TARGETS)] == []
    assert not desk.is_sideways()
