"""The return codes of XBSA that the server's processes answer with."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Code"]


class Code(IntEnum):
    """As in duplicator.xbsa.codes."""

    ABORT_SYSTEM_ERROR = 0x03
    AUTHENTICATION_FAILURE = 0x04
    INVALID_CALL_SEQUENCE = 0x05
    OBJECT_NOT_FOUND = 0x1A
    TRANSACTION_ABORTED = 0x20
    ACCESS_FAILURE = 0x4D
