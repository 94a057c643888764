"""TapeAlert flags of a virtual drive: raised by what commands come to, cleared by being read (SSC-4 annex A)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Final

from scsi.drive_reports import TapeAlert
from scsi.parameters import LogParameter
from scsi.sense import Sense, SenseKey

__all__ = ["Alerts"]

_FLAGS: Final = 64
_RAISED: Final[Mapping[tuple[SenseKey, int, int], Set[TapeAlert]]] = {
    (SenseKey.MEDIUM_ERROR, 0x11, 0x00): {TapeAlert.MEDIA, TapeAlert.READ_FAILURE},
    (SenseKey.MEDIUM_ERROR, 0x0C, 0x00): {TapeAlert.MEDIA, TapeAlert.WRITE_FAILURE},
    (SenseKey.MEDIUM_ERROR, 0x31, 0x00): {TapeAlert.DIRECTORY_CORRUPTED},
    (SenseKey.MEDIUM_ERROR, 0x30, 0x01): {TapeAlert.UNSUPPORTED_FORMAT},
    (SenseKey.DATA_PROTECT, 0x27, 0x00): {TapeAlert.WRITE_PROTECT},
    (SenseKey.DATA_PROTECT, 0x30, 0x0C): {TapeAlert.WORM_OVERWRITE},
    (SenseKey.ILLEGAL_REQUEST, 0x53, 0x02): {TapeAlert.NO_REMOVAL},
}
"""What is told of by which sense."""


class Alerts:
    """The flags that are set now."""

    def __init__(self) -> None:
        self._set = set[TapeAlert]()

    def note(self, sense: Sense) -> None:
        """What a command came to."""
        self._set |= _RAISED.get((sense.key, sense.asc, sense.ascq), set())

    def clear(self) -> None:
        """They have been read, or the drive was reset."""
        self._set.clear()

    def page(self) -> Sequence[LogParameter]:
        """Log page 2E: a parameter for each flag."""
        return [LogParameter.of(flag, bytes((flag in self._set,))) for flag in range(1, _FLAGS + 1)]

    def response(self) -> Sequence[LogParameter]:
        """Log page 12: all flags in one, the first flag in the highest bit."""
        bits = sum(1 << _FLAGS - flag for flag in self._set)
        return [LogParameter.of(0, bits.to_bytes(_FLAGS // 8, "big"))]
