"""The return codes of XBSA 1.1.0, and what each says when nothing more exact is known."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

__all__ = ["TEXTS", "CallError", "ReturnCode"]


class ReturnCode(IntEnum):
    """What each call gives; the standard's names begin with BSA_RC_."""

    SUCCESS = 0x00
    ABORT_SYSTEM_ERROR = 0x03
    AUTHENTICATION_FAILURE = 0x04
    INVALID_CALL_SEQUENCE = 0x05
    INVALID_HANDLE = 0x06
    INVALID_VOTE = 0x0B
    NO_MATCH = 0x11
    NO_MORE_DATA = 0x12
    OBJECT_NOT_FOUND = 0x1A
    TRANSACTION_ABORTED = 0x20
    INVALID_DATABLOCK = 0x34
    VERSION_NOT_SUPPORTED = 0x4B
    ACCESS_FAILURE = 0x4D
    BUFFER_TOO_SMALL = 0x4E
    INVALID_COPYID = 0x4F
    INVALID_ENV = 0x50
    INVALID_OBJECTDESCRIPTOR = 0x51
    INVALID_QUERYDESCRIPTOR = 0x53
    NULL_ARGUMENT = 0x55


TEXTS: Final[Mapping[ReturnCode, str]] = {
    ReturnCode.SUCCESS: "done",
    ReturnCode.ABORT_SYSTEM_ERROR: "it failed; end the transaction, then try again",
    ReturnCode.AUTHENTICATION_FAILURE: "the service does not know this user",
    ReturnCode.INVALID_CALL_SEQUENCE: "this call is not allowed now",
    ReturnCode.INVALID_HANDLE: "there is no session with this handle",
    ReturnCode.INVALID_VOTE: "a vote is BSA_Vote.COMMIT or BSA_Vote.ABORT",
    ReturnCode.NO_MATCH: "no object matches",
    ReturnCode.NO_MORE_DATA: "that was all",
    ReturnCode.OBJECT_NOT_FOUND: "there is no such object",
    ReturnCode.TRANSACTION_ABORTED: "the commit failed; nothing of the transaction is left",
    ReturnCode.INVALID_DATABLOCK: "the data block contradicts itself",
    ReturnCode.VERSION_NOT_SUPPORTED: "the version of the interface is 1.1.0",
    ReturnCode.ACCESS_FAILURE: "the object cannot be reached",
    ReturnCode.BUFFER_TOO_SMALL: "the buffer is too small; the size that it needs is given back",
    ReturnCode.INVALID_COPYID: "a copy id is not zero",
    ReturnCode.INVALID_ENV: "the session's environment is not valid",
    ReturnCode.INVALID_OBJECTDESCRIPTOR: "the object descriptor is not valid",
    ReturnCode.INVALID_QUERYDESCRIPTOR: "the query descriptor is not valid",
    ReturnCode.NULL_ARGUMENT: "an argument is missing",
}


class CallError(Exception):
    """Why a call does not do what it was asked: its code, and words for BSAGetLastError."""

    def __init__(self, code: ReturnCode, text: str = "") -> None:
        self.code: Final = code
        super().__init__(text or TEXTS[code])
