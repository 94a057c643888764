"""The data path: movers of `ndmpdup serve` beside C programs that move the same bytes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from ndmp.enums import MoverMode
from scsi.virtual.image import cartridge_files, create_cartridge, remove_cartridge
from scsi.virtual.journal import Header
from tests.bench.pairing import GIB, KIB, Contestants, Goal, Measure, Row, Setting, seconds
from tests.bench.programs import started
from tests.bench.served import Drive, Host, Loop, open_drives, served

__all__ = ["MOVER_ROWS"]

_OURS: Final = "mover"
_SPLICE: Final = "C: socket, splice, file"
_SAME_WRITES: Final = "C: the same writes and syncs"
_READ: Final = "C: file, read, send"
_SENDFILE: Final = "C: file, sendfile"
_WITHOUT_CHECKS: Final = "mover, tape without checks"
_MORE_THAN_ENOUGH: Final = 1 << 40
_CAPACITY: Final = 1 << 40


class _Movers:
    """Drives of one host, and C programs as the other ends of their data connections."""

    def __init__(self, host: Host, loop: Loop, drives: Sequence[Drive], setting: Setting, record: int) -> None:
        self.host, self.loop, self.drives, self.record = host, loop, drives, record
        self._programs = setting.programs

    def write(self, size: int, *, to: Sequence[int] = (0,), marks: int = 0) -> Measure:
        """From connections to these tapes; to the ends of the streams, or until filemarks are on the tapes."""
        drives = [self.drives[number] for number in to]
        ports = [self.loop.run(lambda d=drive: d.write(self.record)) for drive in drives]
        with ExitStack() as stack:
            used, begin = self.host.cpu_seconds(), time.perf_counter()
            senders = [stack.enter_context(started(self._programs["send"], port, size)) for port in ports]
            self.loop.run(lambda: asyncio.gather(*(drive.written(size, marks=marks) for drive in drives)))
            elapsed, cpu = time.perf_counter() - begin, self.host.cpu_seconds() - used
            sent = sum(sender.ended() for sender in senders)
        for drive in drives:
            self.loop.run(drive.release)
        return Measure(elapsed, size * len(to), {"receiver": cpu, "sender": sent})

    def read(self, size: int, *, tape: int = 0) -> Measure:
        """From a tape to a connection, until the peer has all."""
        drive = self.drives[tape]
        port = self.loop.run(lambda: drive.read(self.record))
        begin = time.perf_counter()
        with started(self._programs["discard"], port, size) as receiver:
            self.loop.run(drive.taken_up)
            used = self.host.cpu_seconds()
            self.loop.run(drive.mover.read)
            received = receiver.ended()
            elapsed, cpu = time.perf_counter() - begin, self.host.cpu_seconds() - used
        self.loop.run(drive.sent)
        self.loop.run(drive.release)
        return Measure(elapsed, size, {"receiver": received, "sender": cpu})

    def abort(self, mode: MoverMode) -> Measure:
        """End a mover whose peer neither sends nor receives any more."""
        drive = self.drives[0]
        reading = mode == MoverMode.READ
        port = self.loop.run(lambda: (drive.write if reading else drive.read)(self.record))
        with socket.create_connection(("127.0.0.1", port)) as peer:
            if reading:
                peer.sendall(bytes(3 * self.record + 1))
            else:
                self.loop.run(drive.taken_up)
                self.loop.run(drive.mover.read)
            self.loop.run(lambda: drive.moved(3 * self.record))
            self.loop.run(drive.at_rest)
            begin = time.perf_counter()
            self.loop.run(drive.abort)
            elapsed = time.perf_counter() - begin
        self.loop.run(drive.release)
        return Measure(elapsed)


@contextmanager
def _movers(
    setting: Setting, folder: Path, record: int, *, count: int = 1, unchecked: bool = False
) -> Iterator[_Movers]:
    """So many drives, and behind them one whose tape keeps no checks, if that is wanted."""
    names = [f"BENCH{number}" for number in range(count)]
    if unchecked:
        names.append("PLAIN")
        _make_unchecked(folder / "PLAIN")
    tapes = {name: f"virtual:{folder / name}?capacity=1T" for name in names}
    with served(tapes) as host, open_drives(host, names) as (loop, drives):
        yield _Movers(host, loop, drives, setting, record)


def _make_unchecked(path: Path) -> None:
    """A cartridge as those of old, without checks of its blocks."""
    create_cartridge(path, capacity_bytes=_CAPACITY, early_warning_bytes=0)
    cartridge_files(path)[1].write_bytes(Header(_CAPACITY, 0, checked=False).pack())


def _received(setting: Setting, size: int, program: str, *words: object) -> Measure:
    """A receiver in C, and the same sender."""
    with started(setting.programs[program], *words) as receiver:
        port, begin = receiver.line(), time.perf_counter()
        with started(setting.programs["send"], port, size) as sender:
            got = receiver.ended()
            return Measure(time.perf_counter() - begin, size, {"receiver": got, "sender": sender.ended()})


def _sent(setting: Setting, size: int, *words: object) -> Measure:
    """A sender in C, and the same receiver."""
    with started(setting.programs["file_send"], *words) as sender:
        port, begin = sender.line(), time.perf_counter()
        with started(setting.programs["discard"], port, size) as receiver:
            got = receiver.ended()
            return Measure(time.perf_counter() - begin, size, {"receiver": got, "sender": sender.ended()})


def _to_used_tape(record: int) -> Row:
    @contextmanager
    def setup(setting: Setting) -> Iterator[Contestants]:
        size, folder = setting.size(GIB), setting.memory
        with _movers(setting, folder, record, unchecked=True) as movers:
            _share_blocks(folder, "PLAIN.data", "spliced", "c.data")
            yield {
                _OURS: lambda: movers.write(size),
                _WITHOUT_CHECKS: lambda: movers.write(size, to=(1,)),
                _SPLICE: lambda: _received(setting, size, "splice", folder / "spliced"),
                _SAME_WRITES: lambda: _received(setting, size, "receive", folder, record),
            }

    name = f"network to a virtual tape used before, {record // KIB} KiB"
    return Row(name, (Goal("rate", _OURS, _SPLICE, 0.80, 0.95),), setup)


def _share_blocks(folder: Path, *names: str) -> None:
    """Have these be the blocks of the first tape: all overwrite the same pages, since some are slower than others."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
        (folder / name).hardlink_to(folder / "BENCH0.data")


def _to_new_tape(record: int) -> Row:
    @contextmanager
    def setup(setting: Setting) -> Iterator[Contestants]:
        size, folder = setting.size(GIB), setting.memory
        spliced = folder / "spliced"

        def ours() -> Measure:
            _blank(folder / "BENCH0")
            return movers.write(size)

        def theirs() -> Measure:
            spliced.unlink(missing_ok=True)
            return _received(setting, size, "splice", spliced)

        with _movers(setting, folder, record) as movers:
            yield {_OURS: ours, _SPLICE: theirs}

    name = f"network to a new virtual tape, {record // KIB} KiB"
    return Row(name, (Goal("rate", _OURS, _SPLICE, 0.80, 0.95),), setup)


def _blank(path: Path) -> None:
    """Make a closed cartridge as it was when it was new."""
    remove_cartridge(path)
    create_cartridge(path, capacity_bytes=_CAPACITY, early_warning_bytes=0)


def _from_tape(record: int) -> Row:
    @contextmanager
    def setup(setting: Setting) -> Iterator[Contestants]:
        size, image = setting.size(GIB), setting.memory / "BENCH0.data"
        with _movers(setting, setting.memory, record, unchecked=True) as movers:
            movers.write(size)
            movers.write(size, to=(1,))
            yield {
                _OURS: lambda: movers.read(size),
                _WITHOUT_CHECKS: lambda: movers.read(size, tape=1),
                _READ: lambda: _sent(setting, size, image, "read"),
                _SENDFILE: lambda: _sent(setting, size, image, "sendfile"),
            }

    return Row(f"virtual tape to network, {record // KIB} KiB", (Goal("rate", _OURS, _READ, 0.80, 0.95),), setup)


def _to_disk() -> Row:
    record = 256 * KIB

    @contextmanager
    def setup(setting: Setting) -> Iterator[Contestants]:
        size, folder = setting.size(GIB), setting.disk
        with _movers(setting, folder, record) as movers:
            _share_blocks(folder, "c.data")
            yield {
                _OURS: lambda: movers.write(size, marks=1),
                _SAME_WRITES: lambda: _received(setting, size, "receive", folder, record),
            }

    name = "network to virtual tape on disk, synced at the filemark, 256 KiB"
    return Row(name, (Goal("rate", _OURS, _SAME_WRITES, 0.90, 1.0),), setup)


def _two_at_once() -> Row:
    @contextmanager
    def setup(setting: Setting) -> Iterator[Contestants]:
        size = setting.size(GIB)
        with _movers(setting, setting.memory, 64 * KIB, count=2) as movers, _another_host(setting) as others:
            yield {
                "one": lambda: movers.write(size),
                "two": lambda: movers.write(size, to=(0, 1)),
                "two, each in a host of its own": lambda: _side_by_side((movers, others), size),
            }

    return Row("two movers at once in one host, 64 KiB", (Goal("total rate", "two", "one", 0.95, 1.2),), setup)


@contextmanager
def _another_host(setting: Setting) -> Iterator[_Movers]:
    folder = setting.memory / "another"
    folder.mkdir()
    with _movers(setting, folder, 64 * KIB) as movers:
        yield movers


def _side_by_side(hosts: Sequence[_Movers], size: int) -> Measure:
    """One mover of each host at the same time."""
    with ThreadPoolExecutor(len(hosts)) as threads:
        found = list(threads.map(lambda movers: movers.write(size), hosts))
    cpu = {name: sum(measure.cpu_seconds[name] for measure in found) for name in found[0].cpu_seconds}
    return Measure(max(measure.seconds for measure in found), sum(measure.bytes for measure in found), cpu)


def _state_while_busy() -> Row:
    @contextmanager
    def setup(setting: Setting) -> Iterator[Contestants]:
        with _movers(setting, setting.memory, 64 * KIB, count=2) as movers, _another_host(setting) as others:
            yield {
                "idle": lambda: _slowest_reply(setting, movers.host),
                "two movers": lambda: _while_moving(movers, setting, lambda: _slowest_reply(setting, movers.host)),
                "two movers, asked by an ordinary program": lambda: _while_moving(
                    movers, setting, lambda: _slowest_reply(setting, movers.host, first=False)
                ),
                "two movers of another host": lambda: _while_moving(
                    movers, setting, lambda: _slowest_reply(setting, others.host)
                ),
                "idle, beside two C receivers": lambda: _beside_receivers(
                    setting, lambda: _slowest_reply(setting, others.host)
                ),
            }

    goal = Goal("p99 of GET_STATE", "two movers", "idle", 5, 2, at_most=True, figure=seconds)
    return Row("slowest GET_STATE reply (p99) while two movers run flat out", (goal,), setup)


def _slowest_reply(setting: Setting, host: Host, *, first: bool = True) -> Measure:
    """The time within which 99 of a hundred replies came, in a session that has no mover."""
    milliseconds = 300 if setting.quick else 1000
    words = ["first"] if first else []
    with started(setting.programs["ask"], host.port, milliseconds, *words) as asking:
        slowest = float(asking.line().split()[0])
        asking.ended()
    return Measure(slowest / 1e6)


def _while_moving(movers: _Movers, setting: Setting, measured: Callable[[], Measure]) -> Measure:
    with ExitStack() as stack:
        for drive in movers.drives:
            port = movers.loop.run(lambda d=drive: d.write(movers.record))
            stack.enter_context(started(setting.programs["send"], port, _MORE_THAN_ENOUGH, quiet=True))
            movers.loop.run(lambda d=drive: d.moved(GIB // 64))
        found = measured()
        for drive in movers.drives:
            movers.loop.run(drive.abort)
            movers.loop.run(drive.release)
    return found


def _beside_receivers(setting: Setting, measured: Callable[[], Measure]) -> Measure:
    """The same work for the machine, and none for the host: what is left for the scheduler alone to answer for."""
    with ExitStack() as stack:
        for number in range(2):
            words = (setting.memory / f"spliced{number}",)
            receiver = stack.enter_context(started(setting.programs["splice"], *words, quiet=True))
            stack.enter_context(started(setting.programs["send"], receiver.line(), _MORE_THAN_ENOUGH, quiet=True))
        return measured()


def _abort() -> Row:
    @contextmanager
    def setup(setting: Setting) -> Iterator[Contestants]:
        with _movers(setting, setting.memory, 64 * KIB) as movers:
            movers.write(GIB // 16)
            yield {
                "receives": lambda: movers.abort(MoverMode.READ),
                "sends": lambda: movers.abort(MoverMode.WRITE),
            }

    goals = [
        Goal(f"seconds, mover that {name}", name, "", 0.1, at_most=True, figure=seconds)
        for name in ("receives", "sends")
    ]
    return Row("abort of a mover whose peer has stopped", goals, setup)


MOVER_ROWS: Final[Mapping[str, Row]] = {
    "new64": _to_new_tape(64 * KIB),
    "new256": _to_new_tape(256 * KIB),
    "used64": _to_used_tape(64 * KIB),
    "used256": _to_used_tape(256 * KIB),
    "read64": _from_tape(64 * KIB),
    "read256": _from_tape(256 * KIB),
    "disk": _to_disk(),
    "two": _two_at_once(),
    "state": _state_while_busy(),
    "abort": _abort(),
}
"""By the names that the command line has for them."""
