"""Receipts of idempotent requests: kept for 24 hours, written in the commit they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.json import Json

from backend.application.ports import IdempotencyKey, Receipt

RECEIPT_HOURS = 24

_KEEP = """
INSERT INTO append_receipt (user_id, key, path, body_sha256, status, body)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (user_id, key) DO UPDATE SET
    path = EXCLUDED.path, body_sha256 = EXCLUDED.body_sha256, status = EXCLUDED.status,
    body = EXCLUDED.body, at = now()
WHERE append_receipt.at < now() - make_interval(hours => %s)
RETURNING user_id
"""

_FIND = """
SELECT path, body_sha256, status, body FROM append_receipt
WHERE user_id = %s AND key = %s AND at >= now() - make_interval(hours => %s)
"""

REMOVE_OLD_RECEIPTS: Final = "DELETE FROM append_receipt WHERE at < now() - interval '24 hours'"
"""Removes receipts after RECEIPT_HOURS, when they are no longer honoured. Run by whoever keeps house."""


class ReceiptTaken(Exception):
    """Another request with this key was answered first."""


def keep_receipt(
    cursor: psycopg.Cursor[dict[str, Any]], receipt: Receipt, positions: Sequence[int], end: int
) -> None:
    """Write the receipt with the answer's position. Raises ReceiptTaken where the key has one already."""
    body = {**receipt.body, "position": str(positions[-1] if positions else end)}
    key = receipt.key
    cursor.execute(
        _KEEP,
        (key.user_id, key.key, key.path, key.body_sha256, receipt.status, Json(body), RECEIPT_HOURS),
    )
    if cursor.fetchone() is None:
        raise ReceiptTaken


def find_receipt(connection: psycopg.Connection[dict[str, Any]], user_id: UUID, key: str) -> Receipt | None:
    row = connection.execute(_FIND, (user_id, key, RECEIPT_HOURS)).fetchone()
    if row is None:
        return None
    body: Mapping[str, Any] = row["body"]
    return Receipt(IdempotencyKey(user_id, key, row["path"], row["body_sha256"]), row["status"], body)
