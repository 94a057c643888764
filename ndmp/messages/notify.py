"""NOTIFY and LOG posts of mover and connection (draft 4)."""

from __future__ import annotations

from ndmp.enums import ConnectionReason, LogAssociation, LogType, MoverHaltReason, MoverPauseReason
from ndmp.wire import U16, U32, U64, Post, Text, post

__all__ = ["LogMessage", "NotifyConnectionStatus", "NotifyMoverHalted", "NotifyMoverPaused"]


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


@post(0x603)
class LogMessage(Post):
    """A line for the job's log (draft 4.2.1)."""

    log_type: LogType
    message_id: U32
    entry: Text
    associated: LogAssociation
    sequence: U32
