"""A ZIP archive that is sent while it is made: nothing is kept but what the compression needs."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from backend.audit.export import FileDigest

Files = Iterable[tuple[str, Iterable[bytes]]]
Closing = Callable[[Mapping[str, FileDigest], Mapping[str, int]], Files]
"""What comes last, made of the digests of what came before, and of how many pieces each file had."""

_PIECE: Final = 64 * 1024
_LEVEL: Final = 6


class _Outlet:
    """A file that can only be written to, and gives up what was written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._length += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self, at_least: int) -> Iterator[bytes]:
        """What has gathered, where it is worth sending."""
        if self._length >= max(at_least, 1):
            gathered = b"".join(self._pieces)
            self._pieces, self._length = [], 0
            yield gathered


def packed(files: Files, closing: Closing, at: datetime) -> Iterator[bytes]:
    """The archive's bytes. at: the time that its files bear.

    Whoever stops taking them, or an error, leaves an archive that no program opens: its directory comes last.
    """
    outlet = _Outlet()
    digests: dict[str, FileDigest] = {}
    counts: dict[str, int] = {}
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        yield from _add(archive, outlet, files, at, digests, counts)
        yield from _add(archive, outlet, closing(dict(digests), dict(counts)), at, digests, counts)
    yield from outlet.take(1)


def _add(
    archive: zipfile.ZipFile,
    outlet: _Outlet,
    files: Files,
    at: datetime,
    digests: dict[str, FileDigest],
    counts: dict[str, int],
) -> Iterator[bytes]:
    for name, pieces in files:
        digest, length, count = hashlib.sha256(), 0, 0
        entry = zipfile.ZipInfo(name, at.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        # Its length is not known before its end, and may need more than 32 bits.
        with archive.open(entry, "w", force_zip64=True) as file:
            for piece in pieces:
                digest.update(piece)
                length += len(piece)
                count += 1
                file.write(piece)
                yield from outlet.take(_PIECE)
        digests[name], counts[name] = FileDigest(digest.hexdigest(), length), count
