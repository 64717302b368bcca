"""The hash of any complete subtree of the log, from the stored leaves and every eighth level above them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import psycopg

from backend.audit.merkle import node_hash

STEP: Final = 8
"""Every so many levels the subtrees are stored."""
BLOCK: Final = 1 << STEP
_KEPT_BLOCKS: Final = 64

Connection = psycopg.Connection[Any]

_LEAVES = "SELECT index, hash FROM log_leaf WHERE index >= %s AND index < %s ORDER BY index"
_SUBTREES = (
    "SELECT index, hash FROM log_subtree WHERE level = %s AND index >= %s AND index < %s ORDER BY index"
)


class LogIncomplete(Exception):
    """The stored log has a gap. `make verify` says where."""


class StoredHashes:
    """Reads in blocks of 256 and keeps those used last: make one for each question, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._blocks: OrderedDict[tuple[int, int], dict[int, bytes]] = OrderedDict()

    def subtree(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree (level, index). Raises LogIncomplete."""
        above = level % STEP
        if above == 0:
            return self._stored(level, index)
        hashes = [self._stored(level - above, each) for each in range(index << above, (index + 1) << above)]
        while len(hashes) > 1:
            hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
        return hashes[0]

    def _stored(self, level: int, index: int) -> bytes:
        key = (level, index // BLOCK)
        if key not in self._blocks:
            self._blocks[key] = self._read(level, key[1] * BLOCK)
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        found = self._blocks[key].get(index)
        if found is None:
            what = f"leaf {index}" if level == 0 else f"the subtree {index} of level {level}"
            raise LogIncomplete(
                f"The transparency log lacks {what}. Run `make verify` to see what else is wrong."
            )
        return found

    def _read(self, level: int, begin: int) -> dict[int, bytes]:
        end = begin + BLOCK
        if level == 0:
            rows = self._connection.execute(_LEAVES, (begin, end)).fetchall()
        else:
            rows = self._connection.execute(_SUBTREES, (level, begin, end)).fetchall()
        return {row[0]: bytes(row[1]) for row in rows}
