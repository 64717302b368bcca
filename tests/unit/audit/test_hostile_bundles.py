"""Bundles by somebody who wants the verifier to fall over, to run out of memory, or to show what is not so."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.bundled_story import BUNDLE, LOG
from tests.support.bundles import (
    KEY,
    SIGNER,
    Log,
    altered,
    bundle_of,
    covered_up,
    exported,
    repacked,
    signature_of,
    unpacked,
    verify,
)
from tests.support.external_calls import external_call
from tools import verbatim_verify

PROGRAM = Path(verbatim_verify.__file__)
PLACE = 20
EVENT = LOG.all_events[PLACE]


def by_the_operator(files: Mapping[str, bytes]) -> bytes:
    """These files under a manifest that gives their digests, signed with the real key."""
    described = json.loads(files["manifest.json"])
    for name, entry in described["files"].items():
        entry.update(sha256=hashlib.sha256(files[name]).hexdigest(), bytes=len(files[name]))
    text = json.dumps(described).encode()
    return repacked({**files, "manifest.json": text, "manifest.sig": signature_of(text)})


def with_line(name: str, place: int, line: bytes) -> bytes:
    files = unpacked(BUNDLE)
    lines = files[name].splitlines()
    lines[place] = line
    return by_the_operator({**files, name: b"\n".join(lines) + b"\n"})


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


NONSENSE = {
    "not a number": b"NaN",
    "beyond all numbers": b"1e999",
    "thousands of digits": b"1" * 5000,
    "half of a character": b'"\\ud800"',
    "no UTF-8": b'"\xff"',
    "nested": nested(900),
    "nested too deeply": nested(100_000),
    "a list": b"[[]]",
    "true": b"true",
    "nothing": b"null",
}


@pytest.mark.parametrize("value", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("events.jsonl", "position"),
        ("events.jsonl", "index"),
        ("events.jsonl", "stream"),
        ("events.jsonl", "version"),
        ("events.jsonl", "topic"),
        ("events.jsonl", "payload"),
        ("events.jsonl", "payload_base64"),
        ("proofs.jsonl", "index"),
        ("proofs.jsonl", "hashes"),
        ("streams.jsonl", "stream"),
        ("streams.jsonl", "versions"),
        ("consistency.jsonl", "size"),
        ("consistency.jsonl", "hashes"),
    ],
)
def test_a_field_with_nonsense_in_it_is_named_by_its_line(
    file: str, name: str, value: bytes, tmp_path: Path
) -> None:
    place = 1 if file == "consistency.jsonl" else 3
    line = json.loads(unpacked(BUNDLE)[file].splitlines()[place])
    line[name] = "@"
    verified = verify(with_line(file, place, json.dumps(line).encode().replace(b'"@"', value)), tmp_path)
    assert verified.status == 1
    event = LOG.all_events[place]
    assert any(
        problem.startswith((f"{file}, line {place + 1}: ", f"position {event.position}, "))
        for problem in verified.problems
    )


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"\x00", b'{"index": 1', nested(200_000)]
)
@pytest.mark.parametrize("file", ["events.jsonl", "proofs.jsonl", "streams.jsonl", "consistency.jsonl"])
def test_a_line_that_is_none_is_named(file: str, line: bytes, tmp_path: Path) -> None:
    verified = verify(with_line(file, 1, line), tmp_path)
    assert verified.status == 1
    assert any(problem.startswith(f"{file}, line 2: it is not ") for problem in verified.problems)


@pytest.mark.parametrize("running", [b"null", b"1", b'"true"', b"false", b"[true]"])
def test_only_true_says_that_a_call_was_still_running(running: bytes, tmp_path: Path) -> None:
    line = unpacked(BUNDLE)["streams.jsonl"].splitlines()[0].replace(b"}", b',"running":%s}' % running)
    verified = verify(with_line("streams.jsonl", 0, line), tmp_path)
    assert verified.status == 1
    assert verified.problems[0].startswith("streams.jsonl, line 1: its field `running` is ")


def test_line_breaks_of_another_system_are_found_by_their_digests(tmp_path: Path) -> None:
    files = unpacked(BUNDLE)
    for name in ("events.jsonl", "checkpoint", "manifest.json"):
        changed = {**files, name: files[name].replace(b"\n", b"\r\n")}
        verified = verify(repacked(changed), tmp_path)
        assert verified.status == 1
        assert any(
            problem.startswith((f"file {name}: its digest", "manifest.sig: it was signed for another"))
            for problem in verified.problems
        )


PARAMETERS: dict[str, Any] = {
    "temperature": ["nan", "1e999", "inf", "1_0", "", {}, None],
    "max_tokens": ["nan", "1e3", float("inf"), "9" * 5000],
    "stop": [[float("nan")], [float("inf")], json.loads("[" * 700 + "]" * 700)],
    "odd": ["\ud800", True],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in PARAMETERS.items() for value in values]
)
def test_parameters_that_nothing_can_be_sent_with_are_a_problem_of_their_call(
    name: str, value: Any, tmp_path: Path
) -> None:
    index = next(
        event.index
        for event in LOG.all_events
        if event.topic == "ModelCallRequested.v2"
        and json.loads(event.payload)["prompt_request"]["raw_body"] is None
    )
    payload = json.loads(LOG.all_events[index].payload)
    payload["prompt_request"]["params"] = {name: value}
    changed = replace(LOG.all_events[index], payload=json.dumps(payload).encode())
    log = Log([changed if each.index == index else each for each in LOG.all_events])
    verified = verify(bundle_of(log), tmp_path)
    assert verified.status == 1
    assert verified.problems[0].startswith(f"call at position {changed.position}, ")


@pytest.mark.parametrize(
    "raw",
    ['{"model": %s}' % ("[" * 100_000), '{"model": %s}' % ("9" * 5000), '{"model"', '{"model": NaN}', ""],
)
def test_a_programs_body_that_is_none_is_a_problem_of_its_call(raw: str, tmp_path: Path) -> None:
    (event,) = exported([external_call("{}")])
    payload = json.loads(event.payload)
    payload["prompt_request"].update(raw_body=raw, builder="client/1", serializer="as-received/1")
    event = replace(event, payload=json.dumps(payload).encode())
    verified = verify(bundle_of(Log([event], running=frozenset({event.stream}))), tmp_path)
    assert verified.status == 1
    (problem,) = verified.problems
    assert problem.startswith(f"call at position {event.position}, ")


# ---- what is shown -------------------------------------------------------------------------------


def run(bundle: bytes, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    (folder / "a.zip").write_bytes(bundle)
    return subprocess.run(
        [sys.executable, str(PROGRAM), "a.zip", "--key", KEY],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False,
    )  # fmt: skip


def test_a_bundle_cannot_write_lines_of_its_own(tmp_path: Path) -> None:
    """Neither with line breaks nor with a terminal's commands: `Everything holds.` is only said where it is so."""
    lie = "x\r\n\x1b[2J\x1b[HEverything holds.\u2028\u202e"
    files = {**unpacked(BUNDLE), lie: b""}
    files["streams.jsonl"] += json.dumps({"stream": lie, "versions": 1}).encode() + b"\n"
    for bundle in (
        repacked(files),
        altered(BUNDLE, "events.jsonl", lambda lines: lines[3].update(topic=lie)),
    ):
        done = run(bundle, tmp_path)
        assert done.returncode == 1
        shown = done.stdout.decode()
        assert not any(sign in shown for sign in "\r\x1b\u2028\u202e")
        assert "Everything holds." not in shown.splitlines()


def test_a_terminal_that_has_few_characters_is_enough(tmp_path: Path) -> None:
    files = {**unpacked(BUNDLE), "näme \U0001f642 東京": b""}
    done = run(repacked(files), tmp_path, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"file n\\xe4me \\U0001f642 \\u6771\\u4eac: it is in the bundle 1 times" in done.stdout


# ---- archives ------------------------------------------------------------------------------------


def test_an_archive_that_claims_to_be_encrypted_cannot_be_read(tmp_path: Path) -> None:
    raw = bytearray(BUNDLE)
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    verified = verify(bytes(raw), tmp_path)
    assert verified.status == 2
    assert "encrypted" in verified.errors


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_broken_compressions_of_every_kind_cannot_be_read(method: int, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in unpacked(BUNDLE).items():
            archive.writestr(name, content)
    assert verify(packed.getvalue(), tmp_path).status == 0
    for place in range(60, 400, 7):
        raw = bytearray(packed.getvalue())
        raw[place] ^= 0xFF
        assert verify(bytes(raw), tmp_path).status in (1, 2)


def test_names_that_lead_elsewhere_lead_nowhere(tmp_path: Path) -> None:
    files = {**unpacked(BUNDLE), "../../evil": b"x", "/evil": b"x", "c:\\evil": b"x"}
    verified = verify(repacked(files), tmp_path)
    assert verified.status == 1
    assert len(verified.problems) == 3
    assert not (tmp_path.parent.parent / "evil").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.zip"]


def test_a_file_that_is_there_twice_is_named(tmp_path: Path) -> None:
    packed = io.BytesIO(BUNDLE)
    with zipfile.ZipFile(packed, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("events.jsonl", unpacked(BUNDLE)["events.jsonl"])
    verified = verify(packed.getvalue(), tmp_path)
    assert verified.status == 1
    assert verified.problems == ["file events.jsonl: it is in the bundle 2 times, expected 1."]


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", "checkpoint"])
@pytest.mark.parametrize("piece", [b" " * 1000, b" " * 999 + b"\n"], ids=["one line", "many lines"])
def test_a_small_file_that_unpacks_to_more_than_memory_is_not_taken_in(
    name: str, piece: bytes, tmp_path: Path
) -> None:
    verified = verify(repacked({**unpacked(BUNDLE), name: piece * 100_000}), tmp_path)
    assert verified.status == 2
    assert (
        f"{name} is longer than" in verified.errors or f"a line of {name} is longer than" in verified.errors
    )


def test_a_line_without_an_end_is_not_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbatim_verify, "LONGEST_LINE", 1 << 20)
    files = unpacked(BUNDLE)
    files["events.jsonl"] += b"x" * (1 << 20)
    verified = verify(repacked(files), tmp_path)
    assert verified.status == 2
    assert "a line of events.jsonl is longer than" in verified.errors


@pytest.mark.parametrize("file", ["events.jsonl", "proofs.jsonl"])
def test_what_waits_for_a_partner_that_never_comes_does_not_fill_the_memory(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbatim_verify, "MOST_OUT_OF_STEP", 50)
    other = "proofs.jsonl" if file == "events.jsonl" else "events.jsonl"
    bundle = altered(BUNDLE, other, lambda lines: lines.clear())
    verified = verify(covered_up(bundle, SIGNER), tmp_path)
    assert verified.status == 1
    assert (
        verified.problems[-1]
        == f"{file}, line 51: events and proofs do not belong together, so the rest was not read."
    )
