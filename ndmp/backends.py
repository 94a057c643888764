"""The interfaces that the maker of an NDMP host implements.

Every method may block: the host calls it from a worker thread of the session, one call at a time for each handle.
A refusal is raised as :class:`ndmp.errors.ReplyError` with the NDMP error that goes on the wire; a device that fails
raises it with ``Error.IO``. Any other exception is a bug and ends as ``Error.UNDEFINED``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from ndmp.enums import DigestAlgorithm, Error, MoverHaltReason, MoverMode, MoverPauseReason, TapeOpenMode
from ndmp.types import TcpAddress

__all__ = [
    "DataMover",
    "FileHandle",
    "FileServiceBackend",
    "FileStatus",
    "FragmentInfo",
    "Host",
    "ImageInfo",
    "MoverCounters",
    "MoverEvent",
    "MoverFactory",
    "MoverHalted",
    "MoverPaused",
    "MoverStarted",
    "ReadEnd",
    "RecordDevice",
    "RecordsRead",
    "RecordsWritten",
    "TapeBackend",
    "TapeDigest",
    "TapeDigestDone",
    "TapeHandle",
    "TapeStatus",
    "UnitInfo",
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


class TapeHandle(RecordDevice, Protocol):
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
class UnitInfo:
    """A storage unit: a named place that holds images. Sizes in bytes."""

    name: str
    total_bytes: int
    free_bytes: int
    writable: bool


@dataclass(frozen=True, slots=True)
class FragmentInfo:
    """One file of an image. ``name`` is empty where the image is a single plain file."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image and its fragments in order; ``modified`` in seconds since 1970."""

    name: str
    modified: int
    fragments: tuple[FragmentInfo, ...]

    @property
    def size(self) -> int:
        """Bytes of all fragments."""
        return sum(fragment.size for fragment in self.fragments)


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What an open fragment has carried so far.

    ``digest`` covers exactly ``bytes_moved`` bytes from its start; empty without an algorithm or after a seek.
    """

    size: int
    bytes_moved: int
    digest: bytes
    changed: bool
    """The fragment was modified by somebody since it was opened."""


class FileHandle(RecordDevice, Protocol):
    """An open fragment. Reading ends with FILEMARK; writing drops what comes after the announced size, if zero."""

    def status(self) -> FileStatus:
        """Size, progress and digest; may be asked at any time."""
        ...

    def close(self, *, keep: bool) -> None:
        """Release it. One opened for writing is kept for the commit if ``keep``; ILLEGAL_STATE if incomplete."""
        ...


class FileServiceBackend(Protocol):
    """Storage units and the images in them (docs/fse.md). Names never reach outside their unit."""

    @property
    def algorithms(self) -> Sequence[DigestAlgorithm]:
        """Digests on offer, the preferred one first."""
        ...

    @property
    def writable(self) -> bool:
        """Whether any unit takes images back."""
        ...

    def units(self) -> Sequence[UnitInfo]:
        """All units, by name."""
        ...

    def images(self, unit: str, after: str, limit: int) -> Sequence[ImageInfo]:
        """Up to ``limit`` images with names sorting after ``after``; FILE_NOT_FOUND for an unknown unit."""
        ...

    def image(self, unit: str, name: str) -> ImageInfo:
        """One image; FILE_NOT_FOUND, or BAD_FILE for something that is no image."""
        ...

    def open_read(self, unit: str, image: str, fragment: int, algorithm: DigestAlgorithm) -> FileHandle:
        """Open fragment number ``fragment`` (from 0) for reading."""
        ...

    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int, algorithm: DigestAlgorithm
    ) -> FileHandle:
        """Open a fragment of a new image; nothing of it is visible before :meth:`commit`."""
        ...

    def commit(self, unit: str, image: str, fragments: int) -> None:
        """Make an image of ``fragments`` kept fragments visible, all at once; FSE_IMAGE_EXISTS if it is there."""
        ...

    def discard(self, unit: str, image: str) -> None:
        """Remove what was written of an image that was not committed; none is no error."""
        ...


@dataclass(frozen=True, slots=True)
class MoverStarted:
    """A listening mover has its peer."""

    address: TcpAddress


@dataclass(frozen=True, slots=True)
class MoverPaused:
    """A mover stopped and waits. ``seek_offset`` in bytes of the stream, meaningful for SEEK."""

    reason: MoverPauseReason
    seek_offset: int = 0


@dataclass(frozen=True, slots=True)
class MoverHalted:
    """A mover ended; its data connection is closed."""

    reason: MoverHaltReason
    text: str = ""


MoverEvent: TypeAlias = MoverStarted | MoverPaused | MoverHalted


@dataclass(frozen=True, slots=True)
class MoverCounters:
    """Progress of a mover, in bytes and records (draft 3.6.1.1)."""

    bytes_moved: int = 0
    record_num: int = 0
    seek_offset: int = 0
    bytes_left_to_read: int = 0


class DataMover(Protocol):
    """The data path of one mover, from LISTEN or CONNECT until it halts. Events come from another thread.

    The host checks states and arguments; a mover does the arithmetic of records and windows (draft 3.6) and reports.
    ``device`` is asked for at every (re)start, since a tape may be changed while the mover is paused.
    """

    def listen(self) -> TcpAddress:
        """Bind and wait for one peer in the background; the address for it to connect to."""
        ...

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        """Connect to a listening peer within the deadline; ReplyError(CONNECT) if none answers."""
        ...

    def set_window(self, offset: int, length: int) -> None:
        """Give the window for the next stretch, in bytes; before the start or while paused."""
        ...

    def read(self, offset: int, length: int) -> None:
        """Send ``length`` bytes from ``offset`` of the stream (mode WRITE); READ_IN_PROGRESS while one runs."""
        ...

    def resume(self) -> None:
        """Go on after a pause."""
        ...

    def counters(self) -> MoverCounters:
        """Progress so far; never waits."""
        ...

    def stop(self) -> None:
        """End the transfer and close the connection; returns when the device is no longer in use."""
        ...


class TapeDigest(Protocol):
    """A digest being read back from an open tape, in the background."""

    def bytes_done(self) -> int:
        """Bytes digested so far."""
        ...

    def stop(self) -> None:
        """End it early; returns when the tape is no longer in use."""
        ...


@dataclass(frozen=True, slots=True)
class TapeDigestDone:
    """Outcome of a digest: ``size`` bytes in ``records`` records. ``padding_clean``: all past the size was zero."""

    error: Error
    size: int
    records: int
    digest: bytes
    padding_clean: bool


class MoverFactory(Protocol):
    """Makes the data paths of a host."""

    @property
    def algorithms(self) -> Sequence[DigestAlgorithm]:
        """Digests it can compute, the preferred one first."""
        ...

    def mover(
        self,
        mode: MoverMode,
        record_bytes: int,
        device: Callable[[], RecordDevice],
        report: Callable[[MoverEvent], None],
        local_host: str,
    ) -> DataMover:
        """A mover that reports its events by ``report`` (called from its own thread).

        ``local_host`` is the address on which the control connection arrived: what a peer can reach.
        """
        ...

    def tape_digest(
        self,
        algorithm: DigestAlgorithm,
        size: int,
        record_bytes: int,
        device: RecordDevice,
        report: Callable[[TapeDigestDone], None],
    ) -> TapeDigest:
        """Read ``size`` bytes from the tape's position and report their digest."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """What a host is made of; services it lacks answer NOT_SUPPORTED."""

    hostname: str
    movers: MoverFactory | None = None
    tapes: Mapping[str, TapeBackend] | None = None
    files: FileServiceBackend | None = None
    vendor: str = "ndmpdup"
    product: str = "ndmpdup host"
    revision: str = ""
    os_type: str = ""
    os_version: str = ""
    hostid: str = ""
