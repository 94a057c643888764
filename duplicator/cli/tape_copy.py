"""Blocks from a tape to a file, and back, with progress on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final, TypeAlias

from duplicator.cli.terminal import complain, is_watched, rate_text, size_text, stderr_console
from scsi.errors import EndOfMedium
from scsi.tape import Stop, TapeDrive

__all__ = ["Copied", "copy_from_tape", "copy_to_tape", "progress"]

_LINE_INTERVAL: Final = 5.0
"""Seconds between lines of progress."""
_BATCH_BYTES: Final = 4 << 20

Note: TypeAlias = Callable[[int], None]
"""Told how many more bytes were copied."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied. ``stop``: what ended a read; ``truncated``: a block was longer than asked for, its rest is lost.

    ``full``: the tape warned of its end, or ended, before all was written.
    """

    blocks: int
    bytes: int
    stop: Stop | None = None
    truncated: bool = False
    full: bool = False


def copy_from_tape(drive: TapeDrive, to: IO[bytes], note: Note, *, block_bytes: int, count: int | None) -> Copied:
    """Read ``count`` blocks, or all up to a filemark, which is crossed, or to the end of data."""
    # Short blocks would make more of them fit than are wanted.
    room = memoryview(
        bytearray(block_bytes if count is not None else max(1, _BATCH_BYTES // block_bytes) * block_bytes)
    )
    blocks = copied = 0
    while count is None or blocks < count:
        outcome = drive.read_blocks(room, block_bytes)
        blocks, copied = blocks + outcome.blocks, copied + outcome.bytes_read
        to.write(room[: outcome.bytes_read])
        note(outcome.bytes_read)
        if outcome.stop or outcome.truncated:
            return Copied(blocks, copied, outcome.stop, outcome.truncated)
    return Copied(blocks, copied)


def copy_to_tape(drive: TapeDrive, source: IO[bytes], note: Note, *, block_bytes: int) -> Copied:
    """Write all that the source has, or up to the early warning; the last block may be shorter."""
    blocks = copied = 0
    for piece in _pieces(source, max(1, _BATCH_BYTES // block_bytes) * block_bytes):
        while piece:
            size = min(block_bytes, len(piece))
            try:
                outcome = drive.write_blocks(piece[: len(piece) // size * size], size)
            except EndOfMedium as end:
                return Copied(blocks + end.blocks_written, copied + end.blocks_written * size, full=True)
            blocks, copied = blocks + outcome.blocks, copied + outcome.blocks * size
            note(outcome.blocks * size)
            piece = piece[outcome.blocks * size :]
            if outcome.early_warning:
                return Copied(blocks, copied, full=bool(piece or source.read(1)))
    return Copied(blocks, copied)


@contextmanager
def progress() -> Iterator[Note]:
    """A line that counts on a terminal, a line every few seconds elsewhere."""
    if not is_watched():
        yield _Lines().note
        return
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TransferSpeedColumn

    with Progress(SpinnerColumn(), DownloadColumn(), TransferSpeedColumn(), console=stderr_console()) as shown:
        task = shown.add_task("", total=None)
        yield lambda size: shown.advance(task, size)


class _Lines:
    def __init__(self) -> None:
        self._bytes = self._shown_bytes = 0
        self._shown = time.monotonic()

    def note(self, size: int) -> None:
        self._bytes += size
        now = time.monotonic()
        if now - self._shown >= _LINE_INTERVAL:
            speed = rate_text(self._bytes - self._shown_bytes, now - self._shown)
            complain(f"{size_text(self._bytes)}, {speed}")
            self._shown, self._shown_bytes = now, self._bytes


def _pieces(source: IO[bytes], size: int) -> Iterator[memoryview]:
    """All of a file or pipe, in full pieces but for the last."""
    while True:
        piece = bytearray()
        while len(piece) < size and (more := source.read(size - len(piece))):
            piece += more
        if piece:
            yield memoryview(piece)
        if len(piece) < size:
            return
