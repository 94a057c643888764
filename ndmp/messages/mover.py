"""MOVER: between a data connection and what is open (draft 3.6). Sizes and offsets in bytes."""

from __future__ import annotations

from ndmp.enums import AddressType, Error, MoverHaltReason, MoverMode, MoverPauseReason, MoverState
from ndmp.types import (
    Address,
    IpcAddress,
    LocalAddress,
    TcpAddresses,
    TcpEndpoint,
    address_kind,
    plain_address,
    wire_address,
)
from ndmp.wire import U32, U64, Reply, Request, reply, request

__all__ = [
    "Address",
    "IpcAddress",
    "LocalAddress",
    "MoverAbort",
    "MoverAbortReply",
    "MoverClose",
    "MoverCloseReply",
    "MoverConnect",
    "MoverConnectReply",
    "MoverContinue",
    "MoverContinueReply",
    "MoverGetState",
    "MoverGetStateReply",
    "MoverListen",
    "MoverListenReply",
    "MoverRead",
    "MoverReadReply",
    "MoverSetRecordSize",
    "MoverSetRecordSizeReply",
    "MoverSetWindow",
    "MoverSetWindowReply",
    "MoverStop",
    "MoverStopReply",
    "TcpAddresses",
    "TcpEndpoint",
    "address_kind",
    "plain_address",
    "wire_address",
]


@request(0xA00)
class MoverGetState(Request["MoverGetStateReply"]):
    """Ask for the mover's state and progress; always allowed (draft 3.6.2.6)."""


@reply(0xA00)
class MoverGetStateReply(Reply):
    """State and progress. ``bytes_moved`` counts from IDLE on, without padding."""

    error: Error
    mode: MoverMode
    state: MoverState
    pause_reason: MoverPauseReason
    halt_reason: MoverHaltReason
    record_size: U32
    record_num: U32
    bytes_moved: U64
    seek_position: U64
    bytes_left_to_read: U64
    window_offset: U64
    window_length: U64
    address: Address


@request(0xA01)
class MoverListen(Request["MoverListenReply"]):
    """Offer a data connection (draft 3.6.2.4)."""

    mode: MoverMode
    address_type: AddressType


@reply(0xA01)
class MoverListenReply(Reply):
    """Where to connect."""

    error: Error
    address: Address


@request(0xA09)
class MoverConnect(Request["MoverConnectReply"]):
    """Connect to a peer that listens (draft 3.6.2.3)."""

    mode: MoverMode
    address: Address


@reply(0xA09)
class MoverConnectReply(Reply):
    """Connected, or CONNECT."""

    error: Error


@request(0xA02)
class MoverContinue(Request["MoverContinueReply"]):
    """Go on after a pause; needs a new window (draft 3.6.2.7)."""


@reply(0xA02)
class MoverContinueReply(Reply):
    """Moving again."""

    error: Error


@request(0xA03)
class MoverAbort(Request["MoverAbortReply"]):
    """End the transfer at once (draft 3.6.2.9)."""


@reply(0xA03)
class MoverAbortReply(Reply):
    """Halted; the notification follows."""

    error: Error


@request(0xA04)
class MoverStop(Request["MoverStopReply"]):
    """From HALTED to IDLE; all but the record size is reset (draft 3.6.2.10)."""


@reply(0xA04)
class MoverStopReply(Reply):
    """Idle."""

    error: Error


@request(0xA05)
class MoverSetWindow(Request["MoverSetWindowReply"]):
    """Allow the next stretch of the stream (draft 3.6.2.2)."""

    offset: U64
    length: U64


@reply(0xA05)
class MoverSetWindowReply(Reply):
    """The window holds."""

    error: Error


@request(0xA06)
class MoverRead(Request["MoverReadReply"]):
    """Send part of the stream; all ones from 0 for all (draft 3.6.2.5)."""

    offset: U64
    length: U64


@reply(0xA06)
class MoverReadReply(Reply):
    """The transfer runs."""

    error: Error


@request(0xA07)
class MoverClose(Request["MoverCloseReply"]):
    """Close the data connection of a paused mover (draft 3.6.2.8)."""


@reply(0xA07)
class MoverCloseReply(Reply):
    """Halted; the notification follows."""

    error: Error


@request(0xA08)
class MoverSetRecordSize(Request["MoverSetRecordSizeReply"]):
    """Set the size of records; clears the window (draft 3.6.2.1)."""

    length: U32


@reply(0xA08)
class MoverSetRecordSizeReply(Reply):
    """The record size holds."""

    error: Error
