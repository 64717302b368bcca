"""The ledger of one's own model calls, and the page of each: against what the runner received and the interface says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat, recorded_reply, rows_of
from tests.browser.conftest import Device
from tests.browser.ledger import Ledger, three_calls
from tests.browser.test_accessibility import SMALL_TARGETS
from tests.browser.test_screens import MOTION_ENDS, WIDTHS, violations
from tests.support.api_client import ApiClient
from tests.support.holding_runner import MODEL_ID, HoldingRunner

CLIPBOARD = "navigator.clipboard.readText()"


@pytest.fixture
def ledger(chat: Chat) -> Ledger:
    return Ledger(chat.page)


def test_every_call_is_there_newest_first_however_it_ended(
    chat: Chat, runner: HoldingRunner, ledger: Ledger
) -> None:
    three_calls(chat, runner)
    chat.page.get_by_role("button", name="Account:").click()
    chat.page.get_by_role("menuitem", name="Model calls").click()

    expect(ledger.rows).to_have_count(3)
    assert ledger.outcomes() == ["Stopped", "Failed", "Complete"]
    complete = ledger.rows.nth(2)
    for text in ("Is it so?", MODEL_ID, "Reply", "Browser", "1,234", "56"):
        expect(complete).to_contain_text(text)
    expect(ledger.table.get_by_role("columnheader", name="User and conversation")).to_have_count(0)


def test_filters_stand_in_the_address_can_be_shared_and_are_taken_away_one_by_one(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient, device: Device
) -> None:
    page = chat.page
    three_calls(chat, runner)
    ledger.open()
    expect(ledger.rows).to_have_count(3)
    page.get_by_label("Outcome").select_option("Failed")
    expect(ledger.rows).to_have_count(1)
    assert "outcome=failed" in page.url
    ledger.more_filters.click()
    page.get_by_label("Model", exact=True).fill(MODEL_ID)
    page.get_by_label("Took at most (seconds)").fill("600")
    page.get_by_role("button", name="Show these calls").click()
    expect(ledger.chips).to_have_count(4)  # three filters, and the button that clears all
    expect(ledger.rows).to_have_count(1)

    other = Ledger(device(person).page)
    other.page.goto(page.url)
    expect(other.rows).to_have_count(1)
    expect(other.chips.first).to_have_accessible_name("Remove filter: Outcome: Failed")

    page.go_back()
    expect(ledger.chips).to_have_count(1)
    page.go_back()
    expect(ledger.rows).to_have_count(3)
    page.go_forward()
    expect(ledger.rows).to_have_count(1)
    ledger.chips.first.click()
    expect(ledger.rows).to_have_count(3)
    expect(ledger.more_filters).to_be_focused()


def test_a_filter_that_cannot_be_is_refused_in_words(ledger: Ledger) -> None:
    ledger.open("?outcome=splendid")
    expect(ledger.page.get_by_role("alert")).to_contain_text("splendid")
    ledger.page.get_by_role("button", name="Clear all filters").click()
    expect(ledger.page.get_by_text("No model has been called yet")).to_be_visible()


def test_the_table_is_walked_by_keyboard_and_coming_back_finds_the_same_line(
    chat: Chat, runner: HoldingRunner, ledger: Ledger
) -> None:
    three_calls(chat, runner)
    ledger.open()
    ledger.link(0).focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown"):
        chat.page.keyboard.press(key)
    expect(ledger.link(2)).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(chat.page.get_by_role("heading", level=1)).to_contain_text("Complete")
    chat.page.go_back()
    expect(ledger.link(2)).to_be_focused()
    # The Tab key passes the table by: it stops at one line of it only.
    chat.page.keyboard.press("Shift+Tab")
    expect(ledger.more_filters).to_be_focused()


def test_earlier_calls_come_when_they_are_asked_for(
    chat: Chat, runner: HoldingRunner, ledger: Ledger
) -> None:
    three_calls(chat, runner)

    def small_pages(route: Route) -> None:
        url = route.request.url
        route.continue_(url=url if "limit=" in url else f"{url}{'&' if '?' in url else '?'}limit=2")

    chat.page.route(lambda url: url.split("?")[0].endswith("/api/model-calls/"), small_pages)
    ledger.open()
    expect(ledger.rows).to_have_count(2)
    chat.page.get_by_role("button", name="Show earlier calls").click()
    expect(ledger.rows).to_have_count(3)
    expect(chat.page.get_by_role("button", name="Show earlier calls")).to_have_count(0)


def test_the_page_of_a_call_holds_the_very_bytes_the_reply_and_where_they_stand(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient
) -> None:
    page = chat.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    runner.play(Script().text("It is **so**.").finish().usage(1234, 56).done())
    chat.say_and_read("Tell me all")
    row = recorded_reply(person, chat.conversation_id)
    call = person.get(f"/api/model-calls/{row['call_id']}/")
    arrived = runner.completions[-1].body
    chat.replies.last.get_by_role("button", name="what did the model see?").click()
    page.get_by_role("link", name="Open as a page").click()

    assert ledger.call_id == row["call_id"]
    expect(page.get_by_text("Identical to what was sent")).to_be_visible()
    expect(page.get_by_text("1,234 tokens in · 56 out")).to_be_visible()
    line = page.get_by_role("list", name="Timeline of attempts").get_by_role("listitem")
    expect(line).to_have_count(1)
    expect(line).to_contain_text(re.compile(r"Attempt 1\s*· Complete"))
    events = page.get_by_role("list", name="Recorded events")
    for event in call["events"]:
        line = events.get_by_role("listitem").filter(has_text=event["topic"])
        expect(line).to_contain_text(f"position {event['position']} · version {event['version']} of the call")
    expect(events).to_contain_text("ReplyRecorded")

    expect(ledger.tab("Reply").get_by_role("region", name="Reply")).to_have_text("It is **so**.")
    panel = ledger.tab("Bytes")
    expect(panel.get_by_role("region", name="Request body")).to_have_text(arrived.decode())
    panel.get_by_role("button", name="Copy as curl").click()
    expect(chat.status).to_contain_text("Copied")
    script = f"curl() {{ cat; }}\n{page.evaluate(CLIPBOARD)}"
    assert subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout == arrived
    with page.expect_download() as raw:
        panel.get_by_role("link", name="Save the bytes").click()
    assert Path(raw.value.path()).read_bytes() == arrived
    page.get_by_role("link", name="Show it in its conversation").click()
    expect(chat.reply_text).to_have_text("It is so.")


def test_a_proof_is_saved_for_each_event(chat: Chat, ledger: Ledger, person: ApiClient) -> None:
    chat.say_and_read("To be proven")
    row = recorded_reply(person, chat.conversation_id)
    ledger.open_call(row["call_id"])
    proofs = chat.page.get_by_role("group", name="Proofs to download")
    for name, event in (("asked for", "requested"), ("How it ended", "terminal"), ("The reply", "reply")):
        with chat.page.expect_download() as saved:
            proofs.get_by_role("button", name=name).click()
        assert saved.value.suggested_filename == f"{row['call_id']}-{event}.tlog-proof"
        assert Path(saved.value.path()).read_text().startswith("c2sp.org/tlog-proof@v1\n")


def test_a_call_is_replayed_into_a_new_branch_when_the_person_says_so(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient
) -> None:
    runner.play(Script().text("The first answer.").complete())
    chat.say_and_read("Once more?")
    conversation = chat.conversation_id
    row = recorded_reply(person, conversation)
    first = runner.completions[-1].body
    version = person.get(f"/api/conversations/{conversation}/")["version"]
    ledger.open_call(row["call_id"])
    chat.page.get_by_role("button", name="Replay this call…").click()
    dialog = chat.page.get_by_role("dialog", name="Replay this call?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(chat.page.get_by_role("button", name="Replay this call…")).to_be_focused()
    assert person.get(f"/api/conversations/{conversation}/")["version"] == version

    runner.play(Script().text("The second answer.").complete())
    chat.page.get_by_role("button", name="Replay this call…").click()
    dialog.get_by_role("button", name="Replay in a new branch").click()
    expect(chat.reply_text).to_have_text("The second answer.")
    chat.wait_for_end()
    assert runner.completions[-1].body == first
    rows = rows_of(person, conversation)
    assert (rows[-1]["sibling_count"], rows[-1]["sibling_index"]) == (2, 1)
    assert row["id"] in rows[-1]["sibling_ids"]


def test_a_call_that_goes_on_is_followed_to_its_end(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient
) -> None:
    runner.play(Script().text("Slowly").hold().text(" but surely.").complete())
    chat.say("How does it go?")
    expect(chat.replies.last).to_contain_text("Slowly")
    reply = rows_of(person, chat.conversation_id)[-1]
    ledger.open_call(reply["call_id"])
    heading = chat.page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Running")
    expect(chat.page.get_by_role("group", name="Proofs to download").get_by_role("button")).to_have_count(1)
    runner.let_go()
    expect(heading).to_contain_text("Complete")


def test_a_call_of_somebody_else_is_the_page_of_an_unknown_one(
    chat: Chat, ledger: Ledger, person: ApiClient, base_url: str
) -> None:
    with ApiClient(base_url) as other:
        other.sign_up()
        started = other.start_conversation(title="Theirs")
        call_id = other.send(started["id"], "Mine alone")["call_id"]
    shown: list[str] = []
    for wanted in (call_id, "00000000-0000-4000-8000-000000000000"):
        ledger.open_call(wanted)
        expect(chat.page.get_by_role("heading", name="This model call is not here")).to_be_visible()
        shown.append(chat.page.get_by_role("main").inner_text())
    assert shown[0] == shown[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_ledger_and_call_are_accessible_and_fit_their_page(
    width: str, theme: str, chat: Chat, runner: HoldingRunner, ledger: Ledger, artifacts: Path
) -> None:
    page = chat.page
    three_calls(chat, runner)
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    faults: dict[str, list[str]] = {}

    def look(name: str) -> None:
        page.mouse.move(1, 1)
        page.evaluate(MOTION_ENDS)
        page.screenshot(path=artifacts / f"{theme}-{width}-{name}.png", full_page=True)
        found = [*violations(page), *page.evaluate(SMALL_TARGETS)]
        if chat.is_sideways():
            found.append("the page is wider than the window")
        if found:
            faults[name] = found

    ledger.open()
    lines = ledger.cards if width == "narrow" else ledger.rows
    expect(lines).to_have_count(3)
    look("ledger")
    ledger.more_filters.click()
    look("ledger-filters")
    ledger.open("?outcome=failed&source=api")
    expect(page.get_by_text("No call fits these filters.")).to_be_visible()
    look("ledger-nothing-fits")
    ledger.open()
    lines.nth(2).get_by_role("link").click()
    expect(page.get_by_text("Identical to what was sent")).to_be_visible()
    look("call")
    for name in ("Changes", "Bytes", "Reply"):
        ledger.tab(name)
        look(f"call-{name.lower()}")
    assert faults == {}
