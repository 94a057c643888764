"""Nodes of the kernel's tape driver: opening them, and what the driver only tells when asked in a roundabout way."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from scsi import mtio
from scsi.errors import DeviceUrlError, ScsiError
from scsi.mtio import Operation, State

__all__ = ["nothing_follows", "open_node", "tells"]


def open_node(path: Path, *, read_only: bool) -> tuple[int, bool]:
    """The node, opened without waiting for a tape, and whether it is for reading only; see StDrive for errors."""
    try:
        return os.open(path, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_NONBLOCK | os.O_CLOEXEC), read_only
    except OSError as failure:
        if failure.errno == errno.EROFS and not read_only:
            return open_node(path, read_only=True)
        if failure.errno in (errno.ENOENT, errno.ENOTDIR):
            raise DeviceUrlError(f"{path}: {failure.strerror}") from failure
        raise mtio.translate(failure, f"{path}: open") from failure


def tells(file: int) -> bool:
    """Whether drive and driver tell the number of the next object."""
    try:
        mtio.read_tell(file)
    except ScsiError:
        return False
    return True


def nothing_follows(file: int) -> bool:
    """Whether a read failed because data end here: unless a filemark is before that, the driver tells it only so."""
    try:
        mtio.operate(file, Operation.FORWARD_BLOCKS, 1)
    except OSError:
        with suppress(ScsiError):
            return State.END_OF_DATA in mtio.read_state(file).state
    return False
