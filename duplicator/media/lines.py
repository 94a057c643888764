"""Bytes of a scanner into lines, whatever ends them, none longer than a limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from duplicator.media.misreads import CutOffError, LineTooLongError

__all__ = ["LINE_LIMIT", "LineSplitter"]

LINE_LIMIT: Final = 64
"""Bytes of a line without its end: a label, its check character, and what scanners put around."""
_ENDS: Final = b"\r\n"


class LineSplitter:
    """A line ends at CR, at LF or at both; empty lines are none."""

    def __init__(self, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._line = bytearray()
        self._is_too_long = False

    @property
    def begun(self) -> bytes:
        """What came of the line that has no end yet, cut at the limit."""
        return bytes(self._line)

    def feed(self, received: bytes) -> Iterator[bytes | LineTooLongError]:
        """The lines that end in ``received``; for one over the limit, once its end is there, what is wrong with it."""
        for byte in received:
            if byte in _ENDS:
                yield from self._end()
            elif len(self._line) < self._limit:
                self._line.append(byte)
            else:
                self._is_too_long = True

    def give_up(self) -> CutOffError | LineTooLongError:
        """Drop the line that has no end; what is wrong with it."""
        begun, is_too_long = self._take()
        if is_too_long:
            return self._too_long(begun)
        return CutOffError(f"the line {_shown(begun)} has no end: scan again")

    def _end(self) -> Iterator[bytes | LineTooLongError]:
        line, is_too_long = self._take()
        if is_too_long:
            yield self._too_long(line)
        elif line:
            yield line

    def _take(self) -> tuple[bytes, bool]:
        taken = self.begun, self._is_too_long
        self._line.clear()
        self._is_too_long = False
        return taken

    def _too_long(self, line: bytes) -> LineTooLongError:
        return LineTooLongError(f"more than {self._limit} characters in a line: {_shown(line)} and so on")


def _shown(line: bytes) -> str:
    return repr(line.decode("ascii", "backslashreplace"))
