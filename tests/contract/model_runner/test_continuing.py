"""The built-in runner goes on with a reply that a prompt ends with, which MODEL_RUNNER_CONTINUES=auto counts on.

If a new release of llama.cpp fails here, "Continue" must send it a message instead.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from backend.application.history import rebuild_prompt
from backend.application.runner_port import Finished, ModelRunner
from backend.domain import outcomes
from backend.event_store.memory import InMemoryEventStore
from backend.model_runner.http_client import HttpModelRunner
from tests.contract.model_runner.support import BUILTIN_MODEL, PATIENT, ask, text_of
from tests.support.core import Core

pytestmark = [pytest.mark.asyncio, pytest.mark.real_model]

QUESTION = "Write a short story about a fisherman and the sea."
SAME = 40
"""So many characters must agree; a model that starts anew agrees in none."""


@pytest_asyncio.fixture
async def runner(real_url: str) -> AsyncIterator[HttpModelRunner]:
    client = HttpModelRunner(real_url, name="built-in", timeouts=PATIENT)
    yield client
    await client.aclose()


def body_of(*said: str, max_tokens: int) -> bytes:
    """A request in which these texts follow upon each other, a question first."""
    roles = ("user", "assistant")
    request = {
        "max_tokens": max_tokens,
        "messages": [{"role": roles[place % 2], "content": content} for place, content in enumerate(said)],
        "model": BUILTIN_MODEL,
        "stream": True,
        "temperature": 0,
    }
    return json.dumps(request).encode()


async def reply_to(runner: ModelRunner, body: bytes) -> tuple[str, str | None]:
    """The text, and why it ended."""
    events, failure = await ask(runner, body)
    assert failure is None
    (finished,) = [event for event in events if isinstance(event, Finished)]
    return text_of(events), finished.reason


async def test_a_reply_that_was_cut_off_goes_on_as_if_it_never_had_been(runner: ModelRunner) -> None:
    whole, _ = await reply_to(runner, body_of(QUESTION, max_tokens=60))
    begun, reason = await reply_to(runner, body_of(QUESTION, max_tokens=30))
    assert reason == "length"
    assert whole.startswith(begun)
    rest, _ = await reply_to(runner, body_of(QUESTION, begun, max_tokens=30))
    assert rest[:SAME] == whole.removeprefix(begun)[:SAME]


async def test_asked_in_words_it_begins_another_text(runner: ModelRunner) -> None:
    whole, _ = await reply_to(runner, body_of(QUESTION, max_tokens=60))
    begun, _ = await reply_to(runner, body_of(QUESTION, max_tokens=30))
    asked, _ = await reply_to(
        runner, body_of(QUESTION, begun, "Continue exactly where you stopped.", max_tokens=30)
    )
    assert asked[:SAME] != whole.removeprefix(begun)[:SAME], "so the other tests here can tell the two apart"


@pytest.mark.parametrize("length", [1, 7, 20, 33])
async def test_a_reply_cut_inside_a_sentence_goes_on_inside_it(runner: ModelRunner, length: int) -> None:
    begun, _ = await reply_to(runner, body_of(QUESTION, max_tokens=30))
    rest, _ = await reply_to(runner, body_of(QUESTION, begun[:length], max_tokens=8))
    assert rest
    assert not begun.startswith(rest[:4]), "it does not say the beginning again"
    assert not rest[0].isupper(), (begun[:length], rest)


async def test_the_bytes_that_the_product_sends_for_a_continuation_are_understood(
    runner: ModelRunner,
) -> None:
    store = InMemoryEventStore()
    core = Core(store)
    conversation_id = core.start(params={"max_tokens": 30, "temperature": "0"})

    def body_of_call(call_id: UUID) -> bytes:
        return rebuild_prompt(store, store.read_call(call_id)).prompt.body

    sent = core.send(conversation_id, QUESTION)
    begun, reason = await reply_to(runner, body_of_call(sent.call_id))
    assert reason == "length"
    core.answer(sent, begun, outcomes.TRUNCATED)
    continued = core.continue_reply(conversation_id, sent.reply_id)
    more, _ = await reply_to(runner, body_of_call(continued.call_id))
    core.answer(continued, more, outcomes.TRUNCATED)
    again = core.continue_reply(conversation_id, continued.reply_id)
    assert core.prompt_of(again.call_id)[-1] == ("assistant", begun + more)

    longer = core.start(params={"max_tokens": 60, "temperature": "0"})
    whole, _ = await reply_to(runner, body_of_call(core.send(longer, QUESTION).call_id))
    assert whole.startswith(begun)
    assert more[:SAME] == whole.removeprefix(begun)[:SAME]
