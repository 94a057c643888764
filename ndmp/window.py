"""Arithmetic of mover windows and records, as pure functions (draft 3.6.2.2). All numbers are bytes of the stream."""

from __future__ import annotations

from dataclasses import dataclass

from ndmp.enums import Error, MoverMode
from ndmp.errors import ReplyError
from ndmp.types import ALL_ONES_64

__all__ = ["Window", "audit_alignment", "audit_blocks", "audit_range"]


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of the stream that may move before the application is asked again."""

    offset: int = 0
    length: int = 0

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.offset + self.length

    @property
    def is_endless(self) -> bool:
        """Whether it reaches as far as numbers go."""
        return self.end == ALL_ONES_64


def audit_range(offset: int, length: int) -> None:
    """Refuse nothing, and what overflows: ILLEGAL_ARGS. All ones as length fits offset 0 only."""
    if not length:
        raise ReplyError(Error.ILLEGAL_ARGS, "length 0")
    if offset + length > ALL_ONES_64:
        raise ReplyError(Error.ILLEGAL_ARGS, f"offset {offset} and length {length} overflow")


def audit_alignment(window: Window, *, mode: MoverMode, record_bytes: int, error: Error) -> None:
    """Refuse with ``error`` a window that does not fall on records where ``mode`` needs it."""
    if mode == MoverMode.READ and not window.is_endless and window.length % record_bytes:
        raise ReplyError(error, f"window length {window.length} is not a multiple of {record_bytes}")
    if mode == MoverMode.WRITE and window.offset % record_bytes:
        raise ReplyError(error, f"window offset {window.offset} is not a multiple of {record_bytes}")


def audit_blocks(record_bytes: int, *, block_bytes: int, error: Error) -> None:
    """Refuse with ``error`` records that are not whole blocks of a tape (draft 3.6.2.1); 0: of any size."""
    if block_bytes and record_bytes % block_bytes:
        raise ReplyError(error, f"records of {record_bytes} bytes on a tape with blocks of {block_bytes}")
