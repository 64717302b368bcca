"""File locks of the data folder: who runs the application, who runs its database.

A lock belongs to an open file, so it vanishes with its process however that ends. This module may not start or stop
anything.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from backend.embedded.errors import StartError


class FileLock:
    """An advisory lock on one file; the file stays, only the lock comes and goes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Take the lock; False when another process holds it and `wait` is False. Raises StartError."""
        if self._descriptor is None:
            # Not inherited by children (Python's default), else they would keep the lock after us.
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise StartError(
                    f"{self._path} cannot be opened: {error.strerror}. Start as the user to whom the data belong,"
                    " or set DATA_DIR to another folder."
                ) from error
        operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._descriptor, operation if wait else operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give the lock back; releasing twice changes nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
