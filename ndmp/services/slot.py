"""The one device that a session may have open (draft 2.11.4; docs/fse.md rule 1)."""

from __future__ import annotations

from dataclasses import dataclass

from ndmp.backends import FileHandle, RecordDevice, ScsiHandle, TapeHandle
from ndmp.enums import DigestAlgorithm, Error, FileMode, MoverMode, TapeOpenMode
from ndmp.errors import ReplyError

__all__ = ["OpenFile", "OpenTape", "Slot"]


@dataclass(slots=True)
class OpenTape:
    """A tape and what the session has done with it."""

    device: str
    handle: TapeHandle
    mode: TapeOpenMode
    unmarked: bool = False
    """Blocks were written and no filemark since (draft 3.4.1)."""
    mark_failed: bool = False
    """A TAPE_CLOSE could not write the mark; another one right after it does not try (draft 3.4.3)."""
    end_announced: bool = False
    """Early warning was told; it is told once (draft 3.4.6)."""
    end_due: bool = False
    """The next write answers EOM."""


@dataclass(slots=True)
class OpenFile:
    """An image fragment and how it was opened."""

    handle: FileHandle
    mode: FileMode
    algorithm: DigestAlgorithm


class Slot:
    """Holds the open device, or none."""

    def __init__(self) -> None:
        self.tape: OpenTape | None = None
        self.file: OpenFile | None = None
        self.scsi: ScsiHandle | None = None

    def audit_empty(self) -> None:
        """Refuse a second open: DEVICE_OPENED."""
        if self.tape or self.file or self.scsi:
            raise ReplyError(Error.DEVICE_OPENED, "this session has a device open")

    def require_tape(self) -> OpenTape:
        """The open tape; DEV_NOT_OPEN."""
        if self.tape is None:
            raise ReplyError(Error.DEV_NOT_OPEN, "no tape is open")
        return self.tape

    def require_file(self) -> OpenFile:
        """The open fragment; DEV_NOT_OPEN."""
        if self.file is None:
            raise ReplyError(Error.DEV_NOT_OPEN, "no fragment is open")
        return self.file

    def require_scsi(self) -> ScsiHandle:
        """The device opened by SCSI_OPEN; DEV_NOT_OPEN."""
        if self.scsi is None:
            raise ReplyError(Error.DEV_NOT_OPEN, "no SCSI device is open")
        return self.scsi

    def close(self) -> None:
        """Release the tape or SCSI device, if one is open; a fragment is for the file service to close."""
        tape, self.tape = self.tape, None
        scsi, self.scsi = self.scsi, None
        for handle in (tape and tape.handle, scsi):
            if handle:
                handle.close()

    def device(self) -> RecordDevice:
        """What a mover moves; DEV_NOT_OPEN."""
        if self.file:
            return self.file.handle
        return self.require_tape().handle

    def audit_mode(self, mode: MoverMode) -> None:
        """Refuse a transfer that the way of opening does not allow: DEV_NOT_OPEN, PERMISSION."""
        if self.file:
            allowed = (mode == MoverMode.READ) == (self.file.mode == FileMode.WRITE)
        else:
            allowed = mode == MoverMode.WRITE or self.require_tape().mode != TapeOpenMode.READ
        if not allowed:
            raise ReplyError(Error.PERMISSION, f"the device is not open for mover mode {mode.name}")
