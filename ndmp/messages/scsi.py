"""SCSI: a media changer, or a tape drive by its SCSI commands (draft 3.3)."""

from __future__ import annotations

from ndmp.enums import CdbFlag, Error
from ndmp.wire import I32, U32, Opaque, Reply, Request, Text, reply, request

__all__ = [
    "ScsiClose",
    "ScsiCloseReply",
    "ScsiExecuteCdb",
    "ScsiExecuteCdbReply",
    "ScsiGetState",
    "ScsiGetStateReply",
    "ScsiOpen",
    "ScsiOpenReply",
    "ScsiResetDevice",
    "ScsiResetDeviceReply",
]


@request(0x200)
class ScsiOpen(Request["ScsiOpenReply"]):
    """Take a device; the host does no I/O for it (draft 3.3.1)."""

    device: Text


@reply(0x200)
class ScsiOpenReply(Reply):
    """The device is ours, or why not."""

    error: Error


@request(0x201)
class ScsiClose(Request["ScsiCloseReply"]):
    """Give the device back (draft 3.3.2)."""


@reply(0x201)
class ScsiCloseReply(Reply):
    """The device is free."""

    error: Error


@request(0x202)
class ScsiGetState(Request["ScsiGetStateReply"]):
    """Ask where the device sits; optional (draft 3.3.3)."""


@reply(0x202)
class ScsiGetStateReply(Reply):
    """Numbers of controller, target and unit: signed shorts in the draft, so -1 can say that one is not known."""

    error: Error
    controller: I32
    target_id: I32
    lun: I32


@request(0x204)
class ScsiResetDevice(Request["ScsiResetDeviceReply"]):
    """Reset this device and no other; optional (draft 3.3.4)."""


@reply(0x204)
class ScsiResetDeviceReply(Reply):
    """The device was reset."""

    error: Error


@request(0x206)
class ScsiExecuteCdb(Request["ScsiExecuteCdbReply"]):
    """Send a SCSI command (draft 3.3.5). ``timeout`` in milliseconds, 0 for ever; ``datain_len`` in bytes."""

    flags: CdbFlag
    timeout: U32
    datain_len: U32
    cdb: Opaque
    dataout: Opaque


@reply(0x206)
class ScsiExecuteCdbReply(Reply):
    """The command's SCSI status, what it read, and its sense; a check condition is no error here."""

    error: Error
    status: U32
    dataout_len: U32
    datain: Opaque
    sense: Opaque
