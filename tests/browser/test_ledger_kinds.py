"""Calls of every kind in the ledger and on their pages, odd addresses, and words of any length and direction."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Locator, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat, recorded_reply
from tests.browser.conftest import Device
from tests.browser.ledger import Ledger
from tests.support.api_client import ApiClient
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.openai_program import call_of, token_for

ARABIC = "مرحبا بالعالم 🧪 كيف حالك اليوم؟"
ONE_LINE = 40


@pytest.fixture
def ledger(chat: Chat) -> Ledger:
    return Ledger(chat.page)


def height_of(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["height"]


def test_a_call_that_was_tried_again_shows_both_attempts(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient
) -> None:
    runner.play(Script().respond(503, {"error": {"message": "Loading model"}}))
    runner.play(Script().text("Now it is there.").complete())
    chat.say_and_read("Are you loaded?")
    ledger.open_call(recorded_reply(person, chat.conversation_id)["call_id"])
    expect(chat.page.get_by_role("heading", level=1)).to_contain_text("Complete")
    lines = chat.page.get_by_role("list", name="Timeline of attempts").get_by_role("listitem")
    expect(lines).to_have_text([re.compile(r"^Attempt 1\s*· Failed"), re.compile(r"^Attempt 2\s*· Complete")])
    expect(chat.page.get_by_role("region", name="Attempt 1 · failed")).to_contain_text("loading the model")


@pytest.mark.parametrize("answers", [True, False])
def test_a_programs_call_has_its_page_whether_it_was_answered_or_not(
    answers: bool, chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient, base_url: str
) -> None:
    said = Script().text("Answered.").complete()
    refused = Script().respond(400, {"error": {"message": "<b>never</b> " + "x" * 300}})
    runner.play(said if answers else refused)
    question = {
        "model": MODEL_ID,
        "messages": [{"role": "user", "content": [{"type": "text", "text": ARABIC}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    }
    bearer = {"Authorization": f"Bearer {token_for(person)}"}
    answer = httpx.post(f"{base_url}/v1/chat/completions", json=question, headers=bearer, timeout=30)
    assert answer.status_code == (200 if answers else 400), answer.text
    call_of(person, answer.headers["X-Model-Call-Id"])

    ledger.open("?source=openai&purpose=external")
    expect(ledger.rows).to_have_count(1)
    expect(ledger.rows).to_contain_text("Complete" if answers else "Failed")
    ledger.link(0).click()
    page = chat.page
    expect(page.get_by_text("A call of another program for you")).to_be_visible()
    expect(page.get_by_text("Identical to what was sent")).to_be_visible()
    body = ledger.tab("Bytes").get_by_role("region", name="Request body")
    assert body.inner_text() == runner.completions[-1].body.decode()
    expect(ledger.tab("Reply")).to_contain_text("Answered." if answers else "Nothing was answered.")
    page.reload()
    expect(page.get_by_text("Identical to what was sent")).to_be_visible()
    assert not re.search(r"\b(null|undefined|NaN)\b", page.get_by_role("main").inner_text())
    if not answers:
        expect(page.get_by_text("<b>never</b>").first).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    assert not chat.is_sideways()


def test_the_calls_of_somebody_deactivated_stay_with_their_name(
    auditor: ApiClient, administrator: ApiClient, person: ApiClient, runner: HoldingRunner, device: Device
) -> None:
    runner.play(Script().text("Before").complete())
    person.say(person.start_conversation(title=ARABIC)["id"], "Before")
    who = person.get("/api/me/")["id"]
    administrator.command("PATCH", f"/api/users/{who}/", {"is_active": False})
    ledger = Ledger(device(auditor).page)
    ledger.open(f"?user={who}")
    expect(ledger.rows).to_have_count(1)
    expect(ledger.rows).to_contain_text(person.email)
    ledger.link(0).click()
    ledger.show_said.click()
    expect(ledger.tab("Reply")).to_contain_text("Before")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?created_after=yesterday", "After: Enter a valid date/time."),
        ("?conversation=abc", "Conversation: Enter a valid UUID."),
        ("?prompt_tokens_min=-1", "Tokens in at least: Ensure this value is greater than or equal to 0."),
        ("?model=%00", "Model: Null characters are not allowed."),
    ],
)
def test_a_filter_that_cannot_be_is_named(query: str, words: str, ledger: Ledger) -> None:
    ledger.open(query)
    expect(ledger.page.get_by_role("alert")).to_have_text(words)


def test_no_filter_is_too_long_for_the_page(chat: Chat, ledger: Ledger) -> None:
    chat.page.set_viewport_size({"width": 360, "height": 740})
    ledger.open(f"?model={'x' * 3000}")
    expect(ledger.page.get_by_text("No call fits these filters.")).to_be_visible()
    assert height_of(ledger.chips.first) < ONE_LINE
    assert not chat.is_sideways()
    ledger.chips.first.click()
    expect(ledger.chips).to_have_count(0)


def test_seconds_in_a_shared_address_outlive_the_form(ledger: Ledger) -> None:
    moment = "2026-03-10T09:30:17.250Z"
    ledger.open(f"?created_after={moment}")
    ledger.more_filters.click()
    ledger.page.get_by_label("Model", exact=True).fill("small")
    ledger.page.get_by_role("button", name="Show these calls").click()
    expect(ledger.chips).to_have_count(3)
    assert f"created_after={moment.replace(':', '%3A')}" in ledger.page.url


def test_names_keep_their_own_direction(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient
) -> None:
    person.say(person.start_conversation(title=ARABIC)["id"], "x")
    ledger.open()
    name = ledger.rows.first.get_by_text(ARABIC)
    expect(name).to_have_css("unicode-bidi", "isolate")
    expect(name).to_have_css("direction", "rtl")
