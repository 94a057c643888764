"""Reads a backup stream as an archive: whole, or only the stretches that are asked for."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Final, cast

from duplicator.trees.content import Extent
from duplicator.trees.members import MAX_HEADER_BYTES
from ndmp.backends import RecoverChannel
from ndmp.types import ALL_ONES_64

__all__ = ["DamagedStreamError", "MemberStream"]

_CHUNK_BYTES: Final = 256 << 10
_NOTHING: Final = bytes(tarfile.BLOCKSIZE)


class DamagedStreamError(Exception):
    """What was read is no archive, or ends before its end."""


class _Archive:
    """The stream as tarfile wants a file, forwards only; the whole of it is one stretch."""

    def __init__(self, channel: RecoverChannel, position: int = 0) -> None:
        self._channel = channel
        self._position = position
        self.budget = MAX_HEADER_BYTES
        """Bytes of headers that may still come with this member."""
        self.last_block = b""
        self._begin()

    def _begin(self) -> None:
        self._channel.expect(self._position, ALL_ONES_64)

    def _ask(self, length: int) -> None:
        """Bytes that will be read next; already on their way."""

    def read(self, size: int) -> bytes:
        """Headers; less than ``size`` at the end of the stream."""
        self.budget -= size
        if size < 0 or self.budget < 0:
            raise DamagedStreamError(f"headers of more than {MAX_HEADER_BYTES} bytes at byte {self._position}")
        self._ask(size)
        self.last_block = self._take(size)
        return self.last_block

    def _take(self, size: int) -> bytes:
        pieces = []
        while size and (piece := self._channel.read(size)):
            pieces.append(piece)
            size -= len(piece)
            self._position += len(piece)
        return b"".join(pieces)

    def contents(self, length: int) -> Iterator[bytes]:
        """The next ``length`` bytes, in pieces."""
        self._ask(length)
        while length:
            piece = self._channel.read(min(length, _CHUNK_BYTES))
            if not piece:
                raise DamagedStreamError(f"the stream ends at byte {self._position}, within a file")
            self._position += len(piece)
            length -= len(piece)
            yield piece

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if position < self._position:
            raise DamagedStreamError(f"a member that ends before it begins, at byte {self._position}")
        self._skip(position - self._position)
        return self._position

    def _skip(self, length: int) -> None:
        for _ in self.contents(length):
            pass

    def finish(self) -> None:
        """Take the zeros up to a full tar record, so that who sends them is not cut off."""
        self._take(-self._position % tarfile.RECORDSIZE)

    def write(self, chunk: bytes) -> int:
        raise io.UnsupportedOperation("write")

    def close(self) -> None:
        pass


class _Parts(_Archive):
    """The same in stretches of exactly what is read: the rest of the tape stays unread."""

    def _begin(self) -> None:
        pass

    def _ask(self, length: int) -> None:
        if length:
            self._channel.expect(self._position, length)

    def _skip(self, length: int) -> None:
        self._position += length

    def finish(self) -> None:
        pass


class _TarFile(tarfile.TarFile):
    members: list[tarfile.TarInfo]


class MemberStream:
    """The members of a stream from ``position`` on, with their bytes; None: from its start, in one go."""

    def __init__(self, channel: RecoverChannel, position: int | None = None) -> None:
        self._archive = _Archive(channel) if position is None else _Parts(channel, position)

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Every member, with its own name; raises DamagedStreamError at once where there is none to be found."""
        try:
            tar = _TarFile(fileobj=self._archive, mode="r", encoding="utf-8", errors="surrogateescape")
            while member := tar.next():
                if member.sparse is not None:
                    _correct(member, tar)
                if member.size < 0:
                    raise DamagedStreamError(f"{member.name!r} has {member.size} bytes")
                yield member
                self._archive.budget = MAX_HEADER_BYTES
                self._archive.seek(tar.offset)
                tar.members.clear()
        except (tarfile.TarError, ValueError, RecursionError) as problem:
            raise DamagedStreamError(f"no archive at byte {self._archive.tell()}: {problem}") from problem
        # tarfile takes anything that is no header for the end.
        if self._archive.last_block != _NOTHING:
            raise DamagedStreamError(f"no archive goes on at byte {self._archive.tell()}, and none ends there")
        self._archive.finish()

    def contents(self, member: tarfile.TarInfo) -> Iterator[tuple[int, bytes]]:
        """The bytes of the member that was given last, each piece with its offset in the file."""
        places = iter(_extents(member))
        start = length = 0
        for piece in self._archive.contents(_stored(member)):
            while piece:
                if not length:
                    start, length = next(places)
                part = piece[:length]
                yield start, part
                start, length, piece = start + len(part), length - len(part), piece[len(part) :]


def _correct(member: tarfile.TarInfo, tar: tarfile.TarFile) -> None:
    """What tarfile gets wrong where a sparse file comes with a record of its size or of the placeholder's name."""
    tar.offset = member.offset_data + -(-_stored(member) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    member.name = member.pax_headers.get("GNU.sparse.name", member.name)
    member.size = int(member.pax_headers.get("GNU.sparse.realsize", member.size))


def _stored(member: tarfile.TarInfo) -> int:
    """Bytes of the file that the archive holds."""
    return sum(length for _, length in _extents(member))


def _extents(member: tarfile.TarInfo) -> list[Extent]:
    """Where the bytes belong, checked: in order and within the file."""
    if member.sparse is None:
        return [(0, member.size)]
    # The stubs say bytes; places that GNU tar's older format does not use are empty.
    found = [extent for extent in cast("list[Extent]", member.sparse) if extent[1]]
    end = 0
    for start, length in found:
        if start < end or length < 0:
            raise DamagedStreamError(f"{member.name!r} has a list of bytes that is not in order")
        end = start + length
    return found
