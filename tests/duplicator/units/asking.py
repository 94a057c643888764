"""Small steps that the tests of storage units share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ndmp.backends import FileHandle, FileServiceBackend, ReadEnd
from ndmp.enums import DigestAlgorithm, Error
from ndmp.errors import ReplyError

__all__ = ["names", "put", "read_all", "refused", "staged", "store"]


def refused(error: Error, call: Callable[..., object], *arguments: object, **named: object) -> None:
    """The call is answered with this error."""
    with pytest.raises(ReplyError) as refusal:
        call(*arguments, **named)
    assert refusal.value.error == error, (arguments, refusal.value)


def names(units: FileServiceBackend, after: str = "", limit: int = 100) -> list[str]:
    """One page of image names."""
    return [image.name for image in units.images("lsu", after, limit)]


def read_all(handle: FileHandle, record_bytes: int, *, records: int = 4) -> bytes:
    """Read to the filemark, by ``records`` at a time."""
    content, buffer = b"", memoryview(bytearray(records * record_bytes))
    while True:
        outcome = handle.read_records(buffer, record_bytes)
        assert outcome.records == -(-outcome.bytes_read // record_bytes)
        content += buffer[: outcome.bytes_read]
        if outcome.end:
            assert outcome.end is ReadEnd.FILEMARK
            return content


def put(handle: FileHandle, content: bytes, record_bytes: int = 512) -> None:
    """Write ``content`` in records, the last one padded, as a mover does."""
    padded = content + bytes(-len(content) % record_bytes)
    assert handle.write_records(memoryview(padded), record_bytes).records == len(padded) // record_bytes


def store(units: FileServiceBackend, image: str, number: int, name: str, content: bytes) -> None:
    """Write one whole fragment and keep it."""
    handle = units.open_write("lsu", image, number, name, len(content), DigestAlgorithm.NONE)
    put(handle, content)
    handle.close(keep=True)


def staged(root: Path) -> list[Path]:
    """Staging directories in the unit."""
    return list(root.glob(".incoming-*"))
