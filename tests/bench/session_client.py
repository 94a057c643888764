"""An application that asks as fast as it can, as a program of its own: bytes made beforehand, epoll, nothing else.

``PORT rate CONNECTIONS CODE AHEAD SECONDS`` logs in on each connection, keeps ``AHEAD`` requests under way on each, and
prints requests a second and its own CPU microseconds a request. ``PORT idle CONNECTIONS`` logs in, prints a line, and
stays until its input ends.
"""

from __future__ import annotations

import resource
import select
import socket
import sys
import time
from struct import Struct

_WORDS = Struct(">7I")
_LOGIN = bytes.fromhex("00000001 00000004 6e646d70 00000004 6e646d70")
"""By text, as user ndmp with that password, which ndmjob has built in."""


def _request(code: int, body: bytes = b"") -> bytes:
    return _WORDS.pack(0x80000018 + len(body), 1, 0, 0, code, 0, 0) + body


def _exactly(connection: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        chunk = connection.recv(length - len(found))
        if not chunk:
            raise ConnectionError("the host closed the connection")
        found += chunk
    return found


def _record(connection: socket.socket) -> bytes:
    return _exactly(connection, int.from_bytes(_exactly(connection, 4), "big") & 0x7FFFFFFF)


def _logged_in(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _record(connection)
    for request in (_request(0x900, b"\0\0\0\4"), _request(0x901, _LOGIN)):
        connection.sendall(request)
        if any(_record(connection)[20:28]):
            raise ConnectionError("the host refuses us")
    return connection


def rate(port: int, connections: int, code: int, ahead: int, seconds: float) -> tuple[float, float]:
    """Requests a second, and CPU microseconds of this process for each."""
    request = _request(code)
    poll = select.epoll()
    sockets, due = {}, {}
    for connection in [_logged_in(port) for _ in range(connections)]:
        connection.sendall(request)
        reply_bytes = 4 + len(_record(connection))
        poll.register(connection, select.EPOLLIN)
        sockets[connection.fileno()] = connection
        due[connection.fileno()] = expected = reply_bytes * ahead
        connection.sendall(request * ahead)
    batch = request * ahead
    rounds, cpu, begin = 0, time.process_time(), time.perf_counter()
    end = begin + seconds
    while time.perf_counter() < end:
        for number, _ in poll.poll(5):
            connection = sockets[number]
            due[number] -= len(connection.recv(65536))
            if not due[number]:
                connection.send(batch)
                due[number] = expected
                rounds += 1
    asked = rounds * ahead
    return asked / (time.perf_counter() - begin), (time.process_time() - cpu) / max(asked, 1) * 1e6


def main() -> None:
    """Do what the arguments say."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    port, what, connections, *rest = sys.argv[1:]
    if what == "idle":
        held = [_logged_in(int(port)) for _ in range(int(connections))]
        sys.stdout.write(f"{len(held)}\n")
        sys.stdout.flush()
        sys.stdin.read()
    else:
        code, ahead, seconds = int(rest[0], 0), int(rest[1]), float(rest[2])
        sys.stdout.write("{} {}\n".format(*rate(int(port), int(connections), code, ahead, seconds)))


if __name__ == "__main__":
    main()
