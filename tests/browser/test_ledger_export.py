"""The ledger's export menu in a real browser: what is saved is what was asked for, and proves itself offline."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.conftest import Device
from tests.browser.ledger import Ledger, three_calls
from tests.support.api_client import ApiClient
from tests.support.holding_runner import HoldingRunner
from tests.support.stack import REPOSITORY

CSV, LINES, BUNDLE = "Figures as CSV", "Everything as JSON lines", "Signed bundle, to verify elsewhere"
ENDINGS = {CSV: "csv", LINES: "jsonl", BUNDLE: "zip"}
SECRET = "Nobody else's words"


def saved(page: Page, label: str, folder: Path) -> Path:
    """Choose an export from the menu; returns the file that the browser saved."""
    page.get_by_role("button", name="Export these calls").click()
    with page.expect_download() as waiting:
        page.get_by_role("menuitem", name=label, exact=True).click()
    download = waiting.value
    assert download.failure() is None
    assert download.suggested_filename.startswith("verbatim-audit-")
    assert download.suggested_filename.endswith(f".{ENDINGS[label]}")
    path = folder / download.suggested_filename
    download.save_as(path)
    return path


def calls_in(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        return list(csv.DictReader(lines))


def topics_in(path: Path) -> list[str]:
    return [json.loads(line)["topic"] for line in path.read_text(encoding="utf-8").splitlines()]


def verified(path: Path, person: ApiClient) -> str:
    """What the offline verifier says of a bundle, in a process that has nothing of the product."""
    key = person.get("/api/audit/log/")["verifier_key"]
    program = REPOSITORY / "tools" / "verbatim_verify.py"
    done = subprocess.run(
        [sys.executable, str(program), str(path), "--key", key],
        capture_output=True,
        text=True,
        cwd=path.parent,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def ledger(chat: Chat) -> Ledger:
    return Ledger(chat.page)


def test_every_format_is_saved_and_the_bundle_proves_itself(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient, tmp_path: Path
) -> None:
    three_calls(chat, runner)
    ledger.open()
    expect(ledger.rows).to_have_count(3)
    assert sorted(call["outcome"] for call in calls_in(saved(chat.page, CSV, tmp_path))) == [
        "cancelled",
        "complete",
        "failed",
    ]
    lines = saved(chat.page, LINES, tmp_path)
    assert sum(topic.startswith("ModelCallRequested") for topic in topics_in(lines)) == 3
    assert "Is it so?" in lines.read_text(encoding="utf-8")
    answer = verified(saved(chat.page, BUNDLE, tmp_path), person)
    assert "3 model calls" in answer
    assert "prompts identical: 3" in answer
    expect(ledger.rows).to_have_count(3)  # saving a file leaves the page where it was


def test_what_is_saved_is_what_the_filters_left(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient, tmp_path: Path
) -> None:
    three_calls(chat, runner)
    ledger.open()
    chat.page.get_by_label("Outcome").select_option("Failed")
    expect(ledger.rows).to_have_count(1)
    (failed,) = calls_in(saved(chat.page, CSV, tmp_path))
    assert failed["outcome"] == "failed"
    topics = topics_in(saved(chat.page, LINES, tmp_path))
    assert sum(topic.startswith("ModelCallRequested") for topic in topics) == 1
    assert "1 model calls" in verified(saved(chat.page, BUNDLE, tmp_path), person)


def test_nothing_found_is_saved_as_nothing_and_still_verified(
    chat: Chat, runner: HoldingRunner, ledger: Ledger, person: ApiClient, tmp_path: Path
) -> None:
    three_calls(chat, runner)
    ledger.open("?model=no%20such%20%E2%9C%A8%20model%20%26%20more")
    expect(chat.page.get_by_text("No call fits these filters.")).to_be_visible()
    assert calls_in(saved(chat.page, CSV, tmp_path)) == []
    assert saved(chat.page, LINES, tmp_path).read_bytes() == b""
    assert "0 model calls" in verified(saved(chat.page, BUNDLE, tmp_path), person)


def test_where_nothing_can_be_saved_nothing_is_offered(ledger: Ledger) -> None:
    offer = ledger.page.get_by_role("button", name="Export these calls")
    ledger.open()
    expect(ledger.page.get_by_text("No model has been called yet")).to_be_visible()
    expect(offer).to_have_count(0)
    ledger.open("?outcome=splendid")
    expect(ledger.page.get_by_role("alert")).to_contain_text("splendid")
    expect(offer).to_have_count(0)


def test_people_save_their_own_and_auditors_everybody_s_with_a_trace(
    person: ApiClient, auditor: ApiClient, runner: HoldingRunner, device: Device, tmp_path: Path
) -> None:
    runner.play(Script().text(SECRET).complete())
    call_id = person.say(person.start_conversation()["id"], "Whose?")["call_id"]
    person.get(f"/api/model-calls/{call_id}/", after=person.last_position)
    runner.play(Script().text("Another's").complete())
    own_id = auditor.say(auditor.start_conversation()["id"], "Mine")["call_id"]
    auditor.get(f"/api/model-calls/{own_id}/", after=auditor.last_position)

    owner = Ledger(device(person).page)
    owner.open()
    assert [call["id"] for call in calls_in(saved(owner.page, CSV, tmp_path))] == [call_id]
    assert "1 model calls" in verified(saved(owner.page, BUNDLE, tmp_path), person)

    reader = Ledger(device(auditor).page)
    reader.open()
    expect(reader.rows.first).to_be_visible()
    ids = {call["id"] for call in calls_in(saved(reader.page, CSV, tmp_path))}
    assert {call_id, own_id} <= ids
    assert person.get("/api/me/audit-reads/")["results"] == []
    assert SECRET in saved(reader.page, LINES, tmp_path).read_text(encoding="utf-8")
    verified(saved(reader.page, BUNDLE, tmp_path), auditor)

    owner.page.goto("/settings")
    readings = owner.page.get_by_role("list", name="Who read my content").get_by_role("listitem")
    expect(readings).to_have_count(1)
    expect(readings).to_contain_text(auditor.email)
    expect(readings).to_contain_text("taken away as a file")
