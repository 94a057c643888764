"""The data of a stream between two processes: by shared memory, or by a socket.

Frames are 8 bytes, big-endian: a count of bytes that follow (in the next slot of the ring, or on the socket), or with
the highest bit set the end of the stream and the total. With shared memory the receiving end answers with one byte for
slots that are free again: how many. The memory has no name, and its size is sealed: nothing can be left behind, and
nobody can take it away from under the other end.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from duplicator.xbsa.channel_ends import (
    MOST_SLOTS,
    ChannelBroken,
    Ring,
    RingReceiver,
    RingSender,
    SocketReceiver,
    SocketSender,
)
from duplicator.xbsa.local_sockets import Deadline, LineError, connect, read_line, send_line
from duplicator.xbsa.wire import Channel, DataHello, WireError, pack, unpack

__all__ = [
    "SLOTS",
    "SLOT_BYTES",
    "ChannelBroken",
    "ReceivingEnd",
    "SendingEnd",
    "Taker",
    "attach_receiving",
    "attach_sending",
    "offer_receiving",
    "offer_sending",
]

SLOTS: Final = 8
SLOT_BYTES: Final = 512 << 10
"""Of the rings made here. Waking the other end is dear: it hears of a quarter of them at once."""
MOST_BYTES: Final = 256 << 20
"""Of a ring that another process made, together."""
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class Taker(Protocol):
    """Takes a stream of bytes; used by one thread."""

    sent: int
    """Bytes put so far."""

    def send(self, chunk: memoryview) -> None:
        """Take a copy of all of it. ChannelBroken."""
        ...

    def finish(self) -> None:
        """That was all: the end marker, with the number of bytes."""
        ...

    def close(self) -> None:
        """Let go; without :meth:`finish` the other end is broken then. From any thread: waits end."""
        ...


class SendingEnd(Taker, Protocol):
    """The sending end of a channel, whose slots can be filled in place."""

    def room(self) -> memoryview:
        """Wait for a free slot; what is put into it is sent by :meth:`put`. ChannelBroken."""
        ...

    def put(self, count: int) -> None:
        """The first ``count`` bytes of the slot are the next of the stream; the other end hears of several at once."""
        ...


class ReceivingEnd(Protocol):
    """Used by one thread."""

    total: int
    """Bytes received so far."""

    def receive(self, into: memoryview) -> int:
        """The next bytes, at least one; 0 at the end marker. ChannelBroken, also if the marker's count differs."""
        ...

    def close(self) -> None:
        """Let go; from any thread: waits end."""
        ...


def offer_sending(stream: socket.socket, *, shared_memory: bool, seconds: float) -> SendingEnd:
    """The end of a reader: tells how the data comes. ``seconds``: what the other end may stay silent. ChannelBroken."""
    ring = _offer(stream, shared_memory=shared_memory, seconds=seconds)
    return RingSender(stream, ring, seconds) if ring else SocketSender(stream, seconds)


def offer_receiving(stream: socket.socket, *, shared_memory: bool, seconds: float) -> ReceivingEnd:
    """The end of a writer; see :func:`offer_sending`."""
    ring = _offer(stream, shared_memory=shared_memory, seconds=seconds)
    return RingReceiver(stream, ring, seconds) if ring else SocketReceiver(stream, seconds)


def _offer(stream: socket.socket, *, shared_memory: bool, seconds: float) -> Ring | None:
    deadline = Deadline(seconds)
    with _breaking():
        if not shared_memory:
            send_line(stream, pack(Channel("socket", 0, 0)), deadline=deadline)
            return None
        file = os.memfd_create("xbsa", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(file, SLOTS * SLOT_BYTES)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
            told = pack(Channel("shared-memory", SLOTS, SLOT_BYTES))
            send_line(stream, told, deadline=deadline, descriptor=file)
            return Ring(file, slots=SLOTS, slot_bytes=SLOT_BYTES, writes=True)
        finally:
            os.close(file)


def attach_receiving(path: Path, token: str, *, shared_memory: bool, start: float, seconds: float) -> ReceivingEnd:
    """The end of an application that gets data: connect within ``start`` seconds, then as :func:`offer_sending`.

    ``shared_memory``: whether it takes that. ChannelBroken, also when the token is refused.
    """
    stream, ring = _attach(path, DataHello(token, shared_memory), start=start, writes=False)
    return RingReceiver(stream, ring, seconds) if ring else SocketReceiver(stream, seconds)


def attach_sending(path: Path, token: str, *, shared_memory: bool, start: float, seconds: float) -> SendingEnd:
    """The end of an application that sends data; see :func:`attach_receiving`."""
    stream, ring = _attach(path, DataHello(token, shared_memory), start=start, writes=True)
    return RingSender(stream, ring, seconds) if ring else SocketSender(stream, seconds)


def _attach(path: Path, hello: DataHello, *, start: float, writes: bool) -> tuple[socket.socket, Ring | None]:
    with _breaking():
        deadline = Deadline(start)
        stream = connect(path, seconds=start)
        try:
            send_line(stream, pack(hello), deadline=deadline)
            line, files = read_line(stream, deadline=deadline)
            try:
                return stream, _map(unpack(line, Channel), files, writes=writes)
            finally:
                for each in files:
                    os.close(each)
        except BaseException:
            stream.close()
            raise


def _map(channel: Channel, files: list[int], *, writes: bool) -> Ring | None:
    """The ring of a channel, after a look at what came: a size that could change would end this process by SIGBUS."""
    if channel.kind == "socket":
        return None
    size = channel.slots * channel.slot_bytes
    if len(files) != 1 or not 0 < channel.slots <= MOST_SLOTS or not 0 < size <= MOST_BYTES:
        raise WireError(f"shared memory of {channel.slots} slots of {channel.slot_bytes} bytes, {len(files)} files")
    seals = fcntl.fcntl(files[0], fcntl.F_GET_SEALS)
    if seals & _SEALS != _SEALS or os.fstat(files[0]).st_size != size:
        raise WireError("shared memory whose size is another one, or may change")
    return Ring(files[0], slots=channel.slots, slot_bytes=channel.slot_bytes, writes=writes)


@contextmanager
def _breaking() -> Iterator[None]:
    try:
        yield
    except (LineError, WireError, OSError) as error:
        raise ChannelBroken(f"no data channel: {error}") from error
