"""Stored bytes are for ever: what an earlier release wrote is read and written again without a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from backend.domain.events import EVENT_CLASSES, ModelCallRequested
from backend.event_store.codec import revive
from backend.prompting.build import StreamSlice, build_prompt
from backend.prompting.prefixes import PromptBytes
from tests.contract.golden import samples
from tests.support.histories import prompts_of


def files(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.json"))


def read(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


OLD_TOPICS = {"ReplyRequested.v1": "ReplyRequested.v2", "ModelCallRequested.v1": "ModelCallRequested.v2"}
"""Shapes that are no longer written, and what each is read as."""


def brought_up(topic: str, stored: dict[str, Any]) -> dict[str, Any]:
    """What a payload of an old shape is to be read as."""
    if topic == "ReplyRequested.v1":
        return {**stored, "replay": None}
    return {**stored, "runner": None, "prompt_request": {**stored["prompt_request"], "progress": False}}


def test_every_topic_has_a_sample_and_every_sample_a_topic() -> None:
    assert files(samples.EVENTS) == sorted([*EVENT_CLASSES, *OLD_TOPICS])


@pytest.mark.parametrize("topic", OLD_TOPICS)
def test_an_event_of_an_old_shape_is_read_as_the_new_one(topic: str) -> None:
    present = OLD_TOPICS[topic]
    content = read(samples.EVENTS, topic)
    event = samples.event_of_file(content)
    assert present == type(event).TOPIC
    written = samples.event_as_file(event)
    assert written["topic"] == present
    assert json.loads(written["stored"]) == brought_up(topic, json.loads(content["stored"]))
    assert (written["stream_id"], written["version"]) == (content["stream_id"], content["version"])


@pytest.mark.parametrize("topic", sorted(EVENT_CLASSES))
def test_a_stored_event_is_read_and_written_again_byte_for_byte(topic: str) -> None:
    content = read(samples.EVENTS, topic)
    event = samples.event_of_file(content)
    assert topic == type(event).TOPIC
    assert samples.event_as_file(event) == content


def test_every_tricky_history_has_its_file() -> None:
    assert files(samples.PROMPTS) == sorted(samples.sample_prompts())


@pytest.mark.parametrize("name", files(samples.PROMPTS))
def test_a_recorded_prompt_is_rebuilt_byte_for_byte(name: str) -> None:
    content = read(samples.PROMPTS, name)
    history = [
        StreamSlice(UUID(part["conversation_id"]), [samples.event_of_file(event) for event in part["events"]])
        for part in content["history"]
    ]
    request = revive(ModelCallRequested, "prompt_request", content["request"])
    prompt = build_prompt(history, request)
    assert prompt.body.decode("utf-8") == content["body"]
    assert prompt.body_sha256 == content["body_sha256"]
    prompts = prompts_of(history)
    assert prompts.build(request) == PromptBytes(prompt.body, prompt.body_sha256)
    assert prompts.digest(request) == (prompt.body_sha256, len(prompt.body))
