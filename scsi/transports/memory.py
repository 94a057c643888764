"""Python's memory for C: where it lies, and for how long."""

from __future__ import annotations

import ctypes
from contextlib import AbstractContextManager

__all__ = ["address_of"]


def address_of(memory: bytes | memoryview) -> AbstractContextManager[int | None]:
    """The address of memory, which stays there within the block; None for none. What is read-only is copied."""
    if len(memory) == 0:
        return _Held(None)
    writable = isinstance(memory, memoryview) and not memory.readonly and memory.contiguous
    # One byte of it holds all of it.
    return _Held(ctypes.c_char.from_buffer(memory if writable else bytearray(memory)))


class _Held:
    """No generator: each block to and from a drive comes by here."""

    def __init__(self, first: ctypes.c_char | None) -> None:
        self._first = first

    def __enter__(self) -> int | None:
        return None if self._first is None else ctypes.addressof(self._first)

    def __exit__(self, *raised: object) -> None:
        self._first = None
