"""A mover, the far end of its data connection, and devices that wait or fail when a test says so."""

from __future__ import annotations

import os
import queue
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from duplicator.adapters import DriveTape
from duplicator.dataconn import NetworkSettings
from duplicator.mover import SocketMovers
from ndmp.backends import MoverEvent, MoverStarted, RecordDevice, RecordsRead, RecordsWritten
from ndmp.enums import Error, MoverMode
from ndmp.errors import ReplyError
from ndmp.types import ALL_ONES_64, TcpAddress
from scsi.tape import TapeDrive
from scsi.virtual.drive import open_cartridge
from scsi.virtual.image import cartridge_files, cartridge_map, create_cartridge

__all__ = [
    "DEADLINE",
    "ENDLESS",
    "PROMPT",
    "FailingDevice",
    "GatedDevice",
    "Rig",
    "batch_bytes",
    "blocks_on",
    "feeding",
    "no_leaks",
    "open_tape",
    "opened_drive",
    "pieces_of",
    "recorded",
    "reset",
    "stream",
    "take",
    "take_all",
]

DEADLINE = 10.0
"""Seconds that any wait of a test may last."""
PROMPT = 0.2
"""Seconds within which something must end that waits for nothing: shorter than any patience of a mover."""
ENDLESS = (0, ALL_ONES_64)
"""A window without end."""


def batch_bytes(record_bytes: int) -> int:
    """What a mover moves at once: whole records, two MiB at most, or one record if that is larger."""
    return max((2 << 20) // record_bytes, 1) * record_bytes


def stream(size: int, seed: int = 1) -> bytes:
    """Bytes that do not repeat and do not end with a zero."""
    return random.Random(seed).randbytes(size - 1) + b"\x5a" if size else b""


# -- tapes -----------------------------------------------------------------------------------------------------------


def recorded(path: Path, objects: Iterable[bytes | None], *, block_bytes: int = 0) -> Path:
    """A new cartridge with these blocks; None is a filemark. With ``block_bytes``, each item is cut into blocks."""
    create_cartridge(path, capacity_bytes=1 << 30, early_warning_bytes=0)
    with opened_drive(path) as drive:
        for item in objects:
            if item is None:
                drive.write_filemarks(1)
                continue
            whole = len(item) // block_bytes * block_bytes if block_bytes else 0
            if whole:
                drive.write_blocks(memoryview(item)[:whole], block_bytes)
            if item[whole:]:
                drive.write_blocks(memoryview(item)[whole:], len(item) - whole)
    return path


@contextmanager
def opened_drive(path: Path, *, read_only: bool = False) -> Iterator[TapeDrive]:
    """The cartridge in a drive, at BOT, without waiting for the disk."""
    drive = open_cartridge(path, sync=False, read_only=read_only)
    try:
        yield drive
    finally:
        drive.close()


@contextmanager
def open_tape(path: Path, *, capacity: int = 1 << 30, early_warning: int = 0) -> Iterator[DriveTape]:
    """The cartridge as a tape handle; a blank one if it is not there."""
    if not cartridge_files(path)[1].exists():
        create_cartridge(path, capacity_bytes=capacity, early_warning_bytes=early_warning)
    with opened_drive(path) as drive:
        yield DriveTape(drive)


def blocks_on(path: Path) -> tuple[list[tuple[int, int]], bytes]:
    """Runs of blocks as (count, bytes of each; 0 is a filemark), and the bytes of all blocks."""
    runs = list[tuple[int, int]]()
    for run in cartridge_map(path):
        count = run.count + (runs.pop()[0] if runs and runs[-1][1] == run.block_bytes else 0)
        runs.append((count, run.block_bytes))
    return runs, cartridge_files(path)[0].read_bytes()


# -- devices with a will of their own --------------------------------------------------------------------------------


class GatedDevice:
    """Another device behind a gate: each call says that it came, and goes on once it is let through."""

    def __init__(self, device: RecordDevice, *, is_open: bool = False) -> None:
        self._device = device
        self.arrived = threading.Semaphore(0)
        self.written: queue.Queue[int] = queue.Queue()
        self._gate = threading.Event()
        if is_open:
            self.open_gate()

    def open_gate(self) -> None:
        """Let everything through from now on."""
        self._gate.set()

    def await_caller(self) -> None:
        """Wait until somebody stands at the gate."""
        assert self.arrived.acquire(timeout=DEADLINE)

    def _pass(self) -> None:
        self.arrived.release()
        if not self._gate.wait(DEADLINE):
            raise ReplyError(Error.TIMEOUT, "the test never opened the gate")

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        """See RecordDevice."""
        self._pass()
        outcome = self._device.write_records(records, record_bytes)
        self.written.put(outcome.records)
        return outcome

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        """See RecordDevice."""
        self._pass()
        return self._device.read_records(into, record_bytes)

    def space_records(self, count: int) -> int:
        """See RecordDevice."""
        self._pass()
        return self._device.space_records(count)


class FailingDevice:
    """Another device that breaks with ``failure`` once ``good`` records went through it."""

    def __init__(self, device: RecordDevice, good: int, failure: Exception) -> None:
        self._device = device
        self._good = good
        self._failure = failure

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        """See RecordDevice."""
        fitting = records[: self._good * record_bytes]
        if not fitting:
            raise self._failure
        outcome = self._device.write_records(fitting, record_bytes)
        self._good -= outcome.records
        return outcome

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        """See RecordDevice."""
        if not self._good:
            raise self._failure
        outcome = self._device.read_records(into[: self._good * record_bytes], record_bytes)
        self._good -= outcome.records
        return outcome

    def space_records(self, count: int) -> int:
        """See RecordDevice."""
        return self._device.space_records(count)


# -- the far end -----------------------------------------------------------------------------------------------------


@contextmanager
def feeding(peer: socket.socket, pieces: Iterable[bytes], *, then_close: bool = True) -> Iterator[None]:
    """Send ``pieces`` from another thread, then end the stream. A mover that does not listen to the end may."""

    def send() -> None:
        with suppress(OSError):
            for piece in pieces:
                peer.sendall(piece)
            if then_close:
                peer.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield
    finally:
        with suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)  # whoever still sends is done now
        sender.join(DEADLINE)
        assert not sender.is_alive()


def take(peer: socket.socket, size: int) -> bytes:
    """Receive exactly ``size`` bytes."""
    taken = bytearray()
    while len(taken) < size:
        piece = peer.recv(min(size - len(taken), 1 << 20))
        assert piece, f"the stream ended after {len(taken)} of {size} bytes"
        taken += piece
    return bytes(taken)


def take_all(peer: socket.socket) -> bytes:
    """Receive to the end of the stream."""
    taken = bytearray()
    while piece := peer.recv(1 << 20):
        taken += piece
    return bytes(taken)


def reset(peer: socket.socket) -> None:
    """Break the connection off without an orderly end."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


class Rig:
    """One mover with an endless window on ``device``; assign another one to mount it at the next CONTINUE."""

    def __init__(
        self,
        mode: MoverMode,
        record_bytes: int,
        device: RecordDevice,
        *,
        window: tuple[int, int] = ENDLESS,
        settings: NetworkSettings | None = None,
    ) -> None:
        self.device = device
        self._events: queue.Queue[MoverEvent] = queue.Queue()
        self._stack = ExitStack()
        factory = SocketMovers(settings)
        self.mover = factory.mover(mode, record_bytes, lambda: self.device, self._events.put, "127.0.0.1")
        self.mover.set_window(*window)

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *raised: object) -> None:
        self.mover.stop()
        self._stack.close()

    def meet(self) -> socket.socket:
        """Have the mover listen and connect to it; the far end of the connection."""
        address = self.mover.listen()[0]
        peer = self._stack.enter_context(socket.create_connection((address.host, address.port), timeout=DEADLINE))
        self.expect(MoverStarted(TcpAddress(*peer.getsockname())))
        return peer

    def called(self) -> socket.socket:
        """Listen and have the mover connect; the far end of the connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(DEADLINE)
            address = TcpAddress(*listener.getsockname())
            assert self.mover.connect([address]) == address
            peer = self._stack.enter_context(listener.accept()[0])
            peer.settimeout(DEADLINE)
            return peer

    def next_event(self) -> MoverEvent:
        """What the mover tells next."""
        return self._events.get(timeout=DEADLINE)

    def expect(self, event: MoverEvent) -> None:
        """The mover tells this next."""
        told = self.next_event()
        assert told == event, told

    def expect_silence(self) -> None:
        """The mover has told nothing that was not asked for."""
        assert self._events.empty(), self._events.get_nowait()

    def go_on(self, *window: int) -> None:
        """CONTINUE, with a new window if one is given as offset and length."""
        if window:
            self.mover.set_window(*window)
        self.mover.resume()


@contextmanager
def no_leaks() -> Iterator[None]:
    """Every thread and every descriptor that the block makes is gone at its end."""
    threads, descriptors = set(threading.enumerate()), _descriptors()
    yield
    assert _settles(lambda: set(threading.enumerate()) <= threads), threading.enumerate()
    assert _settles(lambda: _descriptors() <= descriptors), _descriptors() - descriptors


def _descriptors() -> set[str]:
    names = set[str]()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            names.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return names


def _settles(holds: Callable[[], bool]) -> bool:
    """Whether it holds soon: a thread that told its last event may need a moment to end."""
    end, moment = time.monotonic() + 1, threading.Event()
    while not holds():
        if time.monotonic() > end:
            return False
        moment.wait(0.002)
    return True


def pieces_of(content: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """``content`` cut into pieces of these sizes, again and again."""
    at = turn = 0
    while at < len(content):
        size = sizes[turn % len(sizes)]
        yield content[at : at + size]
        at, turn = at + size, turn + 1
