"""One control connection without a socket: bytes in, events out, for an application and for a host.

Time is an argument: ``now`` is in seconds since 1970 and goes into the header (draft 2.7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, TypeAlias

import ndmp.messages  # noqa: F401  (fills the registries)
from ndmp.enums import Error, MessageType
from ndmp.errors import LocalProtocolError, RemoteProtocolError, XdrError
from ndmp.records import LAST_FRAGMENT, MAX_RECORD, RecordReader
from ndmp.wire import (
    POSTS,
    REPLIES,
    REQUESTS,
    U32,
    Post,
    Reply,
    Request,
    decode,
    encode,
    encode_parts,
    reader_of,
    struct,
)

__all__ = [
    "Connection",
    "Event",
    "Header",
    "PostReceived",
    "ReplyReceived",
    "RequestReceived",
    "Stranger",
    "Undecodable",
]

_HEADER_SIZE: Final = 24
_pack_head: Final = Struct(">7I").pack
"""A record mark and what encoding a Header gives, without making one: that took a third of a small reply's time."""
_REQUEST: Final = MessageType.REQUEST
_REPLY: Final = MessageType.REPLY
"""By name, as finding a member in its class costs as much as a small function (CPython 3.11)."""
_MALFORMED_ALLOWED: Final = 8
"""Records too short for a header in a row before the peer is given up (draft 2.6)."""


@struct
class Header:
    """The 24 bytes before every body (draft 2.7)."""

    sequence: U32
    time_stamp: U32
    message_type: MessageType
    code: U32
    reply_sequence: U32
    error: Error

    def encode(self) -> bytes:
        """The header's wire form."""
        return encode(self)

    @classmethod
    def decode(cls, record: bytes) -> Header:
        """The header at the start of a record of at least 24 bytes."""
        return decode(cls, record[:_HEADER_SIZE])


_read_header: Final = reader_of(Header)


@dataclass(slots=True)
class RequestReceived:
    """A request to answer."""

    header: Header
    message: Request[Any]


@dataclass(slots=True)
class ReplyReceived:
    """An answer; ``message`` is None when the header carries an error or the body was not expected."""

    header: Header
    message: Reply | None


@dataclass(slots=True)
class PostReceived:
    """A notification."""

    header: Header
    message: Post


@dataclass(frozen=True, slots=True)
class Stranger:
    """A message of a code that is not declared, or of an extension class that is not selected."""

    header: Header
    body: bytes


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A message whose header is good and whose body is not."""

    header: Header
    reason: str


Event: TypeAlias = RequestReceived | ReplyReceived | PostReceived | Stranger | Undecodable


class Connection:
    """Sequence numbers, framing and bodies of one control connection.

    ``extensions`` holds the version in use of each extension class; the caller keeps it up to date.
    """

    def __init__(self, *, max_record: int = MAX_RECORD) -> None:
        self.extensions: dict[int, int] = {}
        self._records = RecordReader(max_record)
        self._sequence = 0
        self._malformed = 0
        self._awaited: dict[int, type[Reply]] = {}

    @property
    def max_record(self) -> int:
        """Bytes of a record at most; holds for those not yet received when it changes."""
        return self._records.max_record

    @max_record.setter
    def max_record(self, size: int) -> None:
        self._records.max_record = size

    def send_request(self, message: Request[Any], *, now: int) -> tuple[int, bytes]:
        """The request's sequence number and its bytes."""
        reply = REPLIES[message.wire_code, message.wire_version]
        wire = self._send(_REQUEST, message.wire_code, encode_parts(message), now)
        self._awaited[self._sequence] = reply
        return self._sequence, wire

    def send_post(self, message: Post, *, now: int) -> bytes:
        """The bytes of a notification."""
        return self._send(_REQUEST, message.wire_code, encode_parts(message), now)

    def send_reply(self, to: Header, message: Reply, *, now: int) -> bytes:
        """The bytes of an answer to the request with header ``to``."""
        if message.wire_code != to.code:
            raise LocalProtocolError(f"a reply {message.wire_code:#x} to a request {to.code:#x}")
        return self._send(_REPLY, to.code, encode_parts(message), now, to.sequence)

    def send_error(self, to: Header, error: Error, *, now: int) -> bytes:
        """The bytes of an answer that is a header alone (draft 2.7: the request was not understood)."""
        return self._send(_REPLY, to.code, (), now, to.sequence, error)

    def forget(self, sequence: int) -> None:
        """Stop expecting an answer; if it comes it is a reply without body."""
        self._awaited.pop(sequence, None)

    def receive(self, chunk: bytes) -> Iterator[Event]:
        """The events that ``chunk`` completes; RemoteProtocolError, after them, when the peer cannot be followed.

        Events that are not taken stay, and come before those of the next chunk.
        """
        self.push(chunk)
        return iter(self.next_event, None)

    def push(self, chunk: bytes) -> None:
        """Take in what has come."""
        self._records.push(chunk)

    def next_event(self) -> Event | None:
        """The next event, or None; RemoteProtocolError when the peer cannot be followed."""
        while (record := self._records.next_record()) is not None:
            if len(record) >= _HEADER_SIZE:
                self._malformed = 0
                header = _read_header(record[:_HEADER_SIZE], 0)
                try:
                    return self._understand(header, record)
                except XdrError as error:
                    return Undecodable(header, str(error))
            self._malformed += 1
            if self._malformed >= _MALFORMED_ALLOWED:
                raise RemoteProtocolError(f"{self._malformed} records in a row are shorter than a header")
        return None

    @property
    def is_between_records(self) -> bool:
        """True when no record is half received."""
        return self._records.is_empty

    @property
    def held_bytes(self) -> int:
        """Bytes received that no event has come from yet."""
        return self._records.held_bytes

    def _send(
        self,
        kind: MessageType,
        code: int,
        body: Sequence[bytes],
        now: int,
        reply_sequence: int = 0,
        error: Error = Error.NO_ERR,
    ) -> bytes:
        self._sequence = sequence = (self._sequence + 1) & 0xFFFFFFFF
        length = _HEADER_SIZE
        for part in body:
            length += len(part)
        head = _pack_head(LAST_FRAGMENT | length, sequence, now & 0xFFFFFFFF, kind, code, reply_sequence, error)
        return b"".join((head, *body))

    def _understand(self, header: Header, record: bytes) -> Event:
        if header.message_type == _REPLY:
            return self._reply(header, record)
        code = header.code
        key = code, self.extensions.get(code >> 16, 0) if code >> 16 else 1
        if header.message_type == _REQUEST:
            if request := REQUESTS.get(key):
                return RequestReceived(header, decode(request, record, start=_HEADER_SIZE))
            if post := POSTS.get(key):
                return PostReceived(header, decode(post, record, start=_HEADER_SIZE))
        return Stranger(header, record[_HEADER_SIZE:])

    def _reply(self, header: Header, record: bytes) -> ReplyReceived:
        declared = self._awaited.pop(header.reply_sequence, None)
        if declared is None or header.error or declared.wire_code != header.code or len(record) == _HEADER_SIZE:
            return ReplyReceived(header, None)
        return ReplyReceived(header, decode(declared, record, start=_HEADER_SIZE))
