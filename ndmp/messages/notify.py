"""NOTIFY and LOG: what a host tells unasked (draft 4.1, 4.2)."""

from __future__ import annotations

from ndmp.enums import (
    ConnectionReason,
    DataHaltReason,
    LogAssociation,
    LogType,
    MoverHaltReason,
    MoverPauseReason,
    RecoveryStatus,
)
from ndmp.wire import U16, U32, U64, Post, Text, post

__all__ = [
    "LogFile",
    "LogMessage",
    "NotifyConnectionStatus",
    "NotifyDataHalted",
    "NotifyDataRead",
    "NotifyMoverHalted",
    "NotifyMoverPaused",
]


@post(0x501)
class NotifyDataHalted(Post):
    """The data service halted (draft 4.1.1)."""

    reason: DataHaltReason


@post(0x502)
class NotifyConnectionStatus(Post):
    """The greeting, or a farewell; ``version`` matters with CONNECTED only (draft 4.1.2)."""

    reason: ConnectionReason
    version: U16
    text: Text


@post(0x503)
class NotifyMoverHalted(Post):
    """The mover halted (draft 4.1.3)."""

    reason: MoverHaltReason


@post(0x504)
class NotifyMoverPaused(Post):
    """The mover paused; ``seek_position`` matters with SEEK (draft 4.1.4)."""

    reason: MoverPauseReason
    seek_position: U64


@post(0x505)
class NotifyDataRead(Post):
    """The data service wants this stretch of the stream, in bytes (draft 4.1.5)."""

    offset: U64
    length: U64


@post(0x602)
class LogFile(Post):
    """What became of a path that was asked for; ``name`` is its original path (draft 4.2.2)."""

    name: Text
    status: RecoveryStatus


@post(0x603)
class LogMessage(Post):
    """A line for the job's log (draft 4.2.1)."""

    log_type: LogType
    message_id: U32
    entry: Text
    associated: LogAssociation
    sequence: U32
