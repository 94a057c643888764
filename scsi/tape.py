"""The face of an open tape drive, whatever is behind it.

A tape is a row of logical objects, blocks and filemarks, numbered from 0 at its beginning (BOT). The drive stands
between two of them; its position is the number of the object that comes next. Conditions that end an operation early
but belong to tape are values (:class:`Stop`, ``early_warning``, ``truncated``); failures are :mod:`scsi.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

__all__ = [
    "MAX_BLOCK_BYTES",
    "MAX_FILEMARKS",
    "Capacity",
    "Position",
    "ReadOutcome",
    "SpaceOutcome",
    "Stop",
    "TapeDrive",
    "WriteOutcome",
]

MAX_BLOCK_BYTES: Final = 16 << 20
MAX_FILEMARKS: Final = (1 << 24) - 1
"""Filemarks of one call: the count field of WRITE FILEMARKS has 24 bits."""


class Stop(Enum):
    """What ended a read or a movement before its count."""

    FILEMARK = "filemark"
    END_OF_DATA = "end of data"
    BEGINNING = "beginning of tape"


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """Blocks (or filemarks) now on the tape; ``early_warning``: the drive stands in the last zone."""

    blocks: int
    early_warning: bool = False


@dataclass(frozen=True, slots=True)
class ReadOutcome:
    """Blocks read, packed one after the other. ``truncated``: the last one was longer, its excess is lost."""

    blocks: int
    bytes_read: int
    stop: Stop | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class SpaceOutcome:
    """Blocks or filemarks passed, never negative; a filemark that stopped a move over blocks is not counted."""

    moved: int
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where the drive stands. ``block_number`` counts blocks and filemarks since BOT, ``block_in_file`` only blocks."""

    block_number: int
    file_number: int
    block_in_file: int
    at_bot: bool
    at_eod: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """Bytes of blocks the tape takes in all, and from the present position on (what follows would be overwritten)."""

    total_bytes: int
    remaining_bytes: int


class TapeDrive(Protocol):
    """An open drive. One caller at a time, except :meth:`position` and :meth:`capacity`, which any thread may call.

    Every method raises NoMedium after :meth:`unload` or :meth:`close`; those two may be repeated.
    """

    @property
    def loaded(self) -> bool:
        """Whether a tape is in the drive."""
        ...

    @property
    def write_protected(self) -> bool:
        """Whether every write would raise WriteProtected."""
        ...

    def write_blocks(self, blocks: memoryview, block_bytes: int) -> WriteOutcome:
        """Write ``len(blocks) // block_bytes`` blocks of equal size; everything after the position is gone.

        Outside the early-warning zone it stops after the block that reaches it; inside it goes on to the physical
        end. It may write fewer than given; EndOfMedium if not one fits. The length must be a multiple.
        """
        ...

    def read_blocks(self, into: memoryview, block_bytes: int) -> ReadOutcome:
        """Read blocks of up to ``block_bytes`` each while another full one has room in ``into``.

        Stops after a filemark (it is crossed), at the end of data, and after a block longer than ``block_bytes``.
        MediumError leaves the position where it was.
        """
        ...

    def write_filemarks(self, count: int) -> WriteOutcome:
        """Write ``count`` filemarks; on return they and all before them are on the medium. 0 only flushes."""
        ...

    def space_blocks(self, count: int) -> SpaceOutcome:
        """Move over ``count`` blocks (negative: backwards).

        A filemark stops it and is crossed: forwards the drive ends after it, backwards before it (its BOT side).
        """
        ...

    def space_filemarks(self, count: int) -> SpaceOutcome:
        """Move over ``count`` filemarks (negative: backwards); ends after the last one, backwards before it."""
        ...

    def space_end_of_data(self) -> None:
        """Go to where the next block would be appended."""
        ...

    def locate(self, block_number: int) -> None:
        """Go to a logical object by number; BlankCheck, at the end of data, if the tape has fewer."""
        ...

    def rewind(self) -> None:
        """Go to the beginning."""
        ...

    def unload(self) -> None:
        """Flush and take the tape out of the drive."""
        ...

    def position(self) -> Position:
        """Where the drive stands; never waits for a running transfer, and then tells where that began."""
        ...

    def capacity(self) -> Capacity:
        """Room in all and from here on; never waits."""
        ...

    def close(self) -> None:
        """Flush and release the drive, even if flushing fails."""
        ...
