"""What did the model see? The panel beside a reply against what the runner received and what the interface says."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat, recorded_reply
from tests.browser.test_screens import MOTION_ENDS, violations
from tests.support.api_client import ApiClient, Json
from tests.support.holding_runner import MODEL_ID, HoldingRunner

CLIPBOARD = "navigator.clipboard.readText()"
LONGEST_TASK = """async () => {
  let longest = 0;
  const watch = new PerformanceObserver(list => {
    for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration);
  });
  watch.observe({type: 'longtask', buffered: false});
  window.longestTask = () => { watch.disconnect(); return longest; };
}"""


def open_panel(chat: Chat) -> Locator:
    """What did the model see, of the last reply."""
    chat.replies.last.get_by_role("button", name="what did the model see?").click()
    panel = chat.page.get_by_role("complementary", name="What did the model see?")
    expect(
        panel.get_by_text("Identical to what was sent").or_(panel.get_by_text("Differs from"))
    ).to_be_visible()
    return panel


def fact(panel: Locator, label: str) -> Locator:
    """The value beside a label."""
    term = panel.page.get_by_role("term").filter(has_text=re.compile(f"^{re.escape(label)}$"))
    return panel.locator("dl > div").filter(has=term).get_by_role("definition")


def changed_prompts(change: Callable[[Json], Json]) -> Callable[[Route], None]:
    """Answers about prompts, as the server gives them, but for what `change` changes."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=change(response.json()))

    return answer


def test_the_seal_opens_what_the_model_saw_and_it_is_identical(chat: Chat, runner: HoldingRunner) -> None:
    chat.say_and_read("Exactly these words")
    panel = open_panel(chat)
    expect(panel).to_contain_text("Identical to what was sent")
    expect(panel.get_by_role("list", name="Messages sent")).to_contain_text("Exactly these words")
    panel.get_by_role("tab", name="Bytes").click()
    expect(panel.get_by_role("region", name="Request body")).to_have_text(
        runner.completions[-1].body.decode()
    )
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)
    assert not chat.focus_is_lost()


def test_the_digests_are_those_of_the_interface_and_of_the_bytes_that_arrived(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    chat.say_and_read("To be proven")
    row = recorded_reply(person, chat.conversation_id)
    told = person.get(f"/api/model-calls/{row['call_id']}/prompt/")
    arrived = hashlib.sha256(runner.completions[-1].body).hexdigest()
    panel = open_panel(chat)
    panel.get_by_text("SHA-256 of the request").click()

    # Recorded before it was sent, rebuilt by the server, computed by this browser: three times the same.
    expect(panel.get_by_text(arrived, exact=True)).to_have_count(3)
    assert told["recorded_sha256"] == told["body_sha256"] == arrived
    with chat.requests("GET", f"/api/model-calls/{row['call_id']}/prompt/") as asked:
        panel.get_by_role("button", name="Rebuild again").click()
        expect(chat.status).to_contain_text("Rebuilt: identical to what was sent")
    assert len(asked) == 1


def test_a_difference_is_said_with_both_digests_and_what_to_do(chat: Chat) -> None:
    chat.say_and_read("To be doubted")
    recorded = "0" * 64
    chat.page.route(
        "**/api/model-calls/*/prompt/*",
        changed_prompts(lambda answer: {**answer, "identical": False, "recorded_sha256": recorded}),
    )
    panel = open_panel(chat)

    expect(panel).to_contain_text("Differs from what was sent")
    expect(panel.get_by_text(recorded, exact=True)).to_be_visible()
    expect(panel).to_contain_text("make verify")


def test_everything_that_is_known_of_a_call_is_told(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    runner.play(Script().text("It is **so**.").finish().usage(1234, 56).done())
    chat.say_and_read("Tell me all")
    row = recorded_reply(person, chat.conversation_id)
    call = person.get(f"/api/model-calls/{row['call_id']}/")
    panel = open_panel(chat)
    panel.get_by_role("tab", name="Call").click()

    expect(fact(panel, "Model")).to_have_text(MODEL_ID)
    expect(fact(panel, "Outcome")).to_have_text("complete (finish reason: stop)")
    expect(fact(panel, "Tokens in the request")).to_have_text("1,234")
    expect(fact(panel, "Tokens in the reply")).to_have_text("56")
    expect(fact(panel, "Time in all").first).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(fact(panel, "Runner")).to_contain_text(call["attempts"][0]["runner"])
    expect(fact(panel, "Call")).to_have_text(call["id"])
    events = panel.get_by_role("list", name="Recorded events")
    for event in call["events"]:
        line = events.get_by_role("listitem").filter(has_text=event["topic"])
        expect(line).to_contain_text(f"position {event['position']} · version {event['version']} of the call")
    expect(events).to_contain_text("ReplyRecorded")
    panel.get_by_text("The reply as it was recorded (JSON)").click()
    recorded = json.loads(panel.get_by_role("region", name="Recorded reply").inner_text())
    assert recorded["content"] == "It is **so**."
    assert recorded["reply_id"] == row["id"]
    expect(events).to_contain_text(recorded["event_id"])

    panel.get_by_role("tab", name="Bytes").click()
    panel.get_by_role("button", name="Copy as curl").click()
    expect(chat.status).to_contain_text("Copied")
    command = chat.page.evaluate(CLIPBOARD)
    assert "/chat/completions" in command
    script = f"curl() {{ cat; }}\n{command}"
    sent = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
    assert sent == runner.completions[-1].body


def test_changes_since_the_previous_call_are_shown(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().text("The first answer.").complete())
    chat.say_and_read("The first question")
    runner.play(Script().text("The second answer.").complete())
    chat.say_and_read("The second question")
    panel = open_panel(chat)
    panel.get_by_role("tab", name="Changes").click()

    expect(panel).to_contain_text("2 messages the same")
    expect(panel).to_contain_text("Model and parameters are the same")
    new = panel.get_by_role("region", name="New: 2 messages")
    expect(new).to_contain_text("The first answer.")
    expect(new).to_contain_text("The second question")


def test_a_prompt_of_a_thousand_messages_does_not_hold_the_page_up(chat: Chat) -> None:
    chat.say_and_read("Long ago")
    text = "word " * 150
    many = [{"role": "user", "content": f"Message {number}: {text}"} for number in range(1, 1001)]

    def lengthen(answer: Json) -> Json:
        return {**answer, "messages": many, "body": json.dumps({"messages": many}), "omitted_count": 12}

    chat.page.route("**/api/model-calls/*/prompt/*", changed_prompts(lengthen))
    chat.page.evaluate(LONGEST_TASK)
    panel = open_panel(chat)
    expect(panel).to_contain_text("12 earlier messages were not sent")
    expect(panel).to_contain_text("Message 1000:")
    assert panel.get_by_role("listitem").count() < 40
    panel.get_by_role("button", name="Show 100 more").click()
    expect(panel).to_contain_text("Message 900:")
    for name in ("Changes", "Bytes", "Call"):
        panel.get_by_role("tab", name=name).click()
        expect(panel.get_by_role("tabpanel", name=name)).to_be_visible()
    longest: Any = chat.page.evaluate("window.longestTask()")

    assert panel.locator("*").count() < 1_500
    assert longest < 500, "no part of it may hold the page up for long, even on a busy machine"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_is_accessible_and_on_a_telephone_a_sheet_that_fits(
    theme: str, chat: Chat, artifacts: Path
) -> None:
    chat.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    chat.say_and_read("On the way")
    chat.say("And on")
    chat.wait_for_end(2)
    look_through(chat, open_panel(chat), artifacts / f"{theme}-1280-proof")
    chat.page.get_by_role("button", name="Close", exact=True).click()
    chat.page.set_viewport_size({"width": 360, "height": 740})
    chat.replies.last.get_by_role("button", name="what did the model see?").click()
    sheet = chat.page.get_by_role("dialog", name="What did the model see?")
    look_through(chat, sheet, artifacts / f"{theme}-360-proof")
    chat.page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    assert not chat.focus_is_lost()


def look_through(chat: Chat, panel: Locator, picture: Path) -> None:
    """Each tab: kept as a picture, checked with axe, never wider than its panel."""
    panel.get_by_text("SHA-256 of the request").click()
    for name in ("Messages", "Changes", "Bytes", "Call"):
        panel.get_by_role("tab", name=name).click()
        expect(panel.get_by_role("tabpanel", name=name)).to_be_visible()
        chat.page.evaluate(MOTION_ENDS)
        chat.page.screenshot(path=f"{picture}-{name.lower()}.png")
        assert violations(chat.page) == []
        assert panel.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert not chat.is_sideways()
