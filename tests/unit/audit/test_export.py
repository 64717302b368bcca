"""The formats of exports: lossless lines, harmless cells, and an archive that is made while it is sent."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.audit.export import CALL_COLUMNS, ExportedEvent, calls_as_csv, event_line
from backend.transparency.packing import packed
from tests.support.bundles import NOON, Log, bundle_of, unpacked
from tools.verbatim_verify import read_event

STREAM = "00000000-0000-4000-8000-000000000001"


@given(st.binary() | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode))
def test_a_line_gives_the_stored_bytes_back(payload: bytes) -> None:
    event = ExportedEvent(7, 3, STREAM, 2, "UserMessageSent.v1", payload)
    line = event_line(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found = read_event(line)
    assert (found.position, found.index, found.stream) == (7, 3, STREAM)
    assert (found.version, found.topic, found.payload) == (2, "UserMessageSent.v1", payload)


def test_a_line_says_where_an_event_is_and_what_is_stored() -> None:
    payload = '{"content":"Grüße\u2028\\n"}'.encode()
    line = event_line(ExportedEvent(7, 3, STREAM, 2, "UserMessageSent.v1", payload))
    assert json.loads(line) == {
        "position": 7,
        "index": 3,
        "stream": STREAM,
        "version": 2,
        "topic": "UserMessageSent.v1",
        "payload": '{"content":"Grüße\u2028\\n"}',
    }


def row(**fields: Any) -> dict[str, Any]:
    return {**dict.fromkeys(CALL_COLUMNS), **fields}


def cells(*rows: dict[str, Any]) -> list[dict[str, str]]:
    text = b"".join(calls_as_csv(rows)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_table_has_a_row_for_each_call() -> None:
    text = b"".join(calls_as_csv([row(id=STREAM, prompt_tokens=12, model='a,"b"')])).decode()
    assert text.startswith(",".join(CALL_COLUMNS) + "\r\n")
    assert cells(row(id=STREAM, prompt_tokens=12, model='a,"b"')) == [
        {**dict.fromkeys(CALL_COLUMNS, ""), "id": STREAM, "prompt_tokens": "12", "model": 'a,"b"'}
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert cells(row(model=text))[0]["model"] == f"'{text}"


def test_numbers_and_ordinary_texts_stay_as_they_are() -> None:
    (found,) = cells(row(model="a=b", duration_ms=-1, finish_reason="half \ud800 of one"))
    assert (found["model"], found["duration_ms"], found["finish_reason"]) == ("a=b", "-1", "half ? of one")


def test_the_bundle_describes_all_of_its_files() -> None:
    files = unpacked(bundle_of(Log([])))
    described = json.loads(files["manifest.json"])
    assert described["files"] == {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
        if not name.startswith("manifest.")
    }
    assert list(files)[-2:] == ["manifest.json", "manifest.sig"]


def test_an_archive_that_is_not_finished_cannot_be_opened() -> None:
    pieces = packed([("a.txt", [b"x" * 100])], lambda digests, counts: [], NOON)
    whole = b"".join(pieces)
    assert zipfile.ZipFile(io.BytesIO(whole)).read("a.txt") == b"x" * 100

    def broken() -> Iterator[bytes]:
        yield b"y" * 100
        raise OSError("the database has gone")

    sent: list[bytes] = []
    with pytest.raises(OSError, match="the database has gone"):
        sent.extend(packed([("a.txt", broken())], lambda digests, counts: [], NOON))
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(sent)))


def test_files_bear_the_time_of_the_export() -> None:
    at = datetime(2026, 5, 6, 7, 8, 10, tzinfo=UTC)
    whole = b"".join(packed([("a.txt", [b"x"])], lambda digests, counts: [("b.txt", [b"y"])], at))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 5, 6, 7, 8, 10)}


def test_an_archive_of_any_length_needs_little_memory() -> None:
    def lines() -> Iterator[bytes]:
        for number in range(200_000):
            yield hashlib.sha256(b"%d" % number).hexdigest().encode() * 4  # 51 MB that do not compress well

    tracemalloc.start()
    try:
        sent = sum(len(piece) for piece in packed([("a", lines())], lambda digests, counts: [], NOON))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent > 5_000_000
    assert most < 2_000_000
