"""Small honest backends in memory: they keep what they are given, and note what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ndmp.backends import (
    CdbOutcome,
    DataBackend,
    DataEvent,
    FileStatus,
    FragmentInfo,
    Host,
    ImageInfo,
    MoverCounters,
    MoverEvent,
    ReadEnd,
    RecordDevice,
    RecordsRead,
    RecordsWritten,
    TapeDigestDone,
    TapeStatus,
    UnitInfo,
)
from ndmp.enums import DigestAlgorithm, Error, MoverMode, TapeOpenMode
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress
from tests.ndmp.fakes_data import ScriptedPath

__all__ = [
    "MARK",
    "MemoryFile",
    "MemoryTape",
    "MemoryUnit",
    "ScriptedDigest",
    "ScriptedMover",
    "ScriptedMovers",
    "host",
]

MARK = None
"""A filemark among the records of a tape."""
MARKS_AT_ONCE = 1000
"""Filemarks that a tape takes from one request, so that any request can be tried."""


@dataclass
class MemoryTape:
    """A drive with a tape: records and marks in a list. Both TapeBackend and its one TapeHandle."""

    tape: list[bytes | None] = field(default_factory=list)
    warn_after: int | None = None
    """Early warning is met by a write that leaves more than this many items on the tape."""
    write_protected: bool = False
    broken: list[str] = field(default_factory=list)
    """Methods that fail once, with IO."""
    asked: list[str] = field(default_factory=list)
    at: int = 0
    taken: bool = False
    loaded: bool = True
    block_bytes: int = 0
    model: str = "memory"
    capabilities: Sequence[tuple[str, str]] = (("KIND", "list"),)

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if what.split()[0] in self.broken:
            self.broken.remove(what.split()[0])
            raise ReplyError(Error.IO, what)

    def open(self, mode: TapeOpenMode) -> MemoryTape:
        if self.taken:
            raise ReplyError(Error.DEVICE_BUSY)
        if self.write_protected and mode == TapeOpenMode.RDWR:
            raise ReplyError(Error.WRITE_PROTECT)
        self._note("open")
        self.taken = self.loaded = True
        return self

    def close(self) -> None:
        self.taken = False
        self._note("close")

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        self._note("write")
        del self.tape[self.at :]
        for start in range(0, len(records), record_bytes):
            self.tape.append(bytes(records[start : start + record_bytes]))
            self.at = len(self.tape)
            if self.warn_after is not None and self.at > self.warn_after:
                return RecordsWritten(start // record_bytes + 1, early_warning=True)
        return RecordsWritten(len(records) // record_bytes)

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        self._note("read")
        records = used = 0
        while len(into) - used >= record_bytes:
            if self.at == len(self.tape):
                return RecordsRead(records, used, ReadEnd.BLANK)
            record = self.tape[self.at]
            if record is MARK:
                return RecordsRead(records, used, ReadEnd.FILEMARK)
            self.at, records = self.at + 1, records + 1
            fits = record[:record_bytes]
            into[used : used + len(fits)] = fits
            used += len(fits)
            if len(fits) < len(record):
                return RecordsRead(records, used, truncated=True)
        return RecordsRead(records, used)

    def space_records(self, count: int) -> int:
        self._note(f"space_records {count}")
        return self._space(count, until=MARK)

    def space_filemarks(self, count: int) -> int:
        self._note(f"space_filemarks {count}")
        left = abs(count)
        while left and (self.at < len(self.tape) if count > 0 else self.at > 0):
            passed = self.tape[self.at if count > 0 else self.at - 1]
            self.at += 1 if count > 0 else -1
            left -= passed is MARK
        return left

    def _space(self, count: int, until: bytes | None) -> int:
        for done in range(abs(count)):
            ahead = self.tape[self.at : self.at + 1] if count > 0 else self.tape[self.at - 1 : self.at]
            if not ahead or ahead[0] is until:
                return abs(count) - done
            self.at += 1 if count > 0 else -1
        return 0

    def write_filemarks(self, count: int) -> None:
        self._note(f"mark {count}")
        if count > MARKS_AT_ONCE:
            raise ReplyError(Error.IO, "the tape ends")
        del self.tape[self.at :]
        self.tape += [MARK] * count
        self.at = len(self.tape)

    def rewind(self) -> None:
        self._note("rewind")
        self.at = 0

    def unload(self) -> None:
        self._note("unload")
        self.loaded = False

    def test_ready(self) -> None:
        self._note("test_ready")
        if not self.loaded:
            raise ReplyError(Error.NO_TAPE_LOADED)

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        self._note(f"cdb {cdb.hex()}")
        return CdbOutcome(0, b"\x05" * data_in_bytes, len(data_out))

    def status(self) -> TapeStatus:
        before = self.tape[: self.at]
        marks = before.count(MARK)
        blocks = len(before) if not marks else before[::-1].index(MARK)
        return TapeStatus(marks, blocks, self.block_bytes, write_protected=self.write_protected)


@dataclass
class MemoryFile:
    """An open fragment."""

    contents: bytearray
    size: int | None
    unit: MemoryUnit
    name: tuple[str, str]
    at: int = 0

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        self.contents += records if self.size is None else records[: self.size - len(self.contents)]
        return RecordsWritten(len(records) // record_bytes)

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        taken = self.contents[self.at : self.at + len(into)]
        into[: len(taken)] = taken
        self.at += len(taken)
        return RecordsRead(-(-len(taken) // record_bytes), len(taken), None if taken else ReadEnd.FILEMARK)

    def space_records(self, count: int) -> int:
        return abs(count)

    def status(self) -> FileStatus:
        return FileStatus(self.at if self.size is None else self.size, self.at, b"", changed=False)

    def close(self, *, keep: bool) -> None:
        self.unit.asked.append(f"close keep={keep}")


@dataclass
class MemoryUnit:
    """One storage unit "u" of images with one fragment each."""

    shown: dict[str, bytes] = field(default_factory=lambda: {"img": b"0123456789"})
    written: dict[tuple[str, str], bytearray] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    algorithms: Sequence[DigestAlgorithm] = (DigestAlgorithm.SHA256,)
    writable: bool = True
    free: int = 50
    broken: bool = False

    def units(self) -> Sequence[UnitInfo]:
        return [UnitInfo("u", 100, self.free, writable=True)]

    def images(self, unit: str, after: str, limit: int) -> Sequence[ImageInfo]:
        return [self.image(unit, name) for name in sorted(self.shown) if name > after][:limit]

    def image(self, unit: str, name: str) -> ImageInfo:
        if unit != "u" or name not in self.shown:
            raise ReplyError(Error.FILE_NOT_FOUND)
        return ImageInfo(name, 7, (FragmentInfo("", len(self.shown[name])),))

    def open_read(self, unit: str, image: str, fragment: int, algorithm: DigestAlgorithm) -> MemoryFile:
        size = self.image(unit, image).size
        if fragment:
            raise ReplyError(Error.ILLEGAL_ARGS)
        return MemoryFile(bytearray(self.shown[image]), size, self, (unit, image))

    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> MemoryFile:
        if image in self.shown:
            raise ReplyError(Error.FSE_IMAGE_EXISTS)
        contents = self.written[unit, image] = bytearray()
        return MemoryFile(contents, size, self, (unit, image))

    def commit(self, unit: str, image: str, fragments: int) -> None:
        self.asked.append(f"commit {image} {fragments}")
        self.shown[image] = bytes(self.written.pop((unit, image)))

    def discard(self, unit: str, image: str) -> None:
        self.asked.append(f"discard {image}")
        del self.written[unit, image]
        if self.broken:
            raise ReplyError(Error.IO, "the unit is broken")

    def remove(self, unit: str, image: str) -> None:
        self.image(unit, image)
        self.asked.append(f"remove {image}")
        del self.shown[image]


@dataclass
class ScriptedMover:
    """A data path that does nothing by itself: the test says what it meets."""

    mode: MoverMode
    record_bytes: int
    device: Callable[[], RecordDevice]
    report: Callable[[MoverEvent], None]
    local_host: str
    refuses: Error | None = None
    meanwhile: Callable[[], None] = lambda: None
    """What happens while it connects."""
    asked: list[str] = field(default_factory=list)
    progress: MoverCounters = field(default_factory=MoverCounters)
    arrived: bool = False

    def listen(self) -> Sequence[TcpAddress]:
        return [self._start("listen", TcpAddress("127.0.0.1", 3456))]

    def has_arrived(self) -> bool:
        return self.arrived

    def listen_local(self) -> bytes:
        self.asked.append("listen_local")
        return b"mover here"

    def connect_local(self, name: bytes) -> None:
        self.asked.append(f"connect_local {name.decode()}")

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        return self._start(f"connect {' '.join(f'{a.host}:{a.port}' for a in addresses)}", addresses[0])

    def _start(self, how: str, address: TcpAddress) -> TcpAddress:
        self.asked.append(how)
        self.meanwhile()
        if self.refuses or "stop" in self.asked:
            raise ReplyError(self.refuses or Error.CONNECT)
        return address

    def set_window(self, offset: int, length: int) -> None:
        self.asked.append(f"window {offset} {length:#x}")

    def read(self, offset: int, length: int) -> None:
        self.asked.append(f"read {offset} {length:#x}")
        if self.progress.bytes_left_to_read:
            raise ReplyError(Error.READ_IN_PROGRESS)
        self.progress = MoverCounters(seek_offset=offset, bytes_left_to_read=length)

    def resume(self) -> None:
        self.asked.append("resume")

    def counters(self) -> MoverCounters:
        return self.progress

    def stop(self) -> None:
        self.asked.append("stop")


@dataclass
class ScriptedDigest:
    """A tape digest that ends when the test, or the host, says so."""

    report: Callable[[TapeDigestDone], None]
    made: list[ScriptedDigest]
    asked: tuple[DigestAlgorithm | ScriptedDigest, int, int]
    """Its algorithm, or the digest it goes on with; bytes; bytes of the largest record."""
    device: RecordDevice
    stopped: int = 0
    has_ended: bool = False

    def bytes_done(self) -> int:
        return 5

    def end(self, done: TapeDigestDone) -> None:
        self.has_ended = True
        self.report(done)

    def stop(self) -> None:
        self.stopped += 1

    def read_on(
        self, size: int, record_bytes: int, device: RecordDevice, report: Callable[[TapeDigestDone], None]
    ) -> ScriptedDigest:
        self.made.append(ScriptedDigest(report, self.made, (self, size, record_bytes), device))
        return self.made[-1]


@dataclass
class ScriptedMovers:
    """Makes the two above and the paths of data servers, and keeps them for the test."""

    made: list[ScriptedMover] = field(default_factory=list)
    paths: list[ScriptedPath] = field(default_factory=list)
    digests: list[ScriptedDigest] = field(default_factory=list)
    refuses: Error | None = None
    meanwhile: Callable[[], None] = lambda: None
    algorithms: Sequence[DigestAlgorithm] = (DigestAlgorithm.SHA256,)

    def mover(
        self,
        mode: MoverMode,
        record_bytes: int,
        device: Callable[[], RecordDevice],
        report: Callable[[MoverEvent], None],
        local_host: str,
    ) -> ScriptedMover:
        self.made.append(ScriptedMover(mode, record_bytes, device, report, local_host, self.refuses, self.meanwhile))
        return self.made[-1]

    def data_path(self, report: Callable[[DataEvent], None], local_host: str) -> ScriptedPath:
        self.paths.append(ScriptedPath(report, local_host, self.refuses, self.meanwhile))
        return self.paths[-1]

    def tape_digest(
        self,
        algorithm: DigestAlgorithm,
        size: int,
        record_bytes: int,
        device: RecordDevice,
        report: Callable[[TapeDigestDone], None],
    ) -> ScriptedDigest:
        self.digests.append(ScriptedDigest(report, self.digests, (algorithm, size, record_bytes), device))
        return self.digests[-1]


def host(*, data: DataBackend | None = None) -> tuple[Host, MemoryTape, MemoryUnit, ScriptedMovers]:
    """A host with a tape "t", a unit "u" and movers, and its parts; ``data``: what it can back up."""
    tape, unit, movers = MemoryTape(), MemoryUnit(), ScriptedMovers()
    made = Host("h", movers=movers, tapes={"t": tape, "t2": MemoryTape()}, data=data, files=unit, revision="1")
    return made, tape, unit, movers
