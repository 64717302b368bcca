"""Bundles against keys, kept checkpoints, erasure and attempts; and bundles that cannot be read at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.audit.export import ExportedEvent
from backend.audit.leaves import erased_payload
from tests.support.bundled_story import BUNDLE, LOG
from tests.support.bundles import (
    KEY,
    SIGNER,
    SOMEBODY_ELSE,
    Log,
    altered,
    bundle_of,
    checkpoint_of,
    covered_up,
    exported,
    repacked,
    signature_of,
    unpacked,
    verify,
)
from tests.support.external_calls import external_call

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
        told = json.dumps(
            {"by": "user:1", "reason": "asked for", "calls": [{"call_id": call} for call in sorted(calls)]}
        ).encode()
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


def retried(*ends: tuple[int, bool], erased: bool = False) -> Log:
    """A program's call of as many attempts as there are ends. ends: number, and whether it is for good."""
    (asked,) = exported([external_call("{}")])
    payloads = [(asked.topic, asked.payload)]
    for place, (attempt, final) in enumerate(ends, start=1):
        payloads.append(("ModelCallStarted.v1", json.dumps({"attempt": place}).encode()))
        told = {"attempt": attempt, "final": final}
        payloads.append(
            ("ModelCallCompleted.v1" if final else "ModelCallFailed.v1", json.dumps(told).encode())
        )
    events = [
        ExportedEvent(
            version, version - 1, asked.stream, version, topic, erased_payload(payload) if erased else payload
        )
        for version, (topic, payload) in enumerate(payloads, start=1)
    ]
    if erased:
        named = json.dumps({"calls": [{"call_id": asked.stream}]}).encode()
        events.append(
            ExportedEvent(len(events) + 1, len(events), str(UUID(int=1)), 1, "ConversationErased.v1", named)
        )
    return Log(events)


@pytest.mark.parametrize("erased", [False, True])
@pytest.mark.parametrize(
    ("ends", "holds"),
    [
        ([(1, True)], True),
        ([(1, False), (2, True)], True),
        ([(1, False), (2, False), (3, True)], True),
        ([(1, False), (2, False)], False),
        ([(1, True), (2, True)], False),
        ([(1, True), (2, False)], False),
        ([(2, False), (1, True)], False),
    ],
)
def test_every_attempt_has_one_end_and_the_last_is_for_good(
    ends: list[tuple[int, bool]], holds: bool, erased: bool, tmp_path: Path
) -> None:
    verified = verify(bundle_of(retried(*ends, erased=erased)), tmp_path)
    if holds or erased:  # what is erased no longer says which attempt it was
        assert (verified.status, verified.problems) == (0, [])
    else:
        assert verified.status == 1
        (problem,) = verified.problems
        assert problem.endswith("expected one end for each, the last one for good.")


def test_what_was_erased_by_nobody_is_a_problem(tmp_path: Path) -> None:
    log, conversation = erased_log(who=False)
    verified = verify(bundle_of(log), tmp_path)
    assert verified.status == 1
    assert any(
        line.startswith(f"stream {conversation}, version 1: it is erased, and no ConversationErased event")
        for line in verified.problems
    )


def test_a_call_that_was_erased_by_nobody_is_a_problem(tmp_path: Path) -> None:
    """Whoever exports could hide what one call said, and call that an erasure."""
    index = next(event.index for event in LOG.all_events if event.topic == "ModelCallRequested.v2")
    hidden = LOG.all_events[index].stream
    log = Log(
        [
            replace(each, payload=erased_payload(each.payload)) if each.stream == hidden else each
            for each in LOG.all_events
        ]
    )
    verified = verify(bundle_of(log), tmp_path)
    assert verified.status == 1
    (problem,) = verified.problems
    assert problem.startswith(f"call at position {LOG.all_events[index].position}, stream {hidden}, ")
    assert problem.endswith("it is erased, and no ConversationErased event names it.")


def test_an_erasure_explains_nothing_that_came_after_it(tmp_path: Path) -> None:
    log, conversation = erased_log(who=True)
    last = log.all_events[-1]
    late = ExportedEvent(
        last.position + 1,
        log.size,
        conversation,
        last.version + 1,
        "UserMessageSent.v1",
        erased_payload(b"{}"),
    )
    verified = verify(bundle_of(Log([*log.all_events, late])), tmp_path)
    assert verified.status == 1
    assert verified.problems == [
        f"stream {conversation}, version {late.version}: it is erased, and no ConversationErased event says who did it."
    ]


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
