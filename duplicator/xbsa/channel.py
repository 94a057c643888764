"""The data of a stream between two processes: by shared memory, or by a socket.

Frames are 8 bytes, big-endian: a count of bytes that follow (in the next slot of the ring, or on the socket), or with
the highest bit set the end of the stream and the total. With shared memory the receiving end answers with one byte for
slots that are free again: how many. The memory has no name, and its size is sealed: nothing can be left behind, and
nobody can take it away from under the other end.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from duplicator.xbsa.local_sockets import Deadline, LineError, connect, read_line, send_line
from duplicator.xbsa.wire import Channel, DataHello, WireError, pack, unpack

__all__ = [
    "SLOTS",
    "SLOT_BYTES",
    "ChannelBroken",
    "ReceivingEnd",
    "SendingEnd",
    "attach_receiving",
    "attach_sending",
    "offer_receiving",
    "offer_sending",
]

SLOTS: Final = 8
SLOT_BYTES: Final = 512 << 10
"""Of the rings made here. Waking the other end is dear: it hears of a quarter of them at once."""
MOST_SLOTS: Final = 255
MOST_BYTES: Final = 256 << 20
"""Of a ring that another process made, together."""
_FRAME: Final = struct.Struct("!Q")
_END: Final = 1 << 63
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class ChannelBroken(Exception):  # noqa: N818  (what happened)
    """The other end is gone without an end of the stream, or says nothing for too long."""


class SendingEnd(Protocol):
    """Used by one thread."""

    sent: int
    """Bytes put so far."""

    def room(self) -> memoryview:
        """Wait for a free slot; what is put into it is sent by :meth:`put`. ChannelBroken."""
        ...

    def put(self, count: int) -> None:
        """The first ``count`` bytes of the slot are the next of the stream; the other end hears of several at once."""
        ...

    def send(self, chunk: memoryview) -> None:
        """Copy all of it into slots, and tell the other end."""
        ...

    def finish(self) -> None:
        """That was all: the end marker, with the number of bytes."""
        ...

    def close(self) -> None:
        """Let go; without :meth:`finish` the other end is broken then. From any thread: waits end."""
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


class _Line:
    """The socket of a channel: blocking, every wait with a deadline, ended by :meth:`close` from any thread."""

    def __init__(self, stream: socket.socket, seconds: float) -> None:
        self._stream = stream
        self._seconds = seconds
        self._in_use = threading.Lock()
        self._closed = threading.Event()
        stream.setblocking(True)
        limit = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6) or (seconds < 1))
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            stream.setsockopt(socket.SOL_SOCKET, way, limit)

    @contextmanager
    def use(self) -> Iterator[socket.socket]:
        """The socket for the calls of one thread; what fails on it is ChannelBroken."""
        with self._in_use:
            if self._closed.is_set():
                raise ChannelBroken("this end is closed")
            try:
                yield self._stream
            except (BlockingIOError, TimeoutError) as error:
                raise ChannelBroken(f"the other end says nothing for {self._seconds:g} s") from error
            except OSError as error:
                raise ChannelBroken(f"the other end is gone: {error.strerror or error}") from error
            finally:
                if self._closed.is_set():
                    self._stream.close()

    def close(self) -> None:
        """Wake who waits; the descriptor goes when nobody uses it, so that its number cannot mean another file."""
        self._closed.set()
        with suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        if self._in_use.acquire(blocking=False):
            try:
                self._stream.close()
            finally:
                self._in_use.release()


def _receive_into(stream: socket.socket, into: memoryview) -> int:
    count = stream.recv_into(into)
    if not count:
        raise ChannelBroken("the other end is gone before the end of the stream")
    return count


def _receive_frame(stream: socket.socket) -> int:
    frame = bytearray(_FRAME.size)
    view = memoryview(frame)
    while view:
        view = view[_receive_into(stream, view) :]
    word: int = _FRAME.unpack(frame)[0]
    return word


def _send_all(stream: socket.socket, *pieces: bytes | memoryview) -> None:
    left = list(pieces)
    while left:
        sent = stream.sendmsg(left, (), socket.MSG_NOSIGNAL)
        while left and sent >= len(left[0]):
            sent -= len(left.pop(0))
        if sent:
            left[0] = memoryview(left[0])[sent:]


def _audit_end(word: int, total: int) -> None:
    if word - _END != total:
        raise ChannelBroken(f"the stream ends after {word - _END} bytes, and {total} have come")


class _SocketSender:
    """SendingEnd whose bytes go over the socket."""

    def __init__(self, stream: socket.socket, seconds: float) -> None:
        self._line = _Line(stream, seconds)
        self._slot = memoryview(bytearray(SLOT_BYTES))
        self.sent = 0

    def room(self) -> memoryview:
        return self._slot

    def put(self, count: int) -> None:
        self.send(self._slot[:count])

    def send(self, chunk: memoryview) -> None:
        if chunk.nbytes:
            with self._line.use() as stream:
                _send_all(stream, _FRAME.pack(chunk.nbytes), chunk.cast("B"))
            self.sent += chunk.nbytes

    def finish(self) -> None:
        with self._line.use() as stream:
            _send_all(stream, _FRAME.pack(_END + self.sent))

    def close(self) -> None:
        self._line.close()


class _SocketReceiver:
    """ReceivingEnd whose bytes come over the socket."""

    def __init__(self, stream: socket.socket, seconds: float) -> None:
        self._line = _Line(stream, seconds)
        self._left = 0
        self._ended = False
        self.total = 0

    def receive(self, into: memoryview) -> int:
        if self._ended:
            return 0
        with self._line.use() as stream:
            while not self._left:
                word = _receive_frame(stream)
                if word & _END:
                    _audit_end(word, self.total)
                    self._ended = True
                    return 0
                self._left = word
            count = _receive_into(stream, into[: self._left])
        self._left -= count
        self.total += count
        return count

    def close(self) -> None:
        self._line.close()


class _Ring:
    """Slots in shared memory, used in turn."""

    def __init__(self, file: int, *, slots: int, slot_bytes: int, writes: bool) -> None:
        self.count = slots
        self.slot_bytes = slot_bytes
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writes else 0)
        self._memory = mmap.mmap(file, slots * slot_bytes, mmap.MAP_SHARED, access)
        whole = memoryview(self._memory)
        self._slots = [whole[at * slot_bytes : (at + 1) * slot_bytes] for at in range(slots)]
        self._next = 0

    @property
    def slot(self) -> memoryview:
        """The one whose turn it is."""
        try:
            return self._slots[self._next]
        except IndexError:
            raise ChannelBroken("this end is closed") from None

    def step(self) -> None:
        """On to the next one."""
        self._next = (self._next + 1) % self.count

    def close(self) -> None:
        # Another thread may have a view of a slot, and keeps the memory until it lets go of that.
        self._slots = []
        with suppress(BufferError):
            self._memory.close()


class _RingSender:
    """SendingEnd that fills slots; tells of several at once, at the latest before it waits."""

    def __init__(self, stream: socket.socket, ring: _Ring, seconds: float) -> None:
        self._line = _Line(stream, seconds)
        self._ring = ring
        self._free = ring.count
        self._untold = bytearray()
        self._batch = max(1, ring.count // 4) * _FRAME.size
        self._freed = bytearray(MOST_SLOTS)
        self.sent = 0

    def room(self) -> memoryview:
        if not self._free:
            with self._line.use() as stream:
                self._tell(stream)
                self._await_slots(stream)
        return self._ring.slot

    def _await_slots(self, stream: socket.socket) -> None:
        count = _receive_into(stream, memoryview(self._freed))
        self._free += sum(self._freed[:count])
        if self._free > self._ring.count:
            raise ChannelBroken("the other end frees slots that it did not get")

    def _tell(self, stream: socket.socket) -> None:
        if self._untold:
            _send_all(stream, bytes(self._untold))
            self._untold.clear()

    def put(self, count: int) -> None:
        if not count:
            return
        self._untold += _FRAME.pack(count)
        self._free -= 1
        self._ring.step()
        self.sent += count
        if len(self._untold) >= self._batch:
            with self._line.use() as stream:
                self._tell(stream)

    def send(self, chunk: memoryview) -> None:
        left = chunk.cast("B")
        while left:
            slot = self.room()
            count = min(len(left), len(slot))
            slot[:count] = left[:count]
            self.put(count)
            left = left[count:]
        with self._line.use() as stream:
            self._tell(stream)

    def finish(self) -> None:
        self._untold += _FRAME.pack(_END + self.sent)
        with self._line.use() as stream:
            self._tell(stream)

    def close(self) -> None:
        self._line.close()
        self._ring.close()


class _RingReceiver:
    """ReceivingEnd that copies out of slots."""

    def __init__(self, stream: socket.socket, ring: _Ring, seconds: float) -> None:
        self._line = _Line(stream, seconds)
        self._ring = ring
        self._frames = bytearray(_FRAME.size * (ring.count + 1))
        self._ahead: list[int] = []
        """Frames that were received, the next one last."""
        self._rest = memoryview(b"")
        """Of the slot that is being read."""
        self._used = 0
        self._batch = max(1, ring.count // 2)
        self._ended = False
        self.total = 0

    def receive(self, into: memoryview) -> int:
        done = 0
        room = len(into)
        while done < room and not self._ended:
            rest = self._rest or self._take_slot(waits=not done)
            if not rest:
                break
            count = min(len(rest), room - done)
            into[done : done + count] = rest[:count]
            self._rest = rest[count:]
            done += count
            self.total += count
            if not self._rest:
                self._release()
        return done

    def _take_slot(self, *, waits: bool) -> memoryview:
        """The bytes of the next slot; none at the end, or if there is no slot yet and ``waits`` is False."""
        if not self._ahead:
            if not waits:
                return self._rest
            self._await_frames()
        word = self._ahead.pop()
        if word & _END:
            _audit_end(word, self.total)
            self._ended = True
            return self._rest
        if not 0 < word <= self._ring.slot_bytes:
            raise ChannelBroken(f"a slot of {word} bytes, where {self._ring.slot_bytes} is the most")
        taken = self._ring.slot[:word]
        self._ring.step()
        return taken

    def _await_frames(self) -> None:
        with self._line.use() as stream:
            self._give_back(stream)
            count = _receive_into(stream, memoryview(self._frames))
            while count % _FRAME.size:
                count += _receive_into(stream, memoryview(self._frames)[count:])
        words = [word for (word,) in _FRAME.iter_unpack(self._frames[:count])]
        if len(words) - bool(words[-1] & _END) > self._ring.count:
            raise ChannelBroken("more slots came than there are")
        self._ahead = words[::-1]

    def _release(self) -> None:
        self._used += 1
        if self._used >= self._batch:
            with self._line.use() as stream:
                self._give_back(stream)

    def _give_back(self, stream: socket.socket) -> None:
        # Who has sent everything may be gone already: what it sent is still here.
        if self._used:
            with suppress(BrokenPipeError, ConnectionResetError):
                _send_all(stream, bytes((self._used,)))
            self._used = 0

    def close(self) -> None:
        self._line.close()
        self._rest = memoryview(b"")
        self._ring.close()


def offer_sending(stream: socket.socket, *, shared_memory: bool, seconds: float) -> SendingEnd:
    """The end of a reader: tells how the data comes. ``seconds``: what the other end may stay silent. ChannelBroken."""
    ring = _offer(stream, shared_memory=shared_memory, seconds=seconds)
    return _RingSender(stream, ring, seconds) if ring else _SocketSender(stream, seconds)


def offer_receiving(stream: socket.socket, *, shared_memory: bool, seconds: float) -> ReceivingEnd:
    """The end of a writer; see :func:`offer_sending`."""
    ring = _offer(stream, shared_memory=shared_memory, seconds=seconds)
    return _RingReceiver(stream, ring, seconds) if ring else _SocketReceiver(stream, seconds)


def _offer(stream: socket.socket, *, shared_memory: bool, seconds: float) -> _Ring | None:
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
            return _Ring(file, slots=SLOTS, slot_bytes=SLOT_BYTES, writes=True)
        finally:
            os.close(file)


def attach_receiving(path: Path, token: str, *, shared_memory: bool, start: float, seconds: float) -> ReceivingEnd:
    """The end of an application that gets data: connect within ``start`` seconds, then as :func:`offer_sending`.

    ``shared_memory``: whether it takes that. ChannelBroken, also when the token is refused.
    """
    stream, ring = _attach(path, DataHello(token, shared_memory), start=start, writes=False)
    return _RingReceiver(stream, ring, seconds) if ring else _SocketReceiver(stream, seconds)


def attach_sending(path: Path, token: str, *, shared_memory: bool, start: float, seconds: float) -> SendingEnd:
    """The end of an application that sends data; see :func:`attach_receiving`."""
    stream, ring = _attach(path, DataHello(token, shared_memory), start=start, writes=True)
    return _RingSender(stream, ring, seconds) if ring else _SocketSender(stream, seconds)


def _attach(path: Path, hello: DataHello, *, start: float, writes: bool) -> tuple[socket.socket, _Ring | None]:
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


def _map(channel: Channel, files: list[int], *, writes: bool) -> _Ring | None:
    """The ring of a channel, after a look at what came: a size that could change would end this process by SIGBUS."""
    if channel.kind == "socket":
        return None
    size = channel.slots * channel.slot_bytes
    if len(files) != 1 or not 0 < channel.slots <= MOST_SLOTS or not 0 < size <= MOST_BYTES:
        raise WireError(f"shared memory of {channel.slots} slots of {channel.slot_bytes} bytes, {len(files)} files")
    seals = fcntl.fcntl(files[0], fcntl.F_GET_SEALS)
    if seals & _SEALS != _SEALS or os.fstat(files[0]).st_size != size:
        raise WireError("shared memory whose size is another one, or may change")
    return _Ring(files[0], slots=channel.slots, slot_bytes=channel.slot_bytes, writes=writes)


@contextmanager
def _breaking() -> Iterator[None]:
    try:
        yield
    except (LineError, WireError, OSError) as error:
        raise ChannelBroken(f"no data channel: {error}") from error
