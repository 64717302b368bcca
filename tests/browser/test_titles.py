"""How a conversation gets its name: its first words at once, then a model's, and the person's own above all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from backend.model_runner.script import Script
from tests.browser.chat import Chat
from tests.browser.conftest import Device
from tests.browser.ledger import Ledger
from tests.support.api_client import ApiClient
from tests.support.holding_runner import MODEL_ID, HoldingRunner
from tests.support.stack import Stack, running_stack

# Every name that the head, the list or the browser's tab shows, for as long as the page lives.
NAMES_SEEN = """() => {
  window.seen = new Set();
  const look = () => {
    const parts = document.querySelectorAll('main h1, section[aria-label="Conversations"] a');
    parts.forEach(part => window.seen.add(part.textContent));
  };
  look();
  new MutationObserver(look).observe(document.body, {childList: true, characterData: true, subtree: true});
}"""


@pytest.fixture(scope="module")
def titling_runner() -> Iterator[HoldingRunner]:
    with HoldingRunner().in_thread() as runner:
        yield runner


@pytest.fixture(scope="module")
def titling_stack(titling_runner: HoldingRunner) -> Iterator[Stack]:
    with running_stack(MODEL_RUNNER_URL=titling_runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack:
        yield stack


@pytest.fixture
def runner(titling_runner: HoldingRunner) -> Iterator[HoldingRunner]:
    titling_runner.reset()
    yield titling_runner
    titling_runner.reset()


@pytest.fixture
def person(titling_stack: Stack) -> Iterator[ApiClient]:
    with ApiClient(titling_stack.url) as client:
        client.sign_up()
        yield client


@pytest.fixture
def chat(person: ApiClient, runner: HoldingRunner, device: Device) -> Chat:
    return device(person)


def names(chat: Chat, name: str) -> None:
    expect(chat.page.get_by_role("heading", name=name, level=1)).to_be_visible()
    expect(chat.row(name)).to_be_visible()
    expect(chat.page).to_have_title(f"{name} · Verbatim")


def test_the_first_words_are_the_name_at_once_and_a_models_name_follows_everywhere(
    chat: Chat, runner: HoldingRunner, person: ApiClient, device: Device
) -> None:
    person.say(person.start_conversation(title="Earlier")["id"], "Hello")
    other = device(person)
    runner.play(
        Script().words("Because of scattering.").complete(),
        Script().headers().hold().words('"Blue skies"').complete(),
    )
    for window in (chat, other):
        window.page.evaluate(NAMES_SEEN)
    chat.say("Why is the sky blue?")
    names(chat, "Why is the sky blue?")
    chat.wait_for_end()
    expect(other.row("Why is the sky blue?")).to_be_visible()
    runner.let_go()
    names(chat, "Blue skies")
    expect(other.row("Blue skies")).to_be_visible()
    expect(chat.articles).to_have_count(2)
    for window in (chat, other):
        seen = set(window.page.evaluate("[...window.seen]"))
        assert seen - {"Verbatim", "Earlier"} <= {"", "Why is the sky blue?", "Blue skies"}, (
            "no other name was ever shown"
        )
    chat.page.reload()
    names(chat, "Blue skies")


def test_a_name_that_a_person_gave_stays_whatever_the_model_says(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(
        Script().words("Because of scattering.").complete(),
        Script().headers().hold().words("Blue skies").complete(),
    )
    chat.say_and_read("Why is the sky blue?")
    chat.act_on("Why is the sky blue?", "Rename")
    field = chat.page.get_by_role("textbox", name="Conversation title")
    field.fill("My own name")
    field.press("Enter")
    names(chat, "My own name")
    runner.let_go()
    runner.play(Script().words("It is.").complete())
    chat.say("And at night?")
    chat.wait_for_end(2)
    names(chat, "My own name")


def test_looking_at_a_name_without_changing_it_does_not_bring_the_old_one_back(
    chat: Chat, runner: HoldingRunner
) -> None:
    runner.play(
        Script().words("Because of scattering.").complete(),
        Script().headers().hold().words("Blue skies").complete(),
    )
    chat.say_and_read("Why is the sky blue?")
    chat.act_on("Why is the sky blue?", "Rename")
    field = chat.page.get_by_role("textbox", name="Conversation title")
    expect(field).to_have_value("Why is the sky blue?")
    runner.let_go()
    expect(chat.page.get_by_role("heading", name="Blue skies", level=1)).to_be_visible()
    field.press("Enter")
    names(chat, "Blue skies")


def test_a_title_that_fails_troubles_nobody(chat: Chat, runner: HoldingRunner, person: ApiClient) -> None:
    runner.play(Script().words("Because of scattering.").complete(), Script().respond(500, "broken"))
    chat.say_and_read("Why is the sky blue?")
    chat.until(
        lambda: any(
            call["purpose"] == "title" and call["outcome"] == "failed"
            for call in person.get("/api/model-calls/")["results"]
        ),
        "the call for the title to fail",
    )
    names(chat, "Why is the sky blue?")
    expect(chat.page.get_by_role("alert")).to_have_count(0)
    expect(chat.articles).to_have_count(2)


def test_the_call_for_a_title_has_its_line_and_its_page(chat: Chat, runner: HoldingRunner) -> None:
    runner.play(Script().words("Because of scattering.").complete(), Script().words("Blue skies").complete())
    chat.say_and_read("Why is the sky blue?")
    names(chat, "Blue skies")
    ledger = Ledger(chat.page)
    ledger.open("?purpose=title")
    expect(ledger.rows).to_have_count(1)
    expect(ledger.rows).to_contain_text("Blue skies")
    ledger.link(0).click()
    page = chat.page
    expect(page.get_by_text("A title for you")).to_be_visible()
    expect(page.get_by_text("Identical to what was sent")).to_be_visible()
    expect(ledger.tab("Reply")).to_contain_text("Blue skies")
    expect(page.get_by_role("button", name="Replay this call…")).to_have_count(0)
    expect(page.get_by_role("group", name="Proofs to download").get_by_role("button")).to_have_count(2)
    page.get_by_role("link", name="Open its conversation").click()
    names(chat, "Blue skies")
