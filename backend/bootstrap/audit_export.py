"""Puts exports together: which calls, out of which database, signed by whose key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import ExpressionWrapper
from django.db.models.fields import BooleanField
from django.db.models.fields.json import KeyTextTransform

from backend.audit.export import (
    CALL_COLUMNS,
    BundleFacts,
    FileDigest,
    bundle_files,
    calls_as_csv,
    events_as_lines,
    manifest,
    text_to_sign,
)
from backend.audit.notes import sign_note
from backend.bootstrap import database_url
from backend.bootstrap.transparency import log_keys, transparency_log
from backend.domain.outcomes import PENDING
from backend.transparency.exporting import ExportSnapshot, PickedCalls
from backend.transparency.packing import Files, packed

VERIFIER: Final = settings.BASE_DIR / "tools" / "verbatim_verify.py"
_PAGE: Final = 2000


def open_export(
    calls: QuerySet[Any], *, kept_sizes: Iterable[int] = (), each: Callable[[], None] = lambda: None
) -> AbstractContextManager[ExportSnapshot]:
    """What belongs to these calls, from one moment, under a checkpoint signed now. Raises NothingToExport.

    calls: rows of the call list. kept_sizes, each: see ExportSnapshot.
    """
    keys = log_keys()
    transparency_log().checkpoint()
    return ExportSnapshot.open(database_url(), keys, picked_calls(calls), kept_sizes, each)


def picked_calls(calls: QuerySet[Any]) -> PickedCalls:
    """The calls of a query as the snapshot asks for them, on its own connection."""
    # Values keep the order in which they are named; an order of rows would only cost time.
    chosen = calls.order_by().values_list("id", "conversation_id", "owner_id", _is_pending())
    return PickedCalls(*chosen.query.sql_with_params())


def bundle(snapshot: ExportSnapshot, *, picked: Mapping[str, str], at: datetime) -> Iterator[bytes]:
    """The bytes of a bundle, made while they are taken. picked: the filters that chose the calls."""
    facts = BundleFacts(
        product=f"Verbatim {settings.VERSION}",
        created_at=at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        origin=snapshot.origin,
        picked=picked,
    )

    def closing(digests: Mapping[str, FileDigest], lines: Mapping[str, int]) -> Files:
        text = manifest(facts, snapshot, digests, lines)
        signed = sign_note(
            text_to_sign(snapshot.origin, hashlib.sha256(text).hexdigest()), [log_keys().signer]
        )
        return [("manifest.json", [text]), ("manifest.sig", [signed.encode()])]

    return packed(bundle_files(snapshot, snapshot, verifier()), closing, at)


def jsonl(snapshot: ExportSnapshot) -> Iterator[bytes]:
    return events_as_lines(snapshot)


def csv(calls: QuerySet[Any], *, each: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """The calls as CSV, read in pieces from one moment."""
    columns = {name: F(name) for name in CALL_COLUMNS if name != "error_code"}
    chosen = calls.annotate(error_code=KeyTextTransform("code", "error")).values(*columns, "error_code")
    for place, line in enumerate(calls_as_csv(map(_as_texts, chosen.iterator(chunk_size=_PAGE)))):
        if place:
            each()
        yield line


@lru_cache(maxsize=1)
def verifier() -> bytes:
    """The text of the offline verifier."""
    return bytes(VERIFIER.read_bytes())


def _is_pending() -> ExpressionWrapper[Any]:
    return ExpressionWrapper(Q(outcome=PENDING), output_field=BooleanField())


def _as_texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Times as the API writes them; everything else is written as it is."""
    return {
        name: value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if isinstance(value, datetime)
        else value
        for name, value in row.items()
    }
