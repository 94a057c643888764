"""The calls of the kernel's tape driver (<linux/mtio.h>), and what its error numbers mean."""

from __future__ import annotations

import ctypes
import errno
import fcntl
from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import Final

from scsi import errors

__all__ = ["Operation", "State", "TapeState", "operate", "read_state", "read_tell", "translate"]


class Operation(IntEnum):
    """What MTIOCTOP does, by number."""

    FORWARD_FILES = 1
    BACK_FILES = 2
    FORWARD_BLOCKS = 3
    BACK_BLOCKS = 4
    WRITE_MARKS = 5
    REWIND = 6
    OFFLINE = 7
    END_OF_DATA = 12
    SET_BLOCK = 20
    SEEK = 22
    LOAD = 30


class State(IntFlag):
    """What MTIOCGET tells: GMT_... without its prefix."""

    END_OF_FILE = 0x80000000
    BEGINNING = 0x40000000
    END_OF_TAPE = 0x20000000
    END_OF_DATA = 0x08000000
    WRITE_PROTECTED = 0x04000000
    ONLINE = 0x01000000
    NO_TAPE = 0x00040000
    CLEANING = 0x00008000


class TapeState(ctypes.Structure):
    """struct mtget; ``file`` and ``block`` are -1 where the driver does not know."""

    _fields_ = (
        *(("type", ctypes.c_long), ("residual", ctypes.c_long), ("settings", ctypes.c_long)),
        *(("flags", ctypes.c_long), ("errors", ctypes.c_long), ("file", ctypes.c_int), ("block", ctypes.c_int)),
    )

    @property
    def state(self) -> State:
        """The flags."""
        return State(self.flags & 0xFFFFFFFF)


class _Order(ctypes.Structure):
    """struct mtop."""

    _fields_ = (("operation", ctypes.c_short), ("count", ctypes.c_int))


class _Tell(ctypes.Structure):
    """struct mtpos."""

    _fields_ = (("number", ctypes.c_long),)


_WRITES, _READS = 1, 2
_ERRORS: Final[Mapping[int, type[errors.ScsiError]]] = {
    errno.ENOMEDIUM: errors.NoMedium,
    errno.EACCES: errors.WriteProtected,
    errno.EROFS: errors.WriteProtected,
    errno.EPERM: errors.AccessDenied,
    errno.EBUSY: errors.DeviceBusy,
    errno.ENOSPC: errors.EndOfMedium,
    errno.EIO: errors.MediumError,
    errno.EINVAL: errors.IllegalRequest,
    errno.EOVERFLOW: errors.IllegalRequest,
    errno.ENOMEM: errors.IllegalRequest,
    errno.ENODEV: errors.TransportLost,
    errno.ENXIO: errors.TransportLost,
    errno.ETIMEDOUT: errors.CommandTimeout,
}


def translate(failure: OSError, doing: str) -> errors.ScsiError:
    """What the driver means by an error number."""
    kind = _ERRORS.get(failure.errno or 0, errors.HardwareError)
    return kind(f"{doing}: {failure.strerror}")


def operate(file: int, operation: Operation, count: int = 1) -> None:
    """MTIOCTOP; OSError."""
    fcntl.ioctl(file, _request(_WRITES, 1, _Order), _Order(operation, count), True)


def read_state(file: int) -> TapeState:
    """MTIOCGET; what the error number means."""
    state = TapeState()
    try:
        fcntl.ioctl(file, _request(_READS, 2, TapeState), state, True)
    except OSError as failure:
        raise translate(failure, "state of the drive") from failure
    return state


def read_tell(file: int) -> int:
    """MTIOCPOS: the number of the next object, where the drive tells it; else what the error number means."""
    tell = _Tell()
    try:
        fcntl.ioctl(file, _request(_READS, 3, _Tell), tell, True)
    except OSError as failure:
        raise translate(failure, "position of the tape") from failure
    return int(tell.number)


def _request(direction: int, number: int, argument: type[ctypes.Structure]) -> int:
    """The number of an ioctl, as <asm-generic/ioctl.h> forms it."""
    return direction << 30 | ctypes.sizeof(argument) << 16 | ord("m") << 8 | number
