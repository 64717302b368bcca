"""Leaving for good, a lost password, and a second factor, as people meet them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chat import Chat
from tests.browser.conftest import Device
from tests.browser.test_accessibility import SMALL_TARGETS
from tests.browser.test_accounts import NEW_PASSWORD, fill_in, log_out
from tests.browser.test_screens import MOTION_ENDS, WIDTHS, violations
from tests.browser.test_settings import SIDEWAYS
from tests.support.api_client import PASSWORD, ApiClient
from tests.support.authenticator_app import code_for, next_code_for


def set_up(page: Page) -> tuple[str, list[str]]:
    """Set a second factor up on its page; the secret and the recovery codes that the page shows."""
    page.get_by_role("button", name="Set it up").click()
    secret = (page.get_by_role("group", name="The secret").text_content() or "").replace(" ", "")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Code", exact=True).fill(code_for(secret))
    page.get_by_role("button", name="Turn on").click()
    codes = page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(codes).to_have_count(10)
    return secret, codes.all_text_contents()


def test_somebody_leaves_for_good(chat: Chat, person: ApiClient) -> None:
    page = chat.page
    chat.say_and_read("Remember me")
    page.goto("/settings")
    page.get_by_role("button", name="Delete my account…").click()
    dialog = page.get_by_role("dialog", name="Delete your account?")
    expect(dialog).to_contain_text(
        "What was said, and every model call, under a number instead of your name."
    )
    dialog.get_by_label("Your password").fill("not-the-password")
    dialog.get_by_role("button", name="Delete my account").click()
    expect(dialog.get_by_label("Your password")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Your password")).to_be_focused()
    assert person.get("/api/me/")["email"] == person.email

    dialog.get_by_label("Your password").fill(PASSWORD)
    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Your account is deleted.")).to_be_visible()
    assert "Remember me" not in page.content()
    assert person.http.get("/api/me/").status_code == 401
    fill_in(page, person.email, PASSWORD, "Log in")
    expect(page.get_by_text("not correct")).to_be_visible()


def test_a_lost_password_is_reset_with_a_link_of_an_administrator(
    administrator: ApiClient, person: ApiClient, device: Device, context: BrowserContext
) -> None:
    desk = device(administrator).page
    desk.goto(f"/settings/people?search={person.email}")
    desk.get_by_role("button", name=f"Reset password of {person.email}…").click()
    desk.get_by_role("alertdialog").get_by_role("button", name="Make a link").click()
    shown = desk.get_by_role("dialog", name="Hand this link over")
    link = shown.get_by_role("group", name="The link").text_content() or ""
    shown.get_by_role("button", name="Close").click()
    expect(desk.get_by_role("button", name=f"Reset password of {person.email}…")).to_be_focused()

    page = context.new_page()
    page.goto(link)
    expect(page.get_by_text(f"For {person.email}.")).to_be_visible()
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("status").filter(has_text="Your new password is set.")).to_be_visible()
    fill_in(page, person.email, NEW_PASSWORD, "Log in")
    expect(page.get_by_role("button", name="Account:")).to_be_visible()
    assert person.http.get("/api/me/").status_code == 401, "sessions of before have ended"
    page.goto("/settings")
    reads = page.get_by_role("list", name="Who read my content")
    expect(reads).to_contain_text("Made a link with which your password can be set")
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("This link does not work any more")


def test_a_second_factor_from_setting_it_up_to_turning_it_off(chat: Chat, person: ApiClient) -> None:
    page = chat.page
    page.goto("/settings")
    page.get_by_role("link", name="Protect your log-in").click()
    page.get_by_role("button", name="Set it up").click()
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Set it up")).to_be_focused()
    secret, codes = set_up(page)
    with page.expect_download() as kept:
        page.get_by_role("button", name="Save as a file").click()
    assert all(code in kept.value.path().read_text() for code in codes)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("10 recovery codes are left")).to_be_visible()

    log_out(page)
    fill_in(page, person.email, PASSWORD, "Log in")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Code", exact=True).fill(next_code_for(secret))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Account:")).to_be_visible()

    log_out(page)
    fill_in(page, person.email, PASSWORD, "Log in")
    page.get_by_label("Code", exact=True).fill(codes[0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Account:")).to_be_visible()

    page.goto("/settings/log-in")
    expect(page.get_by_text("9 recovery codes are left")).to_be_visible()
    page.get_by_role("button", name="Turn off…").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Turn off").click()
    proof = page.get_by_role("dialog", name="Is it you?")
    proof.get_by_label("Your password").fill(PASSWORD)
    proof.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Set it up")).to_be_visible()
    log_out(page)
    fill_in(page, person.email, PASSWORD, "Log in")
    expect(page.get_by_role("button", name="Account:")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_its_screens_are_accessible_fit_and_are_kept_as_pictures(
    width: str, theme: str, chat: Chat, administrator: ApiClient, person: ApiClient, artifacts: Path
) -> None:
    page, size = chat.page, WIDTHS[width]
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    faults: dict[str, list[str]] = {}

    def look(name: str) -> None:
        page.evaluate(MOTION_ENDS)
        page.screenshot(path=artifacts / f"access-{name}-{width}-{theme}.png")
        found = [*violations(page), *page.evaluate(SIDEWAYS), *page.evaluate(SMALL_TARGETS)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append("the page is wider than its window")
        if found:
            faults[name] = found

    page.goto("/settings")
    page.get_by_role("button", name="Delete my account…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look("leaving")
    page.goto("/settings/log-in")
    page.get_by_role("button", name="Set it up").click()
    page.get_by_role("img", name="QR code").evaluate("image => image.decode()")
    look("set-up")
    page.get_by_role("button", name="Cancel").click()
    set_up(page)
    look("codes")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("10 recovery codes are left")).to_be_visible()
    look("on")
    log_out_by_cookies(page)
    fill_in(page, person.email, PASSWORD, "Log in")
    expect(page.get_by_label("Code", exact=True)).to_be_visible()
    look("code")
    who = person.get("/api/me/")["id"]
    answer = administrator.command("POST", f"/api/users/{who}/reset-password/", {})
    page.goto(str(answer["path"]))
    expect(page.get_by_label("New password")).to_be_visible()
    look("new-password")
    assert faults == {}


def log_out_by_cookies(page: Page) -> None:
    """At 360 px the menu is in a drawer; here it is not about the menu."""
    page.context.clear_cookies()
    page.goto("/login")


def test_the_people_page_fits_with_what_it_offers_for_the_forgetful(
    administrator: ApiClient, person: ApiClient, device: Device, artifacts: Path
) -> None:
    page = device(administrator).page
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/settings/people?search={person.email}")
    page.get_by_role("button", name=f"Reset password of {person.email}…").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Make a link").click()
    expect(page.get_by_role("dialog", name="Hand this link over")).to_be_visible()
    page.evaluate(MOTION_ENDS)
    page.screenshot(path=artifacts / "access-link-narrow.png")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.screenshot(path=artifacts / "access-people-narrow.png")
    assert [*violations(page), *page.evaluate(SIDEWAYS), *page.evaluate(SMALL_TARGETS)] == []
