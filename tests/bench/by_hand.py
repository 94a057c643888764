"""What one would write by hand with ``struct``: the measure of the generated codec.

Lengths, padding counts and ends are checked, as a sane decoder does; numbers stay plain integers. Each message comes
twice: as tuples, the least Python can make, and as slotted dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any

__all__ = ["OBJECTS", "TUPLES"]

_WORD = Struct(">I")
_TWO = Struct(">2I")
_HEADER = Struct(">6I")
_STATE = Struct(">7I5QI")
_STAT = Struct(">9IQI")
_NODE = Struct(">2Q")
_ENDPOINT = Struct(">3I")
_ZEROS = (b"", bytes(3), bytes(2), bytes(1))


@dataclass(slots=True)
class Header:
    sequence: int
    time_stamp: int
    message_type: int
    code: int
    reply_sequence: int
    error: int


@dataclass(slots=True)
class MoverState:
    error: int
    mode: int
    state: int
    pause_reason: int
    halt_reason: int
    record_size: int
    record_num: int
    bytes_moved: int
    seek_position: int
    bytes_left_to_read: int
    window_offset: int
    window_length: int
    address: Any


@dataclass(slots=True)
class Local:
    """A local address."""


@dataclass(slots=True)
class Tcp:
    endpoints: tuple[Any, ...]


@dataclass(slots=True)
class Endpoint:
    ipv4: int
    port: int
    environment: tuple[Any, ...]


@dataclass(slots=True)
class Block:
    block: bytes


@dataclass(slots=True)
class Stat:
    unsupported: int
    fs_type: int
    file_type: int
    mtime: int
    atime: int
    ctime: int
    owner: int
    group: int
    attributes: int
    size: int
    links: int


@dataclass(slots=True)
class UnixName:
    path: str


@dataclass(slots=True)
class File:
    names: tuple[Any, ...]
    stats: tuple[Any, ...]
    node: int
    fh_info: int


def _end(body: bytes, at: int) -> None:
    if at != len(body):
        raise ValueError("trailing bytes")


# -- header ----------------------------------------------------------------------------------------------------------


def header_as_tuple(body: bytes) -> tuple[int, ...]:
    return _HEADER.unpack(body)


def header_from_tuple(words: tuple[int, ...]) -> bytes:
    return _HEADER.pack(*words)


def header_as_object(body: bytes) -> Header:
    return Header(*_HEADER.unpack(body))


def header_from_object(h: Header) -> bytes:
    return _HEADER.pack(h.sequence, h.time_stamp, h.message_type, h.code, h.reply_sequence, h.error)


# -- MOVER_GET_STATE -------------------------------------------------------------------------------------------------


def state_as_tuple(body: bytes) -> tuple[Any, ...]:
    *fields, kind = _STATE.unpack_from(body)
    if kind == 0:
        _end(body, 72)
        return (*fields, None)
    if kind != 1:
        raise ValueError("address type")
    (count,) = _WORD.unpack_from(body, 72)
    if count > 0xFFFF:
        raise ValueError("count")
    at, endpoints = 76, []
    for _ in range(count):
        ipv4, port, pairs = _ENDPOINT.unpack_from(body, at)
        if port > 0xFFFF or pairs:  # an environment is not worth writing for a benchmark
            raise ValueError("port")
        endpoints.append((ipv4, port, ()))
        at += 12
    _end(body, at)
    return (*fields, endpoints)


def state_from_tuple(state: tuple[Any, ...]) -> bytes:
    *fields, endpoints = state
    if endpoints is None:
        return _STATE.pack(*fields, 0)
    parts = [_STATE.pack(*fields, 1), _WORD.pack(len(endpoints))]
    parts += [_ENDPOINT.pack(ipv4, port, 0) for ipv4, port, _ in endpoints]
    return b"".join(parts)


def state_as_object(body: bytes) -> MoverState:
    *fields, kind = _STATE.unpack_from(body)
    if kind == 0:
        _end(body, 72)
        return MoverState(*fields, Local())
    if kind != 1:
        raise ValueError("address type")
    (count,) = _WORD.unpack_from(body, 72)
    if count > 0xFFFF:
        raise ValueError("count")
    at, endpoints = 76, []
    for _ in range(count):
        ipv4, port, pairs = _ENDPOINT.unpack_from(body, at)
        if port > 0xFFFF or pairs:
            raise ValueError("port")
        endpoints.append(Endpoint(ipv4, port, ()))
        at += 12
    _end(body, at)
    return MoverState(*fields, Tcp(tuple(endpoints)))


def state_from_object(s: MoverState) -> bytes:
    words = (s.error, s.mode, s.state, s.pause_reason, s.halt_reason, s.record_size, s.record_num)
    sizes = (s.bytes_moved, s.seek_position, s.bytes_left_to_read, s.window_offset, s.window_length)
    if isinstance(s.address, Local):
        return _STATE.pack(*words, *sizes, 0)
    parts = [_STATE.pack(*words, *sizes, 1), _WORD.pack(len(s.address.endpoints))]
    parts += [_ENDPOINT.pack(endpoint.ipv4, endpoint.port, 0) for endpoint in s.address.endpoints]
    return b"".join(parts)


# -- TAPE_WRITE ------------------------------------------------------------------------------------------------------


def block_as_bytes(body: bytes) -> bytes:
    (length,) = _WORD.unpack_from(body)
    if length > 0x1000000 or 4 + length > len(body):
        raise ValueError("length")
    _end(body, 4 + length + (-length & 3))
    return body[4 : 4 + length]


def block_from_bytes(block: bytes) -> bytes:
    return b"".join((_WORD.pack(len(block)), block, _ZEROS[len(block) & 3]))


def block_as_object(body: bytes) -> Block:
    return Block(block_as_bytes(body))


def block_from_object(write: Block) -> bytes:
    return block_from_bytes(write.block)


def block_parts_from_bytes(block: bytes) -> tuple[bytes, ...]:
    return _WORD.pack(len(block)), block, _ZEROS[len(block) & 3]


def block_parts_from_object(write: Block) -> tuple[bytes, ...]:
    return block_parts_from_bytes(write.block)


# -- FH_ADD_FILE -----------------------------------------------------------------------------------------------------


def files_as_tuples(body: bytes) -> list[tuple[Any, ...]]:
    (count,) = _WORD.unpack_from(body)
    if count > 0xFFFF:
        raise ValueError("count")
    at, files = 4, []
    for _ in range(count):
        (names_count,) = _WORD.unpack_from(body, at)
        at += 4
        names = []
        for _ in range(names_count):
            kind, length = _TWO.unpack_from(body, at)
            at += 8
            end = at + length
            if kind != 0 or length > 0xFFFF or end > len(body):  # NT names are not worth writing for a benchmark
                raise ValueError("name")
            names.append((kind, body[at:end].decode("utf-8", "surrogateescape")))
            at = end + (-length & 3)
        (stats_count,) = _WORD.unpack_from(body, at)
        at += 4
        stats = []
        for _ in range(stats_count):
            stats.append(_STAT.unpack_from(body, at))
            at += 48
        node, fh_info = _NODE.unpack_from(body, at)
        at += 16
        files.append((names, stats, node, fh_info))
    _end(body, at)
    return files


def files_from_tuples(files: list[tuple[Any, ...]]) -> bytes:
    parts = [_WORD.pack(len(files))]
    for names, stats, node, fh_info in files:
        parts.append(_WORD.pack(len(names)))
        for kind, path in names:
            octets = path.encode("utf-8", "surrogateescape")
            parts += _TWO.pack(kind, len(octets)), octets, _ZEROS[len(octets) & 3]
        parts.append(_WORD.pack(len(stats)))
        for stat in stats:
            parts.append(_STAT.pack(*stat))
        parts.append(_NODE.pack(node, fh_info))
    return b"".join(parts)


def files_as_objects(body: bytes) -> list[File]:
    (count,) = _WORD.unpack_from(body)
    if count > 0xFFFF:
        raise ValueError("count")
    at, files = 4, []
    for _ in range(count):
        (names_count,) = _WORD.unpack_from(body, at)
        at += 4
        names = []
        for _ in range(names_count):
            kind, length = _TWO.unpack_from(body, at)
            at += 8
            end = at + length
            if kind != 0 or length > 0xFFFF or end > len(body):
                raise ValueError("name")
            names.append(UnixName(body[at:end].decode("utf-8", "surrogateescape")))
            at = end + (-length & 3)
        (stats_count,) = _WORD.unpack_from(body, at)
        at += 4
        stats = []
        for _ in range(stats_count):
            stats.append(Stat(*_STAT.unpack_from(body, at)))
            at += 48
        node, fh_info = _NODE.unpack_from(body, at)
        at += 16
        files.append(File(tuple(names), tuple(stats), node, fh_info))
    _end(body, at)
    return files


def files_from_objects(files: list[File]) -> bytes:
    parts = [_WORD.pack(len(files))]
    for file in files:
        parts.append(_WORD.pack(len(file.names)))
        for name in file.names:
            octets = name.path.encode("utf-8", "surrogateescape")
            parts += _TWO.pack(0, len(octets)), octets, _ZEROS[len(octets) & 3]
        parts.append(_WORD.pack(len(file.stats)))
        for s in file.stats:
            words = (s.unsupported, s.fs_type, s.file_type, s.mtime, s.atime, s.ctime, s.owner, s.group, s.attributes)
            parts.append(_STAT.pack(*words, s.size, s.links))
        parts.append(_NODE.pack(file.node, file.fh_info))
    return b"".join(parts)


TUPLES: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], Any]]] = {
    "header": (header_as_tuple, header_from_tuple),
    "state": (state_as_tuple, state_from_tuple),
    "block": (block_as_bytes, block_from_bytes),
    "block in parts": (block_as_bytes, block_parts_from_bytes),
    "files": (files_as_tuples, files_from_tuples),
}
"""Parse and build by kind of message, values as tuples."""
OBJECTS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], Any]]] = {
    "header": (header_as_object, header_from_object),
    "state": (state_as_object, state_from_object),
    "block": (block_as_object, block_from_object),
    "block in parts": (block_as_object, block_parts_from_object),
    "files": (files_as_objects, files_from_objects),
}
"""The same, values as slotted dataclasses."""
