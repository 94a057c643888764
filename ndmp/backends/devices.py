"""Tape drives and media changers, as the maker of a host provides them (draft 3.3, 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ndmp.enums import TapeOpenMode

__all__ = [
    "CdbOutcome",
    "CdbTarget",
    "ReadEnd",
    "RecordDevice",
    "RecordsRead",
    "RecordsWritten",
    "ScsiAddress",
    "ScsiBackend",
    "ScsiHandle",
    "TapeBackend",
    "TapeHandle",
    "TapeStatus",
]


class ReadEnd(Enum):
    """Why a read stopped before its buffer was full."""

    FILEMARK = "filemark"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class RecordsRead:
    """Outcome of a read: whole records, packed one after the other in the caller's buffer."""

    records: int
    bytes_read: int
    end: ReadEnd | None = None
    truncated: bool = False
    """The last record was longer than asked for; what did not fit is gone."""


@dataclass(frozen=True, slots=True)
class RecordsWritten:
    """Outcome of a write. ``early_warning``: the medium's last zone is reached; every record counted is written."""

    records: int
    early_warning: bool = False


class RecordDevice(Protocol):
    """What a mover reads records from, or writes them to: an open tape or an open image fragment."""

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        """Write a run of records of ``record_bytes`` each; stops after the record that reaches early warning.

        ``len(records)`` is a multiple of ``record_bytes``. A device that cannot write raises ReplyError(IO); what
        it had written of the run before is lost to the count, and the transfer ends.
        """
        ...

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        """Read records of up to ``record_bytes`` each while another full one has room in ``into``.

        At a filemark the device stays on the BOT side of it: the next read meets the same mark again.
        """
        ...

    def space_records(self, count: int) -> int:
        """Move over ``count`` records (negative: backwards); returns how many were not passed.

        Stops at a filemark: forwards on its BOT side, backwards on its EOT side (draft 3.4.5).
        """
        ...


@dataclass(frozen=True, slots=True)
class TapeStatus:
    """Where a tape stands; None is unknown. Sizes in bytes, numbers counted from 0."""

    file_num: int | None
    block_num: int | None
    block_bytes: int = 0
    """0: variable blocks."""
    total_bytes: int | None = None
    remaining_bytes: int | None = None
    soft_errors: int | None = None
    write_protected: bool = False


@dataclass(frozen=True, slots=True)
class CdbOutcome:
    """What a SCSI command came to: a CHECK CONDITION is an outcome, with its sense, and no failure."""

    status: int
    data_in: bytes = b""
    bytes_out: int = 0
    """Bytes of the data-out buffer that the device took."""
    sense: bytes = b""


class CdbTarget(Protocol):
    """Something that takes SCSI commands as they are."""

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        """Run one command, unaltered; at most ``data_in_bytes`` come back. ``timeout`` in seconds, None for ever.

        ReplyError: TIMEOUT, IO for trouble on the way to the device, ILLEGAL_ARGS, NOT_SUPPORTED by a device that
        takes no commands.
        """
        ...


class TapeHandle(RecordDevice, CdbTarget, Protocol):
    """An open tape, used by one session. Positions follow draft 3.4.5."""

    def write_filemarks(self, count: int) -> None:
        """Write ``count`` filemarks; on return what came before them is on the medium."""
        ...

    def space_filemarks(self, count: int) -> int:
        """Move over ``count`` marks (negative: backwards); returns how many were not passed.

        Ends on the EOT side of the last mark forwards, on the BOT side backwards.
        """
        ...

    def rewind(self) -> None:
        """Go to the beginning of the tape."""
        ...

    def unload(self) -> None:
        """Rewind and put the drive off line."""
        ...

    def test_ready(self) -> None:
        """Return if a tape is loaded, else raise ReplyError(NO_TAPE_LOADED)."""
        ...

    def status(self) -> TapeStatus:
        """Tell the position; must not wait for a running transfer."""
        ...

    def close(self) -> None:
        """Release the drive. The host has written the implicit filemark before (draft 3.4.3)."""
        ...


class TapeBackend(Protocol):
    """A tape drive by its NDMP device name; sessions compete for it."""

    @property
    def model(self) -> str:
        """Vendor and product, as shown by CONFIG_GET_TAPE_INFO."""
        ...

    @property
    def capabilities(self) -> Sequence[tuple[str, str]]:
        """Name and value pairs for CONFIG_GET_TAPE_INFO."""
        ...

    def open(self, mode: TapeOpenMode) -> TapeHandle:
        """Take the drive; DEVICE_BUSY, NO_TAPE_LOADED, WRITE_PROTECT, PERMISSION or IO when it can't be."""
        ...


@dataclass(frozen=True, slots=True)
class ScsiAddress:
    """Where a device sits; -1 is unknown."""

    controller: int
    target: int
    lun: int


class ScsiHandle(CdbTarget, Protocol):
    """An open media changer, used by one session."""

    def address(self) -> ScsiAddress:
        """Where it sits; ReplyError(NOT_SUPPORTED) where that has no meaning."""
        ...

    def reset(self) -> None:
        """Reset this device and no other; ReplyError(NOT_SUPPORTED) where it cannot be done."""
        ...

    def close(self) -> None:
        """Release the device."""
        ...


class ScsiBackend(Protocol):
    """A media changer by its NDMP device name; sessions compete for it, or share it."""

    @property
    def model(self) -> str:
        """Vendor and product, as shown by CONFIG_GET_SCSI_INFO."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other hosts can move its media too: SHARED_ROBOT in CONFIG_GET_SCSI_INFO."""
        ...

    @property
    def capabilities(self) -> Sequence[tuple[str, str]]:
        """Name and value pairs for CONFIG_GET_SCSI_INFO."""
        ...

    def open(self) -> ScsiHandle:
        """Take the device without any command to it (draft 3.3.1); DEVICE_BUSY or IO when it can't be."""
        ...
