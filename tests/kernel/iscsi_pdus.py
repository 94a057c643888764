"""PDUs of iSCSI (RFC 7143 11), declared once each, and how they travel: no digests, no additional headers."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from typing import Annotated, Final, Self

from scsi.fields import OpenEnum, at, pack, structure, unpack

__all__ = [
    "NO_TAG",
    "Command",
    "DataIn",
    "DataOut",
    "Header",
    "LoginRequest",
    "LoginResponse",
    "LogoutRequest",
    "LogoutResponse",
    "NopIn",
    "NopOut",
    "Opcode",
    "Pdu",
    "PeerError",
    "ReadyToTransfer",
    "Reject",
    "Reply",
    "Request",
    "Response",
    "TaskRequest",
    "TaskResponse",
    "frame",
    "receive",
]

HEADER_BYTES: Final = 48
NO_TAG: Final = 0xFFFFFFFF
_WORD: Final = 4


class PeerError(Exception):
    """The initiator broke the protocol, or is gone: the connection ends."""


class Opcode(OpenEnum):
    """What a PDU is; the initiator's are below 0x20."""

    NOP_OUT = 0x00
    COMMAND = 0x01
    TASK_REQUEST = 0x02
    LOGIN_REQUEST = 0x03
    TEXT_REQUEST = 0x04
    DATA_OUT = 0x05
    LOGOUT_REQUEST = 0x06
    NOP_IN = 0x20
    RESPONSE = 0x21
    TASK_RESPONSE = 0x22
    LOGIN_RESPONSE = 0x23
    DATA_IN = 0x25
    LOGOUT_RESPONSE = 0x26
    READY_TO_TRANSFER = 0x31
    REJECT = 0x3F


@structure(HEADER_BYTES)
class Header:
    """What every PDU has. ``command_number`` is CmdSN in requests; responses have their numbers in its place."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.NOP_OUT
    immediate: Annotated[bool, at(0, bit=6)] = False
    final: Annotated[bool, at(1, bit=7)] = True
    more_header_words: Annotated[int, at(4, bytes=1)] = 0
    segment_bytes: Annotated[int, at(5, bytes=3)] = 0
    tag: Annotated[int, at(16, bytes=4)] = NO_TAG


@structure(HEADER_BYTES)
class Request(Header):
    """A PDU with CmdSN."""

    command_number: Annotated[int, at(24, bytes=4)] = 0


@structure(HEADER_BYTES)
class Reply(Header):
    """A PDU with StatSN, ExpCmdSN and MaxCmdSN, which the connection fills in."""

    status_number: Annotated[int, at(24, bytes=4)] = 0
    expected_command: Annotated[int, at(28, bytes=4)] = 0
    last_command: Annotated[int, at(32, bytes=4)] = 0


@structure(HEADER_BYTES)
class Command(Request):
    """SCSI Command (11.3); ``expected`` bytes are the initiator's room, or what it has to send."""

    reads: Annotated[bool, at(1, bit=6)] = False
    writes: Annotated[bool, at(1, bit=5)] = False
    lun: Annotated[bytes, at(8, bytes=8)] = bytes(8)
    expected: Annotated[int, at(20, bytes=4)] = 0
    cdb: Annotated[bytes, at(32, bytes=16)] = bytes(16)


@structure(HEADER_BYTES)
class Response(Reply):
    """SCSI Response (11.4); sense, if any, is its segment."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.RESPONSE
    overflow: Annotated[bool, at(1, bit=2)] = False
    underflow: Annotated[bool, at(1, bit=1)] = False
    status: Annotated[int, at(3, bytes=1)] = 0
    data_pdus: Annotated[int, at(36, bytes=4)] = 0
    residual: Annotated[int, at(44, bytes=4)] = 0


@structure(HEADER_BYTES)
class DataOut(Header):
    """SCSI Data-Out (11.7)."""

    transfer_tag: Annotated[int, at(20, bytes=4)] = NO_TAG
    number: Annotated[int, at(36, bytes=4)] = 0
    offset: Annotated[int, at(40, bytes=4)] = 0


@structure(HEADER_BYTES)
class DataIn(Reply):
    """SCSI Data-In (11.7); with ``has_status`` it is the end of a command that went well."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.DATA_IN
    overflow: Annotated[bool, at(1, bit=2)] = False
    underflow: Annotated[bool, at(1, bit=1)] = False
    has_status: Annotated[bool, at(1, bit=0)] = False
    status: Annotated[int, at(3, bytes=1)] = 0
    transfer_tag: Annotated[int, at(20, bytes=4)] = NO_TAG
    number: Annotated[int, at(36, bytes=4)] = 0
    offset: Annotated[int, at(40, bytes=4)] = 0
    residual: Annotated[int, at(44, bytes=4)] = 0


@structure(HEADER_BYTES)
class ReadyToTransfer(Reply):
    """R2T (11.8)."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.READY_TO_TRANSFER
    lun: Annotated[bytes, at(8, bytes=8)] = bytes(8)
    transfer_tag: Annotated[int, at(20, bytes=4)] = 0
    number: Annotated[int, at(36, bytes=4)] = 0
    offset: Annotated[int, at(40, bytes=4)] = 0
    wanted: Annotated[int, at(44, bytes=4)] = 0


@structure(HEADER_BYTES)
class TaskRequest(Request):
    """Task Management Function Request (11.5)."""

    function: Annotated[int, at(1, bit=0, width=7)] = 0
    lun: Annotated[bytes, at(8, bytes=8)] = bytes(8)
    task: Annotated[int, at(20, bytes=4)] = NO_TAG


@structure(HEADER_BYTES)
class TaskResponse(Reply):
    """Task Management Function Response (11.6)."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.TASK_RESPONSE
    response: Annotated[int, at(2, bytes=1)] = 0


@structure(HEADER_BYTES)
class LoginRequest(Request):
    """Login Request (11.12); ``final`` is its T bit, text its segment."""

    goes_on: Annotated[bool, at(1, bit=6)] = False
    stage: Annotated[int, at(1, bit=2, width=2)] = 0
    next_stage: Annotated[int, at(1, bit=0, width=2)] = 0
    oldest_version: Annotated[int, at(3, bytes=1)] = 0
    initiator_part: Annotated[bytes, at(8, bytes=6)] = bytes(6)
    session: Annotated[int, at(14, bytes=2)] = 0


@structure(HEADER_BYTES)
class LoginResponse(Reply):
    """Login Response (11.13); ``status`` is class and detail."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.LOGIN_RESPONSE
    stage: Annotated[int, at(1, bit=2, width=2)] = 0
    next_stage: Annotated[int, at(1, bit=0, width=2)] = 0
    initiator_part: Annotated[bytes, at(8, bytes=6)] = bytes(6)
    session: Annotated[int, at(14, bytes=2)] = 0
    status: Annotated[int, at(36, bytes=2)] = 0


@structure(HEADER_BYTES)
class LogoutRequest(Request):
    """Logout Request (11.14)."""

    reason: Annotated[int, at(1, bit=0, width=7)] = 0


@structure(HEADER_BYTES)
class LogoutResponse(Reply):
    """Logout Response (11.15)."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.LOGOUT_RESPONSE
    response: Annotated[int, at(2, bytes=1)] = 0


@structure(HEADER_BYTES)
class NopOut(Request):
    """NOP-Out (11.18); without a tag it wants no answer."""


@structure(HEADER_BYTES)
class NopIn(Reply):
    """NOP-In (11.19) as the answer to a NOP-Out."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.NOP_IN
    lun: Annotated[bytes, at(8, bytes=8)] = bytes(8)
    transfer_tag: Annotated[int, at(20, bytes=4)] = NO_TAG


@structure(HEADER_BYTES)
class Reject(Reply):
    """Reject (11.17); the header that is refused is its segment."""

    opcode: Annotated[Opcode, at(0, bit=0, width=6)] = Opcode.REJECT
    reason: Annotated[int, at(2, bytes=1)] = 0


_REQUESTS: Final[dict[Opcode, type[Header]]] = {
    Opcode.NOP_OUT: NopOut,
    Opcode.COMMAND: Command,
    Opcode.TASK_REQUEST: TaskRequest,
    Opcode.LOGIN_REQUEST: LoginRequest,
    Opcode.DATA_OUT: DataOut,
    Opcode.LOGOUT_REQUEST: LogoutRequest,
}


@dataclass(frozen=True, slots=True)
class Pdu:
    """A request, its header as it came, and its data segment."""

    header: Header
    raw: bytes
    segment: bytes

    @classmethod
    def of(cls, raw: bytes, segment: bytes) -> Self:
        """With the header as its opcode declares it; one that is not known stays a Request."""
        declared = _REQUESTS.get(unpack(Header, raw).opcode, Request)
        return cls(unpack(declared, raw), raw, segment)


def receive(stream: socket.socket, *, longest_segment: int, idle: float, within: float) -> Pdu:
    """The next PDU: waits ``idle`` seconds for its beginning, ``within`` seconds for each part. PeerError."""
    try:
        stream.settimeout(idle)
        first = stream.recv(HEADER_BYTES)
        if not first:
            message = "the initiator has closed the connection"
            raise PeerError(message)
        stream.settimeout(within)
        raw = first + _exactly(stream, HEADER_BYTES - len(first))
        header = unpack(Header, raw)
        if header.segment_bytes > longest_segment or header.more_header_words:
            raise PeerError(f"a PDU with {header.segment_bytes} bytes and {header.more_header_words} words of headers")
        padded = -(-header.segment_bytes // _WORD) * _WORD
        return Pdu.of(raw, _exactly(stream, padded)[: header.segment_bytes])
    except OSError as failure:
        raise PeerError(f"nothing more comes: {failure}") from failure


def frame(header: Header, segment: bytes | memoryview = b"") -> bytes:
    """A PDU as it travels."""
    return pack(replace(header, segment_bytes=len(segment))) + segment + bytes(-len(segment) % _WORD)


def _exactly(stream: socket.socket, count: int) -> bytes:
    room, done = bytearray(count), 0
    while done < count:
        came = stream.recv_into(memoryview(room)[done:])
        if not came:
            message = "the connection ended within a PDU"
            raise PeerError(message)
        done += came
    return bytes(room)
