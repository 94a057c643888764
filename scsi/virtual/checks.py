"""Checks of the blocks on a virtual tape: eight bytes each, kept beside them, by which damage on the disk shows."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Final

from xxhash import xxh3_64_digest

__all__ = ["CHECK_BYTES", "Checks"]

CHECK_BYTES: Final = 8
_BLOCKS_AT_ONCE: Final = 4096
_FLUSH_BYTES: Final = 1 << 16
"""How much is kept in memory before it goes to the file."""


class Checks:
    """The file DIR/BARCODE.check: XXH3 (64 bits, big-endian) of each block, by its number among blocks alone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._end = os.fstat(fd).st_size // CHECK_BYTES
        """Blocks whose checks are in the file."""
        self._pending = bytearray()

    def cut(self, block: int) -> None:
        """Forget all from this block on; those in the file are overwritten, or dropped."""
        self._pending.clear()
        self._end = block

    def drop_remains(self) -> None:
        """Shorten the file to what is not forgotten."""
        os.ftruncate(self._fd, self._end * CHECK_BYTES)

    def note(self, blocks: memoryview, block_bytes: int) -> None:
        """Blocks that are being appended; OSError, and none is noted, if earlier ones have no room on the disk."""
        if len(self._pending) >= _FLUSH_BYTES:
            self._flush()
        for some in _portions(blocks, block_bytes):
            self._pending += b"".join(_digests(some, block_bytes))

    def commit(self, *, sync: bool) -> None:
        """Bring what was noted to the disk."""
        self._flush()
        if sync:
            os.fdatasync(self._fd)

    def damaged(self, block: int, blocks: memoryview, block_bytes: int) -> int | None:
        """Which of these, counted from 0, is not as it was written; the first of them is number ``block``."""
        self._flush()
        passed = 0
        for some in _portions(blocks, block_bytes):
            digests, kept = _digests(some, block_bytes), self._kept(block + passed, len(some) // block_bytes)
            if b"".join(digests) != kept:
                return passed + next(
                    n for n, digest in enumerate(digests) if not kept.startswith(digest, n * CHECK_BYTES)
                )
            passed += len(digests)
        return None

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)

    def _kept(self, block: int, count: int) -> bytes:
        """The checks of some blocks; fewer, if the file ends before."""
        return os.pread(self._fd, count * CHECK_BYTES, block * CHECK_BYTES)

    def _flush(self) -> None:
        while self._pending:
            whole = os.pwrite(self._fd, self._pending, self._end * CHECK_BYTES) // CHECK_BYTES
            if not whole:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._end += whole
            del self._pending[: whole * CHECK_BYTES]


def _portions(blocks: memoryview, block_bytes: int) -> Iterator[memoryview]:
    """Many blocks, but not without limit."""
    size = block_bytes * _BLOCKS_AT_ONCE
    return (blocks[at : at + size] for at in range(0, len(blocks), size))


def _digests(blocks: memoryview, block_bytes: int) -> list[bytes]:
    return [xxh3_64_digest(blocks[at : at + block_bytes]) for at in range(0, len(blocks), block_bytes)]
