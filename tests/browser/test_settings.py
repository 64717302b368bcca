"""Settings of a conversation and presets: what a person sets is what the model is sent, from then on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Chat, recorded_reply
from tests.browser.test_accessibility import SMALL_TARGETS
from tests.browser.test_screens import MOTION_ENDS, WIDTHS, violations
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner

# The page may fit its window while a part of it can be scrolled sideways.
SIDEWAYS = """() => [...document.querySelectorAll('main, main *, [role=dialog], [role=dialog] *')]
  .filter(e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth)
  .map(e => `can be scrolled sideways: ${e.outerHTML.slice(0, 120)}`)"""
BRIEF = {"name": "Brief", "system_prompt": "Answer in one line.", "params": {"temperature": "0.5"}}


def sent(runner: HoldingRunner) -> dict[str, Any]:
    """What the runner was asked last for."""
    body: dict[str, Any] = json.loads(runner.completions[-1].body)
    return body


def open_settings(chat: Chat) -> None:
    chat.page.get_by_role("button", name="More about this conversation").click()
    chat.page.get_by_role("menuitem", name="Settings…").click()
    expect(chat.page.get_by_role("dialog", name="Conversation settings")).to_be_visible()


def test_what_is_set_is_in_force_from_the_next_message_on(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    page = chat.page
    chat.say_and_read("First")
    default = sent(runner)["messages"][0]
    assert default["role"] == "system"
    first = recorded_reply(person, chat.conversation_id)

    open_settings(chat)
    page.get_by_label("System prompt").fill("You are a pirate.")
    page.get_by_text("Parameters", exact=True).click()
    page.get_by_label("Temperature").fill("9")
    page.get_by_label("Stop texts").fill("END\n\\n\\n")
    page.get_by_role("button", name="Save settings").click()
    refused = page.get_by_label("Temperature")
    expect(refused).to_have_attribute("aria-invalid", "true")
    expect(refused).to_be_focused()
    expect(refused).to_have_accessible_description(re.compile("a number from 0 to 2; found '9'"))
    refused.fill("0.3")
    page.get_by_role("button", name="Save settings").click()
    expect(chat.dialog).to_have_count(0)
    assert not chat.focus_is_lost()

    chat.say("Second")
    chat.wait_for_end(2)
    body = sent(runner)
    assert body["messages"][0] == {"role": "system", "content": "You are a pirate."}
    assert (body["temperature"], body["stop"]) == (0.3, ["END", "\n\n"])
    then = person.get(f"/api/model-calls/{first['call_id']}/prompt/")["messages"]
    assert then[0] == default
    open_settings(chat)
    expect(page.get_by_label("System prompt")).to_have_value("You are a pirate.")
    expect(page.get_by_label("Stop texts")).to_have_value("END\n\\n\\n")
    expect(page.get_by_role("button", name="Save settings")).to_be_disabled()


def test_a_preset_is_made_used_for_a_new_conversation_and_deleted_by_keyboard(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    page = chat.page
    expect(page.get_by_label("Begin with")).to_have_count(0)
    page.goto("/settings")
    page.get_by_role("button", name="New preset…").press("Enter")
    page.get_by_label("Name", exact=True).fill("Brief")
    page.get_by_label("System prompt").fill(str(BRIEF["system_prompt"]))
    page.locator("summary").press("Enter")
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_label("Temperature").press("Enter")
    expect(page.get_by_role("list", name="Presets")).to_contain_text("system prompt · 1 parameter")
    expect(page.get_by_role("button", name="New preset…")).to_be_focused()

    page.goto("/")
    page.get_by_label("Begin with").select_option("Brief")
    chat.say_and_read("Hello")
    body = sent(runner)
    assert body["messages"][0] == {"role": "system", "content": BRIEF["system_prompt"]}
    assert body["temperature"] == 0.5
    settings = person.get(f"/api/conversations/{chat.conversation_id}/")["settings"]
    assert settings["params"] == BRIEF["params"]

    page.goto("/settings")
    page.get_by_role("button", name="Delete Brief").press("Enter")
    expect(chat.dialog).to_contain_text("stay as they are")
    chat.dialog.get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_role("button", name="Edit Brief")).to_have_count(0)
    expect(page.get_by_role("button", name="New preset…")).to_be_focused()
    assert person.get("/api/presets/")["results"] == []


def test_settings_are_kept_as_a_preset_and_filled_in_from_one(chat: Chat, person: ApiClient) -> None:
    page = chat.page
    person.command("POST", "/api/presets/", BRIEF, status=201)
    chat.say_and_read("Hello")
    open_settings(chat)
    page.get_by_label("Fill in from a preset").select_option("Brief")
    page.get_by_role("button", name="Fill in", exact=True).click()
    expect(page.get_by_label("System prompt")).to_have_value(str(BRIEF["system_prompt"]))
    page.get_by_role("button", name="Save as preset…").click()
    page.get_by_label("Name of the preset").fill("Brief")
    page.get_by_label("Name of the preset").press("Enter")
    expect(page.get_by_label("Name of the preset")).to_have_accessible_description(
        re.compile("a preset named 'Brief' already")
    )
    page.get_by_label("Name of the preset").fill("Briefer")
    page.get_by_role("button", name="Save preset").click()
    expect(page.get_by_role("button", name="Save as preset…")).to_be_focused()
    page.mouse.click(3, 3)
    expect(page.get_by_label("System prompt")).to_have_value(str(BRIEF["system_prompt"]))
    page.keyboard.press("Escape")
    expect(chat.dialog).to_have_count(0)
    assert [preset["name"] for preset in person.get("/api/presets/")["results"]] == ["Brief", "Briefer"]
    settings = person.get(f"/api/conversations/{chat.conversation_id}/")["settings"]
    assert settings["system_prompt"] not in ("", BRIEF["system_prompt"])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_its_dialogs_are_accessible_and_fit_the_page(
    width: str, theme: str, chat: Chat, person: ApiClient, artifacts: Path
) -> None:
    page = chat.page
    size = WIDTHS[width]
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    person.command("POST", "/api/presets/", BRIEF, status=201)
    person.command("POST", "/api/presets/", {"name": "A name without any space: " + "m" * 60}, status=201)
    faults: dict[str, list[str]] = {}

    def look(name: str) -> None:
        page.mouse.move(1, 1)
        page.evaluate(MOTION_ENDS)
        page.screenshot(path=artifacts / f"settings-{theme}-{width}-{name}.png")
        found = [*violations(page), *page.evaluate(SMALL_TARGETS), *page.evaluate(SIDEWAYS)]
        if chat.is_sideways():
            found.append("the page is wider than the window")
        if found:
            faults[name] = found

    page.reload()
    expect(page.get_by_label("Begin with")).to_be_visible()
    look("empty-page")
    chat.say_and_read("Hello")
    open_settings(chat)
    look("conversation")
    page.get_by_text("Parameters", exact=True).click()
    page.get_by_label("Seed").fill("soon")
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_label("Seed")).to_be_focused()
    page.get_by_role("button", name="Save as preset…").click()
    look("refused")
    page.keyboard.press("Escape")
    page.goto("/settings")
    expect(page.get_by_role("list", name="Presets")).to_be_visible()
    look("page")
    page.get_by_role("button", name="Edit Brief").click()
    expect(page.get_by_label("Temperature")).to_be_visible()
    look("preset")
    assert faults == {}
