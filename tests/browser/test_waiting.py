"""What a person is told while a reply has no words yet, and that Stop works all that time, from any window."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat, recorded_reply
from tests.browser.conftest import Device
from tests.browser.test_screens import MOTION_ENDS, violations
from tests.support.api_client import ApiClient
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.stack import Stack, running_stack, wait_until

LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
BUSY = {"error": {"code": 429, "message": "Too many requests at once", "type": "rate_limit_error"}}
LOADING_WORDS = "Loading the model…"


def reading() -> Script:
    """Two fifths of the prompt, bit by bit: how far it is, is told but not kept, so the last may be missed."""
    script = Script().headers()
    for processed in (100, 200, 300, *[400] * 6):
        progress = {"total": 1000, "cache": 0, "processed": processed, "time_ms": processed}
        script.data({"choices": [], "prompt_progress": progress}).sleep(300)
    return script.hold()


@pytest.fixture(scope="module")
def narrow_runner() -> Iterator[HoldingRunner]:
    with HoldingRunner().in_thread() as runner:
        yield runner


@pytest.fixture(scope="module")
def narrow_stack(narrow_runner: HoldingRunner) -> Iterator[Stack]:
    """A product whose runner writes one reply at a time, and says how far it has come with reading."""
    with running_stack(
        MODEL_RUNNER_URL=narrow_runner.url,
        MODEL_RUNNER_MODEL=MODEL_ID,
        MODEL_RUNNER_KIND="llama.cpp",
        MODEL_RUNNER_LIMIT="1",
        TITLES="off",
    ) as stack:
        yield stack


@pytest.fixture
def runner(narrow_runner: HoldingRunner) -> Iterator[HoldingRunner]:
    narrow_runner.reset()
    yield narrow_runner
    narrow_runner.reset()


@pytest.fixture
def person(narrow_stack: Stack) -> Iterator[ApiClient]:
    with ApiClient(narrow_stack.url) as client:
        client.sign_up()
        yield client


@pytest.fixture
def chat(person: ApiClient, runner: HoldingRunner, device: Device) -> Chat:
    return device(person)


def keep_busy(person: ApiClient, runner: HoldingRunner, replies: int) -> list[str]:
    """Have the runner write one reply and others wait for it; the ids of their conversations."""
    runner.always(Script().headers().hold().words("All done.").complete())
    conversations = []
    for number in range(replies):
        conversation = person.start_conversation(title=f"Busy {number}")["id"]
        person.send(conversation, "Be long about it")
        conversations.append(conversation)
    wait_until(lambda: runner.completions, "the first of them to begin")
    return conversations


def test_a_reply_in_the_queue_says_how_many_are_before_it_until_it_is_its_turn(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    keep_busy(person, runner, 3)
    chat.say("When is it my turn?")
    expect(chat.replies).to_contain_text("Waiting · 2 replies before yours")
    expect(chat.status).to_have_text("Waiting, 2 replies before yours")
    runner.let_go()
    expect(chat.replies).to_contain_text("Waiting · 1 reply before yours")
    runner.let_go()
    expect(chat.replies).to_contain_text("Waiting · you are next")
    runner.let_go()
    expect(chat.replies).to_contain_text("Thinking…")
    runner.let_go()
    expect(chat.replies).to_contain_text("All done.")
    expect(chat.replies).not_to_contain_text("Waiting")


def test_a_runner_that_loads_its_model_is_waited_for_and_said_to_load(
    chat: Chat, runner: HoldingRunner, person: ApiClient
) -> None:
    loading = Script().respond(503, LOADING)
    runner.play(loading, loading, Script().words("Here I am.").complete())
    chat.say("Good morning")
    expect(chat.replies).to_contain_text(LOADING_WORDS)
    expect(chat.status).to_have_text("Loading the model. A large one can take minutes.")
    expect(chat.replies).to_contain_text("Here I am.")
    chat.wait_for_end()
    call = person.get(f"/api/model-calls/{recorded_reply(person, chat.conversation_id)['call_id']}/")
    assert [attempt["outcome"] for attempt in call["attempts"]] == ["failed", "failed", "complete"]

    chat.replies.get_by_role("button", name="what did the model see?").click()
    chat.page.get_by_role("tab", name="Call").click()
    first = chat.page.get_by_role("region", name="Attempt 1 · failed")
    expect(first).to_contain_text("runner_loading")
    expect(first).to_contain_text("Started")
    expect(chat.page.get_by_role("region", name="Attempt 3 · complete")).to_contain_text("Runner")


def test_a_busy_runner_is_asked_again_with_its_reason_and_a_countdown(
    chat: Chat, runner: HoldingRunner
) -> None:
    busy = Script().respond(429, BUSY)
    runner.play(busy, busy, busy, Script().headers().hold().words("At last.").complete())
    chat.say("Now?")
    expect(chat.replies).to_contain_text("Trying again (attempt 2)")
    expect(chat.replies).to_contain_text(re.compile(r"Trying again \(attempt [34]\) in [1-4] s…"))
    expect(chat.replies).to_contain_text("Too many requests at once")
    expect(chat.replies.get_by_text("Trying again (attempt 4)…")).to_be_visible()
    runner.let_go()
    expect(chat.replies).to_contain_text("At last.")


def test_reading_a_long_conversation_shows_how_far_it_has_come(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(reading().words("Read it all.").complete())
    chat.say("Read this")
    expect(chat.replies).to_contain_text("Reading the conversation… 40 %")
    bar = chat.replies.get_by_role("progressbar", name="Reading the conversation")
    expect(bar).to_have_attribute("aria-valuenow", "40")
    runner.let_go()
    expect(chat.replies).to_contain_text("Read it all.")
    expect(bar).to_have_count(0)


def test_a_first_word_that_is_long_in_coming_is_said_to_be(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().headers().hold().words("Finally.").complete())
    chat.say("Take your time")
    expect(chat.replies).to_contain_text("Still waiting for the first word.")
    expect(chat.status).to_contain_text("Still waiting for the first word.")
    runner.let_go()
    expect(chat.replies).to_contain_text("Finally.")


def test_a_window_that_comes_later_is_told_too(
    chat: Chat, runner: HoldingRunner, device: Device, person: ApiClient
) -> None:
    runner.always(Script().respond(503, LOADING))
    chat.say("Good morning")
    expect(chat.replies).to_contain_text(LOADING_WORDS)
    other = device(person)
    other.open(chat.conversation_id)
    expect(other.replies).to_contain_text(LOADING_WORDS)
    runner.always(Script().words("Here I am.").complete())
    for window in (chat, other):
        expect(window.replies).to_contain_text("Here I am.")


STATES = {
    "queued": (None, "Waiting · you are next"),
    "loading": (Script().respond(503, LOADING), LOADING_WORDS),
    "tried again": (Script().respond(429, BUSY), "Trying again (attempt"),
    "read": (reading(), "Reading the conversation… 40 %"),
    "thought about": (Script().headers().hold(), "Thinking…"),
    "written": (Script().words("As far as this").hold().words(" and no further"), "As far as this"),
}


@pytest.mark.parametrize("by", ["this window", "another device"])
@pytest.mark.parametrize("state", STATES)
def test_a_reply_can_be_stopped_whatever_it_waits_for(
    state: str, by: str, chat: Chat, runner: HoldingRunner, person: ApiClient, device: Device
) -> None:
    script, words = STATES[state]
    if script is None:
        keep_busy(person, runner, 1)
    else:
        runner.always(script)
    chat.say("Wait for it")
    expect(chat.replies).to_contain_text(words)
    window = chat
    if by == "another device":
        window = device(person)
        window.open(chat.conversation_id)
    window.stop.click()
    for one in (chat, window):
        expect(one.replies).to_contain_text("Stopped")
        expect(one.send).to_be_visible()
    reply = recorded_reply(person, chat.conversation_id)
    assert reply["outcome"] == "cancelled"
    assert reply["content"] == ("As far as this" if state == "written" else "")
    expect(chat.replies).not_to_contain_text("Trying again")
    expect(chat.replies).not_to_contain_text("Waiting")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_each_of_these_states_is_accessible_fits_its_page_and_is_kept_as_a_picture(
    width: int, theme: str, chat: Chat, runner: HoldingRunner, person: ApiClient, artifacts: Path
) -> None:
    chat.page.set_viewport_size({"width": width, "height": 720})
    chat.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    faults: dict[str, list[str]] = {}

    def look(name: str, words: str) -> None:
        expect(chat.replies.last).to_contain_text(words)
        chat.page.mouse.move(1, 1)
        chat.page.evaluate(MOTION_ENDS)
        chat.page.screenshot(path=artifacts / f"waiting-{theme}-{width}-{name}.png")
        found = violations(chat.page)
        if chat.is_sideways():
            found.append("the page is wider than the window")
        if found:
            faults[name] = found

    def stop() -> None:
        chat.stop.click()
        expect(chat.send).to_be_visible()

    chat.say_and_read("Why is the sky blue, and why are sunsets red?")
    for state, (script, words) in STATES.items():
        if script is None:
            keep_busy(person, runner, 1)
        else:
            runner.always(script)
        chat.say("And at night?")
        look(state.replace(" ", "-"), words)
        if state == "thought about":
            look("long", "Still waiting for the first word.")
        stop()
        if script is None:
            runner.always(None)
            runner.let_go()
    runner.always(Script().respond(500, {"error": {"message": "the model ran out of memory"}}))
    chat.say("Once more?")
    look("failed", "out of memory")
    assert faults == {}
