"""TAPE: one drive (draft 3.4). Counts of bytes, blocks and marks are never mixed."""

from __future__ import annotations

from ndmp.enums import CdbFlag, Error, TapeFlag, TapeOpenMode, TapeOperation, TapeUnsupported
from ndmp.wire import U32, U64, Opaque, Reply, Request, Text, reply, request

__all__ = [
    "TapeClose",
    "TapeCloseReply",
    "TapeExecuteCdb",
    "TapeExecuteCdbReply",
    "TapeGetState",
    "TapeGetStateReply",
    "TapeMtio",
    "TapeMtioReply",
    "TapeOpen",
    "TapeOpenReply",
    "TapeRead",
    "TapeReadReply",
    "TapeWrite",
    "TapeWriteReply",
]


@request(0x300)
class TapeOpen(Request["TapeOpenReply"]):
    """Take a drive (draft 3.4.2)."""

    device: Text
    mode: TapeOpenMode


@reply(0x300)
class TapeOpenReply(Reply):
    """The drive is ours, or why not."""

    error: Error


@request(0x301)
class TapeClose(Request["TapeCloseReply"]):
    """Give the drive back, after the implicit filemark if one is due (draft 3.4.3)."""


@reply(0x301)
class TapeCloseReply(Reply):
    """The drive is free; if it is not, a second close frees it."""

    error: Error


@request(0x302)
class TapeGetState(Request["TapeGetStateReply"]):
    """Ask where the tape stands (draft 3.4.4)."""


@reply(0x302)
class TapeGetStateReply(Reply):
    """Position and space; ``unsupported`` comes before ``error`` on the wire. Sizes in bytes."""

    unsupported: TapeUnsupported
    error: Error
    flags: TapeFlag
    file_num: U32
    soft_errors: U32
    block_size: U32
    blockno: U32
    total_space: U64
    space_remain: U64


@request(0x303)
class TapeMtio(Request["TapeMtioReply"]):
    """Move the tape or write filemarks (draft 3.4.5)."""

    operation: TapeOperation
    count: U32


@reply(0x303)
class TapeMtioReply(Reply):
    """``resid_count``: how much of ``count`` was not done."""

    error: Error
    resid_count: U32


@request(0x304)
class TapeWrite(Request["TapeWriteReply"]):
    """Write one block (draft 3.4.6)."""

    block: Opaque


@reply(0x304)
class TapeWriteReply(Reply):
    """``count``: bytes written."""

    error: Error
    count: U32


@request(0x305)
class TapeRead(Request["TapeReadReply"]):
    """Read one block of at most ``count`` bytes (draft 3.4.7)."""

    count: U32


@reply(0x305)
class TapeReadReply(Reply):
    """The block; EOF at a filemark, EOM at the end of data."""

    error: Error
    block: Opaque


@request(0x307)
class TapeExecuteCdb(Request["TapeExecuteCdbReply"]):
    """Send a SCSI command to the drive (draft 3.4.8). ``timeout`` in milliseconds, 0 for ever."""

    flags: CdbFlag
    timeout: U32
    datain_len: U32
    cdb: Opaque
    dataout: Opaque


@reply(0x307)
class TapeExecuteCdbReply(Reply):
    """The command's SCSI status, what it read, and its sense."""

    error: Error
    status: U32
    dataout_len: U32
    datain: Opaque
    sense: Opaque
