"""Tape drives and changers of :mod:`scsi` as backends of :mod:`ndmp`: this file and device_adapters know both."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from ndmp.backends import (
    CdbOutcome,
    ReadEnd,
    RecordsRead,
    RecordsWritten,
    ScsiAddress,
    TapeStatus,
)
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from scsi.errors import (
    AccessDenied,
    Busy,
    CommandTimeout,
    DeviceBusy,
    NoMedium,
    NotReady,
    ReservationConflict,
    ScsiError,
    WriteProtected,
)
from scsi.tape import Stop, TapeDrive
from scsi.virtual.bay import DriveBay
from scsi.virtual.changer import Changer
from scsi.virtual.drive_answers import Identity
from scsi.virtual.library import Library
from scsi.virtual.target import DriveSession, DriveTarget
from scsi.virtual.url import VirtualUrl, ensure_cartridge

__all__ = [
    "ChangerHandle",
    "DriveTape",
    "LibraryTapeBackend",
    "VirtualChangerBackend",
    "VirtualTapeBackend",
    "as_replies",
    "library_tapes",
]

_ERRORS: Final[Sequence[tuple[type[ScsiError], Error]]] = (
    (DeviceBusy, Error.DEVICE_BUSY),
    (Busy, Error.DEVICE_BUSY),
    (ReservationConflict, Error.DEVICE_BUSY),
    (NoMedium, Error.NO_TAPE_LOADED),
    (NotReady, Error.NO_TAPE_LOADED),
    (WriteProtected, Error.WRITE_PROTECT),
    (AccessDenied, Error.PERMISSION),
    (CommandTimeout, Error.TIMEOUT),
    (ScsiError, Error.IO),
)
_ENDS: Final = {Stop.FILEMARK: ReadEnd.FILEMARK, Stop.END_OF_DATA: ReadEnd.BLANK}


@contextmanager
def as_replies() -> Iterator[None]:
    """Turn a drive's failures into NDMP errors, and blocks that it does not take (ValueError)."""
    try:
        yield
    except ValueError as refusal:
        raise ReplyError(Error.ILLEGAL_ARGS, str(refusal)) from refusal
    except ScsiError as failure:
        error = next(error for kind, error in _ERRORS if isinstance(failure, kind))
        raise ReplyError(error, str(failure)) from failure


class DriveTape:
    """Implements :class:`ndmp.backends.TapeHandle` on an open drive.

    A drive crosses a filemark that stops it; NDMP wants to stay on the near side, so the adapter steps back.
    """

    def __init__(self, drive: TapeDrive, session: DriveSession | None = None) -> None:
        """``session`` carries out SCSI commands on the same drive, if it takes any."""
        self._drive = drive
        self._session = session

    def _working(self) -> AbstractContextManager[None]:
        """Around every use of the drive that may take long."""
        return as_replies()

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        """See RecordDevice."""
        with self._working():
            outcome = self._drive.write_blocks(records, record_bytes)
        return RecordsWritten(outcome.blocks, outcome.early_warning)

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        """See RecordDevice."""
        with self._working():
            outcome = self._drive.read_blocks(into, record_bytes)
            if outcome.stop is Stop.FILEMARK:
                self._drive.space_filemarks(-1)
        end = _ENDS[outcome.stop] if outcome.stop else None
        return RecordsRead(outcome.blocks, outcome.bytes_read, end, outcome.truncated)

    def space_records(self, count: int) -> int:
        """See RecordDevice."""
        with self._working():
            outcome = self._drive.space_blocks(count)
            if outcome.stop is Stop.FILEMARK:
                self._drive.space_filemarks(-1 if count > 0 else 1)
        return abs(count) - outcome.moved

    def space_filemarks(self, count: int) -> int:
        """See TapeHandle."""
        with self._working():
            return abs(count) - self._drive.space_filemarks(count).moved

    def write_filemarks(self, count: int) -> None:
        """See TapeHandle."""
        with self._working():
            self._drive.write_filemarks(count)

    def rewind(self) -> None:
        """See TapeHandle."""
        with self._working():
            self._drive.rewind()

    def unload(self) -> None:
        """See TapeHandle."""
        with self._working():
            self._drive.unload()

    def test_ready(self) -> None:
        """See TapeHandle."""
        with self._working():
            loaded = self._drive.loaded
        if not loaded:
            raise ReplyError(Error.NO_TAPE_LOADED, "no tape in the drive")

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        """See CdbTarget."""
        if self._session is None:
            raise ReplyError(Error.NOT_SUPPORTED, "this drive takes no SCSI commands")
        with as_replies():
            done = self._session.execute(cdb, data_in_bytes=data_in_bytes, data_out=data_out, timeout=timeout)
        return CdbOutcome(done.status, done.data_in, done.bytes_out, done.sense)

    def status(self) -> TapeStatus:
        """See TapeHandle."""
        with as_replies():
            position, capacity = self._drive.position(), self._drive.capacity()
            return TapeStatus(
                file_num=position.file_number,
                block_num=position.block_in_file,
                total_bytes=capacity.total_bytes,
                remaining_bytes=capacity.remaining_bytes,
                soft_errors=0,
                write_protected=self._drive.write_protected,
            )

    def close(self) -> None:
        """See TapeHandle."""
        with as_replies():
            self._drive.close()


def _open_bay(bay: DriveBay, mode: TapeOpenMode, identity: Identity, *, empty: bool = False) -> DriveTape:
    """Take the drive of a bay, and be its only host."""
    with as_replies():
        drive = bay.open(read_only=mode == TapeOpenMode.READ, empty=empty)
    if mode == TapeOpenMode.RDWR and drive.write_protected:
        drive.close()
        raise ReplyError(Error.WRITE_PROTECT, "the tape in the drive is write protected")
    return DriveTape(drive, DriveTarget(bay, drive, identity).session())


class VirtualTapeBackend:
    """Implements :class:`ndmp.backends.TapeBackend`: a drive with one virtual cartridge in it."""

    model = "ndmpdup virtual tape"

    def __init__(self, url: VirtualUrl) -> None:
        """Make the cartridge if it is not there; ScsiError when that fails."""
        ensure_cartridge(url)
        self._url = url
        self.capabilities = (("BARCODE", url.path.name),)

    def open(self, mode: TapeOpenMode) -> DriveTape:
        """See TapeBackend."""
        bay = DriveBay(threading.RLock(), lambda: self._url.path, sync=self._url.sync, mechanics=self._url.mechanics)
        return _open_bay(bay, mode, Identity(serial=self._url.path.name))


class LibraryTapeBackend:
    """Implements :class:`ndmp.backends.TapeBackend`: a drive of a library, with the cartridge that is in it, if any.

    Opened RAW while it is empty it takes part in nothing but readiness, until the changer has loaded it (draft 3.4.2).
    """

    def __init__(self, library: Library, number: int) -> None:
        """``number`` counts the library's drives from 0; NoSuchElement."""
        configuration = library.configuration
        self._bay = library.drive(number)
        self._identity = Identity(
            configuration.drive_serial(number), configuration.drive_vendor, configuration.drive_product
        )
        self.model = f"{configuration.drive_vendor} {configuration.drive_product}"
        self.capabilities = (
            ("SERIAL_NUMBER", configuration.drive_serial(number)),
            ("ELEMENT_ADDRESS", str(configuration.first_drive + number)),
        )

    def open(self, mode: TapeOpenMode) -> DriveTape:
        """See TapeBackend."""
        return _open_bay(self._bay, mode, self._identity, empty=mode == TapeOpenMode.RAW)


def library_tapes(name: str, library: Library) -> Mapping[str, LibraryTapeBackend]:
    """A backend for every drive of a library, named ``NAME.drive0`` and so on."""
    numbers = range(library.configuration.drives)
    return {f"{name}.drive{number}": LibraryTapeBackend(library, number) for number in numbers}


class ChangerHandle:
    """Implements :class:`ndmp.backends.ScsiHandle` on a session with a virtual changer."""

    def __init__(self, changer: Changer, in_use: threading.Lock) -> None:
        """``in_use`` is held by the caller and released when this is closed."""
        self._changer = changer
        self._session = changer.session()
        self._in_use: threading.Lock | None = in_use

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        """See CdbTarget."""
        with as_replies():
            done = self._session.execute(cdb, data_in_bytes=data_in_bytes, data_out=data_out, timeout=timeout)
        return CdbOutcome(done.status, done.data_in, done.bytes_out, done.sense)

    def address(self) -> ScsiAddress:
        """See ScsiHandle."""
        raise ReplyError(Error.NOT_SUPPORTED, "a virtual changer sits nowhere")

    def reset(self) -> None:
        """See ScsiHandle."""
        self._changer.reset()

    def close(self) -> None:
        """See ScsiHandle; a second time does nothing."""
        in_use, self._in_use = self._in_use, None
        if in_use is not None:
            self._session.close()
            in_use.release()


class VirtualChangerBackend:
    """Implements :class:`ndmp.backends.ScsiBackend`: the changer of a virtual library, for one session at a time."""

    shared = False

    def __init__(self, library: Library) -> None:
        configuration = library.configuration
        self._changer = Changer(library)
        self._in_use = threading.Lock()
        self.model = f"{configuration.vendor} {configuration.product}"
        self.capabilities = (("SERIAL_NUMBER", configuration.serial),)

    def open(self) -> ChangerHandle:
        """See ScsiBackend."""
        if not self._in_use.acquire(blocking=False):
            raise ReplyError(Error.DEVICE_BUSY, "another session has the changer")
        return ChangerHandle(self._changer, self._in_use)
