"""NDMP messages of both sides of a connection that somebody else holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import ndmp.messages  # noqa: F401  (fills the registries)
from ndmp.connection import Header
from ndmp.enums import MessageType
from ndmp.errors import RemoteProtocolError, XdrError
from ndmp.messages.config import ConfigSetExtList, ConfigSetExtListReply
from ndmp.messages.notify import NotifyConnectionStatus
from ndmp.records import MAX_RECORD, RecordReader
from ndmp.wire import POSTS, REPLIES, REQUESTS, Message, decode

__all__ = ["HEADER_BYTES", "MARKED_HEADER_BYTES", "Dialogue", "Saying", "begins_record", "is_header"]

HEADER_BYTES: Final = 24
_MARK_BYTES: Final = 4
MARKED_HEADER_BYTES: Final = _MARK_BYTES + HEADER_BYTES
_MAX_AWAITED: Final = 1024
"""Requests without reply that are remembered."""
_CORE_INTERFACES: Final = range(0x01, 0x0C)
"""Upper bytes of core message codes (draft 2.8), with room for a few that it does not have."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What one side said: a message, or words about what could not be followed.

    ``header`` is None when there was none; ``problem`` is empty when all is decoded.
    """

    header: Header | None
    message: Message | None = None
    problem: str = ""


def is_header(octets: bytes) -> bool:
    """Whether these could be the first bytes of a message."""
    if len(octets) < HEADER_BYTES:
        return False
    header = Header.decode(octets)
    if int(header.message_type) > max(MessageType):
        return False
    if header.message_type == MessageType.REQUEST and (header.reply_sequence or header.error):
        return False
    return header.code >> 8 in _CORE_INTERFACES or any(header.code >> 16 == code >> 16 > 0 for code, _ in REQUESTS)


def begins_record(octets: bytes) -> bool:
    """Whether these could be the first bytes of a record: its mark, and a header or the beginning of one."""
    mark, header = octets[:_MARK_BYTES], octets[_MARK_BYTES:]
    if len(mark) < _MARK_BYTES:
        return mark[:1] in (b"\x80", b"\0")
    is_plausible = HEADER_BYTES <= int.from_bytes(mark, "big") & 0x7FFFFFFF <= MAX_RECORD
    return is_plausible and (len(header) < HEADER_BYTES or is_header(header))


@dataclass(slots=True)
class Dialogue:
    """Follows one connection; replies decode by the request that they answer.

    Extensions have the version chosen by CONFIG_SET_EXT_LIST. Until its beginning or that message was seen, a class
    with a single declared version is taken to have that one.
    """

    _readers: dict[object, RecordReader] = field(default_factory=dict)
    _awaited: OrderedDict[int, tuple[tuple[int, int], Message]] = field(default_factory=OrderedDict)
    _extensions: dict[int, int] | None = None

    def hear(self, side: object, octets: bytes) -> Iterator[Saying]:
        """What the bytes complete of ``side``'s messages; not followed on where the record marks make no sense."""
        reader = self._readers.setdefault(side, RecordReader())
        try:
            for record in reader.feed(octets):
                yield self.understand(record)
        except RemoteProtocolError as error:
            yield Saying(None, problem=str(error))
            self.lose(side)

    def is_following(self, side: object) -> bool:
        """Whether the next bytes of ``side`` continue what was heard."""
        return side in self._readers

    def lose(self, side: object) -> bool:
        """Forget what was heard of an unfinished record; tells whether there was one."""
        reader = self._readers.pop(side, None)
        return reader is not None and not reader.is_empty

    def understand(self, record: bytes) -> Saying:
        """One message, without record mark."""
        if len(record) < HEADER_BYTES:
            return Saying(None, problem=f"a record of {len(record)} bytes, shorter than a header")
        header, body = Header.decode(record), record[HEADER_BYTES:]
        try:
            saying = self._reply(header, body) if header.message_type == MessageType.REPLY else self._call(header, body)
        except XdrError as error:
            return Saying(header, problem=str(error))
        self._follow(saying)
        return saying

    def _call(self, header: Header, body: bytes) -> Saying:
        key = self._key(header.code)
        declared = POSTS.get(key) or REQUESTS.get(key)
        if declared is None or header.message_type != MessageType.REQUEST:
            return _stranger(header, body)
        message = decode(declared, body)
        if key in REQUESTS:
            self._awaited[header.sequence] = key, message
            if len(self._awaited) > _MAX_AWAITED:
                self._awaited.popitem(last=False)
        return Saying(header, message)

    def _reply(self, header: Header, body: bytes) -> Saying:
        key, request = self._awaited.pop(header.reply_sequence, (self._key(header.code), None))
        if key[0] != header.code:
            return Saying(header, problem=f"answers request {header.reply_sequence}, which was another: {key[0]:#06x}")
        if header.error or (not body and key in REPLIES):
            return Saying(header)
        if key not in REPLIES:
            return _stranger(header, body)
        message = decode(REPLIES[key], body)
        if isinstance(message, ConfigSetExtListReply) and isinstance(request, ConfigSetExtList) and not message.error:
            self._extensions = {chosen.class_id: chosen.version for chosen in request.classes}
        return Saying(header, message)

    def _follow(self, saying: Saying) -> None:
        """The greeting is the beginning: nothing is chosen yet."""
        if self._extensions is None and isinstance(saying.message, NotifyConnectionStatus):
            self._extensions = {}

    def _key(self, code: int) -> tuple[int, int]:
        if not code >> 16:
            return code, 1
        if self._extensions is not None:
            return code, self._extensions.get(code >> 16, 0)
        versions = {version for known in (REQUESTS, POSTS) for other, version in known if other >> 16 == code >> 16}
        return code, versions.pop() if len(versions) == 1 else 0


def _stranger(header: Header, body: bytes) -> Saying:
    known = any(code == header.code for declared in (REQUESTS, POSTS) for code, _ in declared)
    why = "extension not selected on this connection" if known else "no such message is declared"
    return Saying(header, problem=f"{why}; {len(body)} bytes not decoded")
