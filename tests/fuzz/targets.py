"""What is fuzzed, each a function of any bytes.

The invariant of all: any bytes give events and replies or our own protocol error, never another exception, never more
objects than bytes, and the same however they are cut.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from ndmp.connection import Connection, Event, Header, RequestReceived, Stranger, Undecodable
from ndmp.enums import Error, MessageType
from ndmp.errors import RemoteProtocolError, XdrError
from ndmp.records import RecordReader, frame
from ndmp.render import MAX_FULL, MAX_LINE, document, full, one_line
from ndmp.wire import POSTS, REPLIES, REQUESTS, Message, Request, decode, encode, interpreted_decode, interpreted_encode
from tests.ndmp.driver import LOGIN, SITUATIONS, Driver
from tests.ndmp.hexes import TIME

__all__ = ["DECLARED", "MAX_RECORD", "REQUESTED", "TARGETS", "connection", "messages", "records", "session"]

MAX_RECORD: Final = 1024
"""Small, so that records that are too long are found soon."""
DECLARED: Final = [
    declared for registry in (REQUESTS, REPLIES, POSTS) for _, declared in sorted(registry.items(), key=lambda i: i[0])
]
"""All messages; an input of :func:`messages` picks one by its first two bytes."""
REQUESTED: Final = [request for _, request in sorted(REQUESTS.items(), key=lambda item: item[0])]
"""All requests; an input of :func:`session` picks them by one byte each."""
_SITUATIONS: Final = tuple(SITUATIONS.values())


def records(choice: bytes) -> None:
    """RecordReader: the first byte says how long the chunks are."""
    step, stream = (choice[0] if choice else 0) + 1, choice[1:]
    whole, pieces = RecordReader(MAX_RECORD), RecordReader(MAX_RECORD)
    expected = _collect(lambda: whole.feed(stream))
    found = _in_pieces(pieces.feed, _chunks(stream, step))
    assert found == expected
    kept = [record for record in expected if isinstance(record, bytes)]
    assert all(len(record) <= MAX_RECORD for record in kept)
    assert sum(map(len, kept)) <= len(stream)


def messages(choice: bytes) -> None:
    """Every declaration: what decodes is no more objects than bytes, can be shown, and is sent as the same bytes."""
    declared: type[Message] = DECLARED[int.from_bytes(choice[:2], "big") % len(DECLARED)]
    body = choice[2:]
    message = _understood(decode, declared, body)
    assert message == _understood(interpreted_decode, declared, body)
    if message is None:
        return
    assert sum(1 for _ in _objects(message)) <= len(body) + 16
    assert encode(message) == interpreted_encode(message) == body
    header = Header(1, TIME, MessageType.REQUEST, declared.wire_code, 0, Error.NO_ERR)
    line = one_line(header, message)
    assert line.isprintable()
    assert len(line) <= MAX_LINE
    assert len(full(header, message)) <= MAX_FULL
    assert json.dumps(document(header, message))


def connection(choice: bytes) -> None:
    """Connection in both roles: the first byte says how long the chunks are, the next which extensions are in use."""
    step, extensions, stream = (choice[0] if choice else 0) + 1, choice[1:2], choice[2:]
    for role in (_host, _application):
        whole, pieces = role(extensions), role(extensions)
        expected = _collect(lambda end=whole: end.receive(stream))  # type: ignore[misc]
        assert _in_pieces(pieces.receive, _chunks(stream, step)) == expected
        assert whole.is_between_records == pieces.is_between_records or not _followed(expected)
        assert len(expected) <= 1 + len(stream) // 4


def session(choice: bytes) -> None:
    """A host's session: the first byte says where it stands and whether raw bytes follow, or requests.

    A request is a byte for its declaration, two for the length of its body, and the body.
    """
    start, rest = (choice[0] if choice else 0), choice[1:]
    with _no_surprises():
        driver = Driver()
        raw = start >= 128
        if not raw or start % 2:
            driver.go(LOGIN, *_SITUATIONS[start % len(_SITUATIONS)][1:])
        try:
            for sent in [rest] if raw else _scripted(rest):
                _answered(driver.exchange(sent), one=not raw)
                driver.settle()
        except RemoteProtocolError:
            assert raw, "a well-framed request broke the connection"
        driver.session.shut_down()
    assert not driver.tape.taken
    assert driver.unit.written == {}


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "records": records,
    "messages": messages,
    "connection": connection,
    "session": session,
}


def _understood(
    read: Callable[[type[Message], bytes], Message], declared: type[Message], body: bytes
) -> Message | None:
    try:
        return read(declared, body)
    except XdrError:
        return None


def _chunks(stream: bytes, step: int) -> list[bytes]:
    return [stream[at : at + step] for at in range(0, len(stream), step)]


def _collect(read: Callable[[], Iterator[Any]]) -> list[object]:
    """All that is read, and at last the text of the error that ended it."""
    found: list[object] = []
    try:
        for item in read():
            found.append(item)  # noqa: PERF402  (what came before an error counts)
    except RemoteProtocolError as error:
        found.append(str(error))
    return found


def _in_pieces(feed: Callable[[bytes], Iterator[Any]], chunks: list[bytes]) -> list[object]:
    found: list[object] = []
    for chunk in chunks:
        found += _collect(lambda chunk=chunk: feed(chunk))  # type: ignore[misc]
        if not _followed(found):
            break
    return found


def _followed(found: list[object]) -> bool:
    """Whether the peer is still followed: no error at the end."""
    return not (found and isinstance(found[-1], str))


def _host(extensions: bytes) -> Connection:
    made = Connection(max_record=MAX_RECORD)
    chosen = extensions[0] if extensions else 0
    classes = sorted({code >> 16 for code, _ in REQUESTS} - {0})
    made.extensions = {number: 1 + (chosen >> 7) for at, number in enumerate(classes) if chosen >> at & 1}
    return made


def _application(extensions: bytes) -> Connection:
    """It has sent every request once: number N awaits the reply to the Nth, from 1."""
    made = _host(extensions)
    for request in _shortest_requests():
        made.send_request(request, now=TIME)
    return made


@cache
def _shortest_requests() -> list[Request[Any]]:
    return [_shortest(declared) for declared in REQUESTED]


def _shortest(declared: type[Request[Any]]) -> Request[Any]:
    """A request whose numbers are zero and whose strings and arrays are empty."""
    for size in range(0, 256, 4):
        with contextlib.suppress(XdrError):
            return decode(declared, bytes(size))
    raise AssertionError(f"{declared.__name__} has no body of zeros")


def _scripted(rest: bytes) -> Iterator[bytes]:
    """Well-framed requests as the script asks."""
    at = 0
    while at + 3 <= len(rest):
        declared = REQUESTED[rest[at] % len(REQUESTED)]
        length = int.from_bytes(rest[at + 1 : at + 3], "big") % (MAX_RECORD - 24)
        body = rest[at + 3 : at + 3 + length]
        at += 3 + length
        words = (7, TIME, 0, declared.wire_code, 0, 0)
        yield frame(b"".join(word.to_bytes(4, "big") for word in words) + body)


def _answered(events: list[Event], *, one: bool) -> None:
    """What a session says decodes; a request has one answer, but for CONNECT_CLOSE, which has none."""
    assert not any(isinstance(event, Stranger | Undecodable | RequestReceived) for event in events)
    replies = [event for event in events if event.header.message_type]
    assert len(replies) <= 1 or not one
    assert all(event.header.error != Error.UNDEFINED for event in replies)


def _objects(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, tuple):
        for item in value:
            yield from _objects(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _objects(getattr(value, field.name))


class _no_surprises(logging.Handler):  # noqa: N801  (a context manager)
    """The session survives what its services did not expect, and logs it; here it is an error."""

    def __enter__(self) -> None:
        self.surprise: BaseException | None = None
        logger = logging.getLogger("ndmp")
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.surprise = (record.exc_info or (None, None))[1] or AssertionError(record.getMessage())

    def __exit__(self, *error: object) -> None:
        logger = logging.getLogger("ndmp")
        logger.removeHandler(self)
        logger.propagate = True
        if self.surprise:
            raise self.surprise
