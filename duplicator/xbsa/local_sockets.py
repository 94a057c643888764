"""Unix stream sockets that only their owner can reach, whatever the length of their paths."""

from __future__ import annotations

import array
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from duplicator.xbsa.wire import LONGEST_LINE_BYTES

__all__ = ["Deadline", "LineError", "connect", "listen", "peer_uid", "read_line", "send_line"]

OWNER_ONLY: Final = 0o600
_BACKLOG: Final = 64
_CREDENTIALS: Final = struct.Struct("=iII")
"""struct ucred: pid, uid, gid."""
_PIECE: Final = 65536


class LineError(Exception):
    """The other end closed before the end of a line, sent too long a line, or not what belongs to it."""


class Deadline:
    """A moment up to which several waits may go on; ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds: Final = seconds
        self._end: Final = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def wait(self, stream: socket.socket, event: int) -> None:
        """Until a poll event of the socket; TimeoutError."""
        poll = select.poll()
        poll.register(stream, event)
        if not poll.poll(self.left() * 1000):
            raise TimeoutError(f"no answer within {self.seconds:g} s")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path by a descriptor of its folder: sun_path has room for 107 bytes only."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """A listening socket, mode 0600 from its first moment; OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux makes the file with the mode that the socket has; the umask would be that of all threads.
        os.fchmod(listener.fileno(), OWNER_ONLY)
        with _short(path) as name:
            listener.bind(name)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def connect(path: Path, *, seconds: float) -> socket.socket:
    """A blocking connection; TimeoutError when the backlog stays full, else OSError."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.settimeout(seconds)
        with _short(path) as name:
            stream.connect(name)
        stream.settimeout(None)
    except BaseException:
        stream.close()
        raise
    return stream


def peer_uid(stream: socket.socket) -> int:
    """The user who made the other end, as the kernel noted it."""
    noted = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(noted)[1]
    return uid


def send_line(stream: socket.socket, line: bytes, *, deadline: Deadline, descriptor: int | None = None) -> None:
    """Send all of it, with an open file if one is given; TimeoutError, OSError when the other end is gone."""
    view = memoryview(line)
    carried = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
    while view:
        deadline.wait(stream, select.POLLOUT)
        flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        sent = stream.sendmsg([view], carried, flags)
        view, carried = view[sent:], []


def read_line(stream: socket.socket, *, deadline: Deadline, limit: int = LONGEST_LINE_BYTES) -> tuple[bytes, list[int]]:
    """The next line with its newline, nothing behind it, and the open files that came with it.

    LineError, TimeoutError, OSError; then no file is left open.
    """
    line = bytearray()
    files: list[int] = []
    try:
        while not line.endswith(b"\n"):
            deadline.wait(stream, select.POLLIN)
            # Looked at first: what is behind the line is for another reader.
            ahead = stream.recv(_PIECE, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            _take(stream, ahead.find(b"\n") + 1 or len(ahead), line=line, files=files)
            if not ahead:
                raise LineError("the other end closed the connection")
            if len(line) > limit:
                raise LineError(f"a line of more than {limit} bytes")
    except BaseException:
        for each in files:
            os.close(each)
        raise
    return bytes(line), files


def _take(stream: socket.socket, count: int, *, line: bytearray, files: list[int]) -> None:
    """Some bytes that are there, and the files that ride on them."""
    room = socket.CMSG_SPACE(4 * array.array("i").itemsize)
    piece, carried, _, _ = stream.recvmsg(count, room, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
    line += piece
    for level, kind, content in carried:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers = array.array("i")
            numbers.frombytes(content[: len(content) // numbers.itemsize * numbers.itemsize])
            files += numbers
