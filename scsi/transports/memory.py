"""Python's memory for C: where it lies, and for how long."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["address_of"]


@contextmanager
def address_of(memory: bytes | memoryview) -> Iterator[int | None]:
    """The address of memory, which stays there within the block; None for none. What is read-only is copied."""
    if len(memory) == 0:
        yield None
        return
    writable = isinstance(memory, memoryview) and not memory.readonly and memory.contiguous
    held = (ctypes.c_char * len(memory)).from_buffer(memory if writable else bytearray(memory))
    yield ctypes.addressof(held)
