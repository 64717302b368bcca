"""Several model runners: what each offers, which one is down and why, and an answer from the one that was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Route, expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat, recorded_reply
from tests.browser.conftest import Device
from tests.browser.test_screens import MOTION_ENDS, violations
from tests.support.api_client import ApiClient
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.stack import Stack, free_port, running_stack


@dataclass
class Runners:
    gpu: HoldingRunner
    laptop_port: int


@pytest.fixture(scope="module")
def both() -> Iterator[Runners]:
    """One that answers, and the place of one that does not yet."""
    with HoldingRunner().in_thread() as gpu:
        yield Runners(gpu, free_port())


@pytest.fixture(scope="module")
def runners_stack(both: Runners) -> Iterator[Stack]:
    with running_stack(
        MODEL_RUNNER_URL=both.gpu.url,
        MODEL_RUNNER_NAME="gpu",
        MODEL_RUNNER_LIMIT="1",
        MODEL_RUNNERS="laptop",
        MODEL_RUNNER_LAPTOP_URL=f"http://127.0.0.1:{both.laptop_port}/v1",
        TITLES="off",
    ) as stack:
        yield stack


@pytest.fixture
def person(runners_stack: Stack) -> Iterator[ApiClient]:
    with ApiClient(runners_stack.url) as client:
        client.sign_up()
        yield client


@pytest.fixture
def gpu(both: Runners) -> Iterator[HoldingRunner]:
    both.gpu.reset()
    yield both.gpu
    both.gpu.reset()


@pytest.fixture
def chat(person: ApiClient, gpu: HoldingRunner, device: Device) -> Chat:
    return device(person)


def picker(chat: Chat) -> Locator:
    return chat.page.get_by_role("main").get_by_role("button", name="Model: ")


def open_picker(chat: Chat) -> Locator:
    picker(chat).click()
    menu = chat.page.get_by_role("menu")
    expect(menu).to_be_visible()
    return menu


@pytest.mark.parametrize("width", [1280, 360])
def test_a_runner_that_is_down_is_said_to_be_with_its_reason_and_stops_nobody(
    width: int, chat: Chat, gpu: HoldingRunner, both: Runners, artifacts: Path
) -> None:
    chat.page.set_viewport_size({"width": width, "height": 740})
    menu = open_picker(chat)
    expect(menu.get_by_role("group", name="gpu")).to_contain_text(MODEL_ID)
    down = menu.get_by_role("group", name="laptop")
    expect(down).to_contain_text(f"127.0.0.1:{both.laptop_port}")
    expect(menu.get_by_role("group", name="gpu").get_by_role("menuitemradio")).to_be_checked()
    chat.page.mouse.move(1, 1)
    chat.page.evaluate(MOTION_ENDS)
    chat.page.screenshot(path=artifacts / f"runners-{width}.png")
    assert violations(chat.page) == []
    assert not chat.is_sideways()
    chat.page.keyboard.press("Escape")
    gpu.play(Script().words("From the graphics card.").complete())
    chat.say_and_read("Who answers?")
    expect(chat.replies).to_contain_text("From the graphics card.")


def test_the_same_model_of_another_runner_is_chosen_by_the_keyboard_and_answers(
    chat: Chat, both: Runners, person: ApiClient
) -> None:
    with HoldingRunner(port=both.laptop_port).in_thread() as laptop:
        laptop.play(Script().words("From the laptop.").complete())
        chat.until(lambda: len(person.get("/api/models/")["results"]) == 2, "both runners' models")
        menu = open_picker(chat)
        expect(menu.get_by_role("menuitemradio")).to_have_count(2)
        second = menu.get_by_role("group", name="laptop").get_by_role("menuitemradio")
        expect(second).to_contain_text(MODEL_ID)
        expect(second).not_to_contain_text("::")
        chat.page.keyboard.press("End")
        chat.page.keyboard.press("Enter")
        expect(picker(chat)).to_have_accessible_name(f"Model: {MODEL_ID} · laptop")
        chat.say_and_read("Who answers now?")
        expect(chat.replies).to_contain_text("From the laptop.")
        assert len(laptop.completions) == 1
    call = person.get(f"/api/model-calls/{recorded_reply(person, chat.conversation_id)['call_id']}/")
    assert call["runner"] == "laptop"


def test_a_reply_that_failed_can_be_asked_of_another_model(
    chat: Chat, gpu: HoldingRunner, both: Runners, person: ApiClient
) -> None:
    with HoldingRunner(port=both.laptop_port).in_thread() as laptop:
        chat.until(lambda: len(person.get("/api/models/")["results"]) == 2, "both runners' models")
        chat.page.reload()
        gpu.play(Script().respond(500, {"error": {"message": "the graphics card is on fire"}}))
        laptop.play(Script().words("The laptop is cool.").complete())
        chat.say("Anybody?")
        expect(chat.replies).to_contain_text("the graphics card is on fire")
        chat.replies.get_by_role("button", name="Choose another model").click()
        expect(chat.dialog).to_be_visible()
        chat.dialog.get_by_label("Model").select_option(value=f"laptop::{MODEL_ID}")
        chat.dialog.get_by_role("button", name="Regenerate").click()
        expect(chat.replies).to_contain_text("The laptop is cool.")
        chat.wait_for_end()
        assert not chat.focus_is_lost()


def test_the_queue_names_the_runner_that_is_waited_for(
    chat: Chat, gpu: HoldingRunner, person: ApiClient
) -> None:
    gpu.always(Script().headers().hold().words("Done.").complete())
    person.send(person.start_conversation(title="Before")["id"], "Be long about it")
    chat.until(lambda: gpu.completions, "the first reply to begin")
    chat.say("And I?")
    expect(chat.replies).to_contain_text("Waiting for gpu · you are next")
    gpu.let_go()
    expect(chat.replies).to_contain_text("Thinking…")
    gpu.let_go()
    expect(chat.replies).to_contain_text("Done.")


def test_many_models_are_searched_and_the_list_of_them_is_accessible(chat: Chat, artifacts: Path) -> None:
    def many(route: Route) -> None:
        body = route.fetch().json()
        first = body["results"][0]
        others = (
            {**first, "id": f"model-{number}", "name": f"Model {number}", "default": False}
            for number in range(12)
        )
        body["results"] = [first, *others]
        route.fulfill(json=body)

    chat.page.route("**/api/models/", many)
    chat.page.reload()
    expect(picker(chat)).to_have_accessible_name(f"Model: {MODEL_ID}")
    picker(chat).click()
    field = chat.page.get_by_role("combobox", name="Search models")
    expect(field).to_be_focused()
    expect(chat.page.get_by_role("option")).to_have_count(13)
    chat.page.evaluate(MOTION_ENDS)
    chat.page.screenshot(path=artifacts / "runners-search.png")
    assert violations(chat.page) == []
    field.fill("model 11")
    expect(chat.page.get_by_role("option")).to_have_count(1)
    field.press("Enter")
    expect(chat.dialog).to_have_count(0)
    expect(picker(chat)).to_have_accessible_name("Model: Model 11")
    expect(picker(chat)).to_be_focused()
