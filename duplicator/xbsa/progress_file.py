"""The progress file of a stream, as the library reads it while the manager appends to it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import BinaryIO, Final

from duplicator.xbsa.local_sockets import Deadline
from duplicator.xbsa.wire import Progress, WireError, unpack

__all__ = ["ProgressError", "ProgressFile"]

_INTERVAL: Final = 0.02
"""Seconds between looks: a file does not tell that it grew."""


class ProgressError(Exception):
    """What was awaited will not come, or did not in time."""


class ProgressFile:
    """Kept open: what was written stays readable when the stream's folder is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._lines: list[Progress] = []

    def wait_for(self, event: str, *, deadline: Deadline) -> Progress:
        """The line of an event that was not yet given; ProgressError."""
        while True:
            orphaned = self._is_orphaned()
            self._read()
            while self._lines:
                line = self._lines.pop(0)
                if line.event == event:
                    return line
            if orphaned:
                raise ProgressError(f"its manager ended before {event!r}")
            if not deadline.left():
                raise ProgressError(f"nothing of {event!r} within {deadline.seconds:g} s")
            time.sleep(_INTERVAL)

    def close(self) -> None:
        """Let go of it."""
        if self._file:
            self._file.close()

    def _is_orphaned(self) -> bool:
        """Whether the stream was cleaned up, so that nobody writes any more."""
        return not self._path.parent.exists()

    def _read(self) -> None:
        try:
            self._file = self._file or self._path.open("rb", buffering=0)
        except FileNotFoundError:
            return
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        try:
            self._lines += [unpack(line, Progress) for line in whole]
        except WireError as error:
            raise ProgressError(str(error)) from error
