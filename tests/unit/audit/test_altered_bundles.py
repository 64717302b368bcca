"""Whatever somebody changes in a bundle is found, and named by its position; nothing that is wrong ends with status 0."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.audit.export import ExportedEvent
from backend.audit.leaves import erased_payload
from tests.integration.projections.stories import told_in_memory
from tests.support.bundles import (
    KEY,
    SIGNER,
    SOMEBODY_ELSE,
    Log,
    altered,
    bundle_of,
    checkpoint_of,
    covered_up,
    recorded,
    repacked,
    signature_of,
    unpacked,
    verify,
)
from tools.verbatim_verify import ENDS

Lines = list[dict[str, Any]]
Change = Callable[[Lines], Any]


def ended_story() -> list[ExportedEvent]:
    """A story with several conversations, of which all calls have ended: the first part of one, and its ends."""
    events = recorded(told_in_memory(7, 120))
    asked = {event.stream for event in events if event.topic.startswith("ModelCallRequested")}
    return [event for event in events if event.stream not in asked - finally_ended(events)]


def finally_ended(events: list[ExportedEvent]) -> set[str]:
    return {
        event.stream
        for event in events
        if event.topic.partition(".")[0] in ENDS and json.loads(event.payload)["final"]
    }


def as_log(events: list[ExportedEvent]) -> Log:
    """These events as a log of their own, so that they stand without gaps in it."""
    return Log([replace(event, index=index) for index, event in enumerate(events)], earlier_sizes=[3, 8])


LOG = as_log(ended_story())
BUNDLE = bundle_of(LOG)
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
        line.startswith(f"call {stream}, position ") and "expected one end for each" in line
        for line in verified.problems
    )
    assert "manifest.sig: it was signed for another manifest." in verified.problems


def test_a_reply_left_out_with_its_proof_is_missed(tmp_path: Path) -> None:
    replies = [event for event in LOG.all_events if event.topic.startswith("ReplyRecorded")]
    for reply in replies:
        verified = verify(without(reply.index), tmp_path)
        assert verified.status == 1
        call = json.loads(reply.payload)["call_id"]
        assert any(line.startswith(f"call {call}, position ") for line in verified.problems) or any(
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
    assert problem.startswith(
        f"call {event.stream}, {position(index)}: its prompt is not what was sent; recorded 0000"
    )


# ---- checkpoints and keys ------------------------------------------------------------------------


def test_another_key_is_refused(tmp_path: Path) -> None:
    verified = verify(BUNDLE, tmp_path, keys=[str(SOMEBODY_ELSE.verifier)])
    assert verified.status == 1
    assert any(line.startswith("checkpoint: none of the given keys signed it") for line in verified.problems)


def test_one_of_several_keys_is_enough(tmp_path: Path) -> None:
    assert verify(BUNDLE, tmp_path, keys=[str(SOMEBODY_ELSE.verifier), KEY]).status == 0


def test_a_bundle_made_anew_with_another_key_is_refused(tmp_path: Path) -> None:
    forged = bundle_of(Log(LOG.all_events, signer=SOMEBODY_ELSE))
    verified = verify(forged, tmp_path)
    assert verified.status == 1
    assert [line.partition(":")[0] for line in verified.problems[:2]] == ["manifest.sig", "checkpoint"]


@pytest.mark.parametrize("place", [3, 20, 40, 90, 120])
def test_a_byte_changed_in_the_checkpoint_is_found(place: int, tmp_path: Path) -> None:
    files = unpacked(BUNDLE)
    raw = bytearray(files["checkpoint"])
    raw[place] = raw[place] ^ 1 if raw[place] ^ 1 not in (10, 13) else raw[place] ^ 2
    files["checkpoint"] = bytes(raw)
    verified = verify(covered_up(repacked(files), SIGNER), tmp_path)
    assert verified.status == 1
    assert verified.problems[0].startswith("checkpoint: ")


def test_a_kept_checkpoint_shows_that_nothing_was_changed_since(tmp_path: Path) -> None:
    verified = verify(BUNDLE, tmp_path, kept={"then": checkpoint_of(LOG.leaves[:8]), "now": LOG.checkpoint})
    assert verified.status == 0
    assert "kept checkpoints hold: 2" in verified.lines


def test_a_log_written_anew_with_the_same_key_is_found_by_a_kept_checkpoint(tmp_path: Path) -> None:
    other_past = [hashlib.sha256(leaf).digest() for leaf in LOG.leaves[:8]]
    verified = verify(BUNDLE, tmp_path, kept={"then": checkpoint_of(other_past)})
    assert verified.status == 1
    assert verified.problems == [
        f"kept checkpoint {tmp_path}/then: the log did not grow out of it: "
        "what was recorded before has been changed or removed."
    ]


def test_a_log_that_was_cut_is_found_by_a_kept_checkpoint(tmp_path: Path) -> None:
    cut = bundle_of(
        Log(LOG.all_events[:30], earlier_sizes=[3], running=frozenset(e.stream for e in LOG.all_events))
    )
    verified = verify(cut, tmp_path, kept={"then": LOG.checkpoint})
    assert verified.status == 1
    assert any(
        f"it is of {LOG.size} events, the bundle's of 30: the log was cut" in line
        for line in verified.problems
    )


def test_a_kept_checkpoint_without_a_proof_says_how_to_get_one(tmp_path: Path) -> None:
    verified = verify(BUNDLE, tmp_path, kept={"then": checkpoint_of(LOG.leaves[:7])})
    assert verified.status == 1
    assert "Ask for one with kept=7" in verified.problems[0]


def test_an_earlier_checkpoint_in_the_bundle_must_be_the_logs_past(tmp_path: Path) -> None:
    forged = checkpoint_of([hashlib.sha256(leaf).digest() for leaf in LOG.leaves[:8]])
    bundle = altered(BUNDLE, "consistency.jsonl", lambda lines: lines[1].update(note=forged))
    verified = verify(covered_up(bundle, SIGNER), tmp_path)
    assert verified.status == 1
    assert verified.problems[0].startswith("consistency.jsonl, line 2: the log did not grow out of it")


# ---- erasure -------------------------------------------------------------------------------------


def erased_log(*, who: bool) -> tuple[Log, str]:
    """A log of which a conversation, with its calls, was erased. who: whether an event says by whom."""
    conversation = next(e.stream for e in LOG.all_events if e.topic.startswith("UserMessageSent"))
    calls = {
        e.stream
        for e in LOG.all_events
        if e.topic.startswith("ModelCallRequested")
        and json.loads(e.payload)["conversation_id"] == conversation
    }
    events = list(LOG.all_events)
    if who:
        last = max(e.version for e in events if e.stream == conversation)
        told = b'{"by":"user:1","reason":"asked for"}'
        events.append(
            ExportedEvent(
                events[-1].position + 1, len(events), conversation, last + 1, "ConversationErased.v1", told
            )
        )
    gone = [
        replace(e, payload=erased_payload(e.payload))
        if e.stream in {conversation, *calls} and not e.topic.startswith("ConversationErased")
        else e
        for e in events
    ]
    log = Log(gone)
    assert log.leaves[: LOG.size] == LOG.leaves
    return log, conversation


def test_what_was_erased_is_reported_and_holds(tmp_path: Path) -> None:
    log, _ = erased_log(who=True)
    verified = verify(bundle_of(log), tmp_path)
    assert (verified.status, verified.problems) == (0, [])
    assert any(line.startswith("prompts erased: ") for line in verified.lines)
    assert any("events are erased: their digests are in the log" in line for line in verified.lines)


def test_what_was_erased_by_nobody_is_a_problem(tmp_path: Path) -> None:
    log, conversation = erased_log(who=False)
    verified = verify(bundle_of(log), tmp_path)
    assert verified.status == 1
    assert any(
        line.startswith(f"stream {conversation}, version 1: it is erased, and no ConversationErased event")
        for line in verified.problems
    )


# ---- what cannot be read -------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_bundle_cannot_be_read(share: float, tmp_path: Path) -> None:
    verified = verify(BUNDLE[: int(len(BUNDLE) * share)], tmp_path)
    assert verified.status == 2
    assert "cannot be read" in verified.errors


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(BUNDLE) - 1), mask=st.integers(1, 255))
def test_no_changed_byte_of_the_archive_makes_it_fall_over(place: int, mask: int, tmp_path: Path) -> None:
    """Some bytes of a ZIP, such as a file's time, say nothing; whatever says something is found."""
    raw = bytearray(BUNDLE)
    raw[place] ^= mask
    verified = verify(bytes(raw), tmp_path)
    assert verified.status in (0, 1, 2)
    if verified.status == 0:
        assert unpacked(bytes(raw)) == unpacked(BUNDLE)


@pytest.mark.parametrize("name", ["events.jsonl", "checkpoint", "manifest.json", "manifest.sig"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    files = unpacked(BUNDLE)
    del files[name]
    verified = verify(repacked(files), tmp_path)
    assert verified.status == 2
    assert f"{name} is missing" in verified.errors


def test_an_added_file_is_named(tmp_path: Path) -> None:
    verified = verify(repacked({**unpacked(BUNDLE), "notes.txt": b"hello"}), tmp_path)
    assert verified.status == 1
    assert verified.problems == ["file notes.txt: it is in the bundle 1 times, expected 0."]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format":"verbatim-bundle/2"}', b"\xff"])
def test_a_manifest_of_another_kind_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    files = {**unpacked(BUNDLE), "manifest.json": content, "manifest.sig": signature_of(content)}
    assert verify(repacked(files), tmp_path).status == 2


@pytest.mark.parametrize("key", ["", "a+b", "name+00000000+AAAA", KEY.replace("+", "-")])
def test_a_key_that_is_none_is_refused(key: str, tmp_path: Path) -> None:
    verified = verify(BUNDLE, tmp_path, keys=[key])
    assert verified.status == 2
    assert "is not a verifier key" in verified.errors
