"""Whatever somebody changes in a bundle is found, and named by its position; nothing that is wrong ends with status 0."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.audit.export import ExportedEvent
from tests.support.bundled_story import BUNDLE, LOG
from tests.support.bundles import (
    SIGNER,
    Log,
    altered,
    bundle_of,
    covered_up,
    verify,
)

Lines = list[dict[str, Any]]
Change = Callable[[Lines], Any]


PLACE = 20


def position(index: int = PLACE) -> str:
    event = LOG.all_events[index]
    return f"position {event.position}, stream {event.stream}, version {event.version} ({event.topic})"


def flip_payload(lines: Lines) -> None:
    text = lines[PLACE]["payload"]
    lines[PLACE]["payload"] = text.replace('"at":"20', '"at":"21', 1)


def set_field(name: str, value: Any) -> Change:
    return lambda lines: lines[PLACE].update({name: value})


def test_the_bundle_holds_before_it_is_altered(tmp_path: Path) -> None:
    verified = verify(BUNDLE, tmp_path)
    assert (verified.status, verified.problems) == (0, [])
    assert len(LOG.all_events) > PLACE + 20


ALTERATIONS: dict[str, tuple[str, Change]] = {
    "a changed payload": ("events.jsonl", flip_payload),
    "another version": ("events.jsonl", set_field("version", 99)),
    "another topic": ("events.jsonl", set_field("topic", "ConversationPinned.v2")),
    "another stream": ("events.jsonl", set_field("stream", "00000000-0000-4000-8000-000000000000")),
    "an event removed": ("events.jsonl", lambda lines: lines.pop(PLACE)),
    "an event inserted": ("events.jsonl", lambda lines: lines.insert(PLACE, {**lines[PLACE], "version": 7})),
    "an event inserted at a new place": (
        "events.jsonl",
        lambda lines: lines.append({**lines[-1], "index": 9999, "position": 99999}),
    ),
    "two events swapped": ("events.jsonl", lambda lines: lines.insert(PLACE, lines.pop(PLACE + 1))),
    "two payloads swapped": (
        "events.jsonl",
        lambda lines: swap(lines, "payload", PLACE, PLACE + 1),
    ),
    "a payload that is no JSON": ("events.jsonl", set_field("payload", "{")),
    "a proof changed": (
        "proofs.jsonl",
        lambda lines: lines[PLACE]["hashes"].__setitem__(0, base64.b64encode(b"x" * 32).decode()),
    ),
    "a proof cut": ("proofs.jsonl", lambda lines: lines[PLACE]["hashes"].pop()),
    "a proof removed": ("proofs.jsonl", lambda lines: lines.pop(PLACE)),
}


def swap(lines: Lines, name: str, one: int, other: int) -> None:
    lines[one][name], lines[other][name] = lines[other][name], lines[one][name]


@pytest.mark.parametrize("signer", [None, SIGNER], ids=["manifest not signed again", "manifest signed again"])
@pytest.mark.parametrize("cover", [False, True], ids=["manifest as it was", "manifest adjusted"])
@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_alteration_is_found_and_its_position_named(
    name: str, cover: bool, signer: Any, tmp_path: Path
) -> None:
    file, change = ALTERATIONS[name]
    bundle = altered(BUNDLE, file, change)
    if cover:
        bundle = covered_up(bundle, signer)
    verified = verify(bundle, tmp_path)
    assert verified.status == 1
    problems = "\n".join(verified.problems)
    event = LOG.all_events[PLACE]
    named = {
        "an event removed": f"index {PLACE}: its event was left out",
        "an event inserted at a new place": "position 99999, ",
    }.get(name, f"position {event.position}, ")
    assert named in problems
    assert verified.lines[-1] == f"{len(verified.problems):,} problems."
    assert ("file " + file in problems) == (not cover)
    assert ("manifest.sig: it was signed for another manifest." in problems) == (cover and signer is None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_character_of_any_event_is_found(data: st.DataObject, tmp_path: Path) -> None:
    index = data.draw(st.integers(0, LOG.size - 1))
    text = LOG.all_events[index].payload.decode()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]).filter(lambda one: one != text[place]))
    changed = text[:place] + other + text[place + 1 :]
    bundle = altered(BUNDLE, "events.jsonl", lambda lines: lines[index].update(payload=changed))
    verified = verify(covered_up(bundle, SIGNER), tmp_path)
    assert verified.status == 1
    assert (
        f"{position(index)}: it is not what the log has there: the event, or its proof, was changed."
        in verified.problems
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    one=st.integers(0, LOG.size - 1),
    other=st.integers(0, LOG.size - 1),
    how=st.sampled_from(["remove", "swap", "double"]),
)
def test_any_event_moved_doubled_or_left_out_is_found(one: int, other: int, how: str, tmp_path: Path) -> None:
    if how == "swap" and one == other:
        return

    def change(lines: Lines) -> None:
        if how == "remove":
            del lines[one]
        elif how == "double":
            lines.insert(other, lines[one])
        else:
            lines[one], lines[other] = lines[other], lines[one]

    verified = verify(covered_up(altered(BUNDLE, "events.jsonl", change), SIGNER), tmp_path)
    assert verified.status == 1
    assert verified.problems


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_nonsense_in_a_payload_stops_the_verification(data: st.DataObject, tmp_path: Path) -> None:
    """Even where the log itself holds the nonsense, so that only what events mean can be at fault."""
    index = data.draw(st.integers(0, LOG.size - 1))
    event = LOG.all_events[index]
    payload = json.loads(event.payload)
    inner = payload["prompt_request"] if "prompt_request" in payload and data.draw(st.booleans()) else payload
    name = data.draw(st.sampled_from(sorted(inner)))
    if data.draw(st.booleans()):
        inner[name] = data.draw(ANYTHING)
    else:
        del inner[name]
    changed = replace(event, payload=json.dumps(payload).encode())
    log = Log([changed if each.index == index else each for each in LOG.all_events])
    verified = verify(bundle_of(log), tmp_path)
    assert verified.status in (0, 1)
    assert verified.lines[-1] == (
        "Everything holds." if not verified.status else f"{len(verified.problems):,} problems."
    )


def without(index: int) -> bytes:
    """The bundle without an event and its proof, everything else made to fit by somebody without the key."""
    bundle = altered(BUNDLE, "events.jsonl", lambda lines: lines.pop(index))
    return covered_up(altered(bundle, "proofs.jsonl", lambda lines: lines.pop(index)))


def last_of(stream_kind: Callable[[ExportedEvent], bool]) -> int:
    """The index of the last event of a stream of this kind."""
    streams = {event.stream: event.index for event in LOG.all_events}
    return next(
        event.index for event in LOG.all_events if stream_kind(event) and streams[event.stream] == event.index
    )


def test_an_event_left_out_with_its_proof_is_a_gap_in_its_stream(tmp_path: Path) -> None:
    index = next(event.index for event in LOG.all_events if event.version == 2)
    later = next(
        event.index
        for event in LOG.all_events
        if event.version == 3 and event.stream == LOG.all_events[index].stream
    )
    verified = verify(without(index), tmp_path)
    assert verified.status == 1
    assert f"{position(later)}: version 2 of its stream is missing before it." in verified.problems


def test_a_calls_end_left_out_with_its_proof_is_missed(tmp_path: Path) -> None:
    end = last_of(lambda event: event.topic.startswith("ModelCallCompleted"))
    verified = verify(without(end), tmp_path)
    assert verified.status == 1
    stream = LOG.all_events[end].stream
    assert any(
        line.startswith("call at ") and f"stream {stream}, " in line and "expected one end for each" in line
        for line in verified.problems
    )
    assert "manifest.sig: it was signed for another manifest." in verified.problems


def test_a_reply_left_out_with_its_proof_is_missed(tmp_path: Path) -> None:
    replies = [event for event in LOG.all_events if event.topic.startswith("ReplyRecorded")]
    for reply in replies:
        verified = verify(without(reply.index), tmp_path)
        assert verified.status == 1
        call = json.loads(reply.payload)["call_id"]
        assert any(line.startswith("call at ") and call in line for line in verified.problems) or any(
            line.startswith("position ") for line in verified.problems
        )


def test_a_whole_call_left_out_breaks_the_signature(tmp_path: Path) -> None:
    call = next(event.stream for event in LOG.all_events if event.topic.startswith("ModelCallRequested"))
    indexes = [event.index for event in LOG.all_events if event.stream == call]

    def leave_out(lines: Lines) -> None:
        lines[:] = [line for line in lines if line["index"] not in indexes]

    bundle = covered_up(altered(altered(BUNDLE, "events.jsonl", leave_out), "proofs.jsonl", leave_out))
    verified = verify(bundle, tmp_path)
    assert verified.status == 1
    assert verified.problems == ["manifest.sig: it was signed for another manifest."]


def test_a_prompt_whose_digest_was_recorded_differently_is_named(tmp_path: Path) -> None:
    """The log can only show that nothing changed since; what was recorded wrongly at first shows here."""
    index = next(event.index for event in LOG.all_events if event.topic == "ModelCallRequested.v2")
    event = LOG.all_events[index]
    digest = json.loads(event.payload)["body_sha256"]
    lie = event.payload.replace(digest.encode(), b"0" * 64)
    log = Log([replace(each, payload=lie) if each.index == index else each for each in LOG.all_events])
    verified = verify(bundle_of(log), tmp_path)
    assert verified.status == 1
    (problem,) = verified.problems
    assert problem.startswith(f"call at {position(index)}: its prompt is not what was sent; recorded 0000")
