"""Data paths: what moves bytes between a device or file system and a data connection (draft 3.5, 3.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from ndmp.backends.data import BackupRun, FileAttributes, RecoverRun
from ndmp.backends.devices import RecordDevice
from ndmp.enums import (
    DataHaltReason,
    DigestAlgorithm,
    Error,
    LogType,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    RecoveryStatus,
)
from ndmp.types import TcpAddress

__all__ = [
    "DataEnd",
    "DataEvent",
    "DataHalted",
    "DataLogged",
    "DataMover",
    "DataPath",
    "DataProgress",
    "DataStarted",
    "DataWanted",
    "FileRecovered",
    "HistoryAdded",
    "HistoryEntry",
    "HistoryFile",
    "HistoryNode",
    "MoverCounters",
    "MoverEvent",
    "MoverFactory",
    "MoverHalted",
    "MoverPaused",
    "MoverStarted",
    "TapeDigest",
    "TapeDigestDone",
    "VariableSet",
]


@dataclass(frozen=True, slots=True)
class MoverStarted:
    """A listening mover has its peer."""

    address: TcpAddress | None
    """None: the data service of the same session."""


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


class DataEnd(Protocol):
    """One end of a data connection: either listens or connects, once."""

    def listen(self) -> Sequence[TcpAddress]:
        """Bind and wait for one peer in the background; where it can connect, the best address first."""
        ...

    def listen_local(self) -> bytes:
        """Wait for the other service of the same session; the name for its :meth:`connect_local`."""
        ...

    def has_arrived(self) -> bool:
        """Whether a listening end has its peer; waits for one who is at the door, until let in or turned away."""
        ...

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        """Connect to a listening peer within the deadline; ReplyError(CONNECT) if none answers."""
        ...

    def connect_local(self, name: bytes) -> None:
        """Connect to the other service of the same session; ReplyError(CONNECT) if it waits no more."""
        ...

    def stop(self) -> None:
        """End the transfer and close the connection; returns when nothing is in use any more. From any thread."""
        ...


class DataMover(DataEnd, Protocol):
    """The data path of one mover, from LISTEN or CONNECT until it halts. Events come from another thread.

    The host checks states and arguments; a mover does the arithmetic of records and windows (draft 3.6) and reports.
    ``device`` is asked for at every (re)start, since a tape may be changed while the mover is paused.
    """

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


@dataclass(frozen=True, slots=True)
class DataStarted:
    """A listening data service has its peer; ``address`` None: the mover of the same session."""

    address: TcpAddress | None


@dataclass(frozen=True, slots=True)
class DataWanted:
    """A recovery waits for this stretch of the stream, in bytes."""

    offset: int
    length: int


def _nothing() -> None:
    """Nobody waits for it."""


@dataclass(frozen=True, slots=True)
class DataLogged:
    """A line for the application's log; the host calls ``taken`` as in HistoryAdded."""

    kind: LogType
    text: str
    taken: Callable[[], None] = field(default=_nothing, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FileRecovered:
    """What became of a path that was asked for."""

    original_path: str
    status: RecoveryStatus


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """See FileHistory.add_file."""

    path: str
    attributes: FileAttributes
    node: int
    position: int | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """See FileHistory.add_entry."""

    name: str
    node: int
    parent: int


@dataclass(frozen=True, slots=True)
class HistoryNode:
    """See FileHistory.add_node."""

    node: int
    attributes: FileAttributes
    position: int | None


@dataclass(frozen=True, slots=True)
class HistoryAdded:
    """Entries of one kind; the host calls ``taken`` once they are on their way, so that they cannot pile up."""

    entries: Sequence[HistoryFile] | Sequence[HistoryEntry] | Sequence[HistoryNode]
    taken: Callable[[], None]


@dataclass(frozen=True, slots=True)
class VariableSet:
    """A variable that the operation adds to its environment."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class DataHalted:
    """The operation ended; its data connection is closed, and nothing is reported after this."""

    reason: DataHaltReason
    text: str = ""


DataEvent: TypeAlias = DataStarted | DataWanted | DataLogged | FileRecovered | HistoryAdded | VariableSet | DataHalted


@dataclass(frozen=True, slots=True)
class DataProgress:
    """How far a data operation is, in bytes and seconds; None is unknown (draft 3.5.1.1)."""

    bytes_processed: int = 0
    bytes_left: int | None = None
    seconds_left: int | None = None


class DataPath(DataEnd, Protocol):
    """The data path of one data service, from LISTEN or CONNECT until it halts. Events come from another thread."""

    def start_backup(self, run: BackupRun) -> None:
        """Run a backup into the connection, in a thread of its own."""
        ...

    def start_recover(self, run: RecoverRun) -> None:
        """Run a recovery from the connection, in a thread of its own."""
        ...

    def progress(self) -> DataProgress:
        """Progress so far; never waits."""
        ...


class TapeDigest(Protocol):
    """A digest of one stretch of an open tape that is being read back, in the background."""

    def bytes_done(self) -> int:
        """Bytes of this stretch digested so far."""
        ...

    def stop(self) -> None:
        """End it early; returns when the tape is no longer in use."""
        ...

    def read_on(
        self, size: int, record_bytes: int, device: RecordDevice, report: Callable[[TapeDigestDone], None]
    ) -> TapeDigest:
        """Go on with the digest in another stretch, of any tape. Once at most, and after NO_ERR alone."""
        ...


@dataclass(frozen=True, slots=True)
class TapeDigestDone:
    """Outcome of a stretch: ``size`` bytes in ``records`` records. ``padding_clean``: all past the size was zero.

    ``digest`` covers the stretches before it as well.
    """

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

    def data_path(self, report: Callable[[DataEvent], None], local_host: str) -> DataPath:
        """A path for a data service; see :meth:`mover`."""
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
