"""Devices of the kernel's generic driver, ``sg:/dev/sg0``, by the SG_IO call with its third version of the header.

cython-sgio makes the same call, but holds the interpreter's lock while the device works (a rewind takes minutes), has
one fixed timeout, and loses sense and residual. :func:`fcntl.ioctl` lets other threads run where it may change its
argument.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Final, NoReturn

from scsi import errors
from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.transports.memory import address_of
from scsi.transports.transport import MAX_SENSE_BYTES, Room, cdb_and_timeout, room_of

__all__ = ["SgHeader", "SgTransport", "judge", "moved"]

_SG_IO: Final = 0x2285
_SG_GET_VERSION: Final = 0x2282
_LEAST_VERSION: Final = 30000
_NONE, _TO_DEVICE, _FROM_DEVICE = -1, -2, -3
_LONGEST_MILLISECONDS: Final = 0xFFFFFFFE


class SgHeader(ctypes.Structure):
    """struct sg_io_hdr of <scsi/sg.h>."""

    _fields_ = (
        ("interface_id", ctypes.c_int),
        ("direction", ctypes.c_int),
        ("cdb_bytes", ctypes.c_ubyte),
        ("sense_room", ctypes.c_ubyte),
        ("iovec_count", ctypes.c_ushort),
        ("transfer_bytes", ctypes.c_uint),
        ("transfer_at", ctypes.c_void_p),
        ("cdb_at", ctypes.c_void_p),
        ("sense_at", ctypes.c_void_p),
        ("milliseconds", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("pack_id", ctypes.c_int),
        ("usr_ptr", ctypes.c_void_p),
        ("status", ctypes.c_ubyte),
        ("masked_status", ctypes.c_ubyte),
        ("msg_status", ctypes.c_ubyte),
        ("sense_bytes", ctypes.c_ubyte),
        ("host_status", ctypes.c_ushort),
        ("driver_status", ctypes.c_ushort),
        ("residual", ctypes.c_int),
        ("duration", ctypes.c_uint),
        ("info", ctypes.c_uint),
    )


_HOST: Final[dict[int, tuple[type[errors.ScsiError], str]]] = {
    0x01: (errors.TransportLost, "no connection"),
    0x02: (errors.Busy, "the bus stayed busy"),
    0x03: (errors.CommandTimeout, "the time is over"),
    0x04: (errors.TransportLost, "no such target"),
    0x05: (errors.CommandAborted, "aborted"),
    0x06: (errors.CommandAborted, "parity error on the bus"),
    0x07: (errors.TransportLost, "error of the host adapter"),
    0x08: (errors.CommandAborted, "the bus was reset"),
    0x09: (errors.CommandAborted, "unexpected interrupt"),
    0x0B: (errors.CommandAborted, "soft error of the driver"),
    0x0C: (errors.Busy, "to be sent again"),
    0x0D: (errors.Busy, "to be queued again"),
    0x0E: (errors.TransportLost, "the transport was disrupted"),
    0x0F: (errors.TransportLost, "the transport failed fast"),
}
"""What the host adapter says (DID_... of the kernel); Busy only where the command was surely not begun."""
_DRIVER: Final[dict[int, tuple[type[errors.ScsiError], str]]] = {
    0x1: (errors.Busy, "the driver is busy"),
    0x6: (errors.CommandTimeout, "the time is over"),
}
_DRIVER_MASK, _DRIVER_SENSE = 0x0F, 0x08
_ERRNOS: Final[dict[int, type[errors.ScsiError]]] = {
    errno.ENODEV: errors.TransportLost,
    errno.ENXIO: errors.TransportLost,
    errno.EPERM: errors.AccessDenied,
    errno.EACCES: errors.AccessDenied,
    errno.EBUSY: errors.Busy,
    errno.EDOM: errors.Busy,
    # The command did not leave the kernel: its data were too many for the adapter, or for the memory that is left.
    errno.ENOMEM: errors.IllegalRequest,
    errno.EINVAL: errors.IllegalRequest,
}


class SgTransport:
    """An open /dev/sg node, held against others that ask for it the same way (an advisory lock)."""

    def __init__(self, path: Path) -> None:
        """DeviceUrlError if it is no such node, AccessDenied, DeviceBusy, TransportLost if no device is behind it."""
        self._path = path
        self._file: int | None = _open(path)

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        """See Transport."""
        cdb, seconds = cdb_and_timeout(command, timeout)
        room = room_of(data_in)
        if len(data_out) and len(room):
            message = "a command transfers one way"
            raise ValueError(message)
        header = SgHeader(interface_id=ord("S"), cdb_bytes=len(cdb), sense_room=MAX_SENSE_BYTES)
        header.milliseconds = min(max(1, round(seconds * 1000)), _LONGEST_MILLISECONDS)
        header.direction = _TO_DEVICE if len(data_out) else _FROM_DEVICE if len(room) else _NONE
        sense = memoryview(bytearray(MAX_SENSE_BYTES))
        transfer = data_out if len(data_out) else room
        header.transfer_bytes = len(transfer)
        with (
            address_of(cdb) as header.cdb_at,
            address_of(sense) as header.sense_at,
            address_of(transfer) as header.transfer_at,
        ):
            self._call(header)
        return self._completion(header, sense, room=room, into=not isinstance(data_in, int))

    def close(self) -> None:
        """See Transport."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _call(self, header: SgHeader) -> None:
        if self._file is None:
            raise errors.TransportLost(f"{self._path} is closed")
        try:
            fcntl.ioctl(self._file, _SG_IO, header, True)
        except OSError as failure:
            kind = _ERRNOS.get(failure.errno or 0, errors.TransportLost)
            raise kind(f"{self._path}, {header.transfer_bytes} bytes: {failure.strerror}") from failure

    def _completion(self, header: SgHeader, sense: memoryview, *, room: memoryview, into: bool) -> Completion:
        status = judge(header)
        count = moved(header)
        arrived = count if header.direction == _FROM_DEVICE else 0
        return Completion(
            status,
            b"" if into else bytes(room[:arrived]),
            count if header.direction == _TO_DEVICE else 0,
            bytes(sense[: header.sense_bytes]),
            arrived,
        )


def judge(header: SgHeader) -> Status:
    """The status, or what host adapter and driver say instead, as an exception."""
    if header.sense_bytes and (header.status == Status.CHECK_CONDITION or header.driver_status & _DRIVER_SENSE):
        return Status.CHECK_CONDITION
    if header.status and not header.host_status:
        return Status(header.status)
    if header.host_status:
        kind, reason = _HOST.get(header.host_status, (errors.TransportLost, "error"))
        raise kind(f"{reason} (host status {header.host_status:#04x})")
    driver = header.driver_status & _DRIVER_MASK
    if driver and driver != _DRIVER_SENSE:
        kind, reason = _DRIVER.get(driver, (errors.TransportLost, "error of the driver"))
        raise kind(f"{reason} (driver status {driver:#04x})")
    return Status(header.status)


def moved(header: SgHeader) -> int:
    """Bytes that were moved; adapters that give an impossible residual are taken to have none."""
    residual = header.residual if 0 <= header.residual <= header.transfer_bytes else 0
    return int(header.transfer_bytes - residual)


def _open(path: Path) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as failure:
        _refuse(path, failure)
    try:
        _check(path, file)
    except BaseException:
        os.close(file)
        raise
    return file


def _check(path: Path, file: int) -> None:
    version = ctypes.c_int()
    if not stat.S_ISCHR(os.fstat(file).st_mode):
        raise errors.DeviceUrlError(f"{path} is no device")
    try:
        fcntl.ioctl(file, _SG_GET_VERSION, version, True)
    except OSError as failure:
        raise errors.DeviceUrlError(f"{path} is no device of the sg driver: {failure.strerror}") from failure
    if version.value < _LEAST_VERSION:
        raise errors.DeviceUrlError(f"{path}: the sg driver is of version {version.value}, before {_LEAST_VERSION}")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        raise errors.DeviceBusy(f"{path} is in use") from failure


def _refuse(path: Path, failure: OSError) -> NoReturn:
    kinds: dict[int, type[errors.ScsiError]] = {
        errno.EACCES: errors.AccessDenied,
        errno.EPERM: errors.AccessDenied,
        errno.EBUSY: errors.DeviceBusy,
        errno.ENXIO: errors.TransportLost,
        errno.ENODEV: errors.TransportLost,
    }
    kind = kinds.get(failure.errno or 0, errors.DeviceUrlError)
    raise kind(f"{path}: {failure.strerror}") from failure
