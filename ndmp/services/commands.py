"""SCSI commands as they are, for a tape or any other device: audited and answered in one way (draft 3.3.5, 3.4.8)."""

from __future__ import annotations

from typing import Final, TypeVar

from ndmp.backends import CdbTarget
from ndmp.enums import CdbFlag, Error
from ndmp.errors import ReplyError
from ndmp.messages.scsi import ScsiExecuteCdb, ScsiExecuteCdbReply
from ndmp.messages.tape import TapeExecuteCdb, TapeExecuteCdbReply

__all__ = ["MAX_CDB", "MAX_CDB_TRANSFER", "execute_cdb"]

MAX_CDB: Final = 260
"""Bytes of a command at most: SPC's longest, of variable length. What is in it is the application's business."""
MAX_CDB_TRANSFER: Final = 1024 * 1024
"""Bytes that one command reads or writes at most."""

_DIRECTIONS: Final = (CdbFlag(0), CdbFlag.DATA_IN, CdbFlag.DATA_OUT)

R = TypeVar("R", ScsiExecuteCdbReply, TapeExecuteCdbReply)


def execute_cdb(target: CdbTarget, request: ScsiExecuteCdb | TapeExecuteCdb, reply: type[R]) -> R:
    """Run one command. A length counts only with the flag of its direction; the SCSI status is for the application."""
    reads = request.datain_len if request.flags == CdbFlag.DATA_IN else 0
    written = request.dataout if request.flags == CdbFlag.DATA_OUT else b""
    _audit(request, reads, len(written))
    timeout = request.timeout / 1000 if request.timeout else None
    outcome = target.execute(request.cdb, data_out=written, data_in_bytes=reads, timeout=timeout)
    return reply(Error.NO_ERR, outcome.status, outcome.bytes_out, outcome.data_in[:reads], outcome.sense)


def _audit(request: ScsiExecuteCdb | TapeExecuteCdb, reads: int, writes: int) -> None:
    if request.flags not in _DIRECTIONS:
        raise ReplyError(Error.ILLEGAL_ARGS, f"flags {request.flags:#x}: one direction, or none")
    if not 0 < len(request.cdb) <= MAX_CDB:
        raise ReplyError(Error.ILLEGAL_ARGS, f"a command of {len(request.cdb)} bytes")
    if max(reads, writes) > MAX_CDB_TRANSFER:
        raise ReplyError(Error.ILLEGAL_ARGS, f"a command that moves {max(reads, writes)} bytes")
