"""Drives by URL as tapes of ndmp: who may open them, commands that are passed on, and a status that never waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.device_adapters import DeviceChangerBackend, DeviceTape, DeviceTapeBackend
from ndmp.backends import TapeStatus
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.devices import open_transport
from scsi.drive import ScsiDrive
from scsi.ssc import Write6
from scsi.transports.transport import Room, Transport
from scsi.virtual.image import create_cartridge
from tests.duplicator.datapath import DEADLINE
from tests.duplicator.test_adapters import refused, stands

INQUIRY = bytes.fromhex("12 00 00 00 24 00")
WRITE_FILEMARKS = bytes.fromhex("10 00 000002 00")
REWIND = 0x01


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"virtual:{tmp_path}/T00001L8?capacity=1M&sync=no"


def execute(tape: DeviceTape, cdb: bytes, room: int = 0) -> tuple[int, bytes]:
    """Status and data of a command."""
    done = tape.execute(cdb, data_out=b"", data_in_bytes=room, timeout=None)
    return done.status, done.data_in


def test_modes(url: str, tmp_path: Path) -> None:
    backend = DeviceTapeBackend(url)
    assert (backend.model, backend.capabilities) == ("VIRTUAL TAPE DRIVE", (("SERIAL_NUMBER", "T00001L8"),))
    tape = backend.open(TapeOpenMode.READ)
    assert tape.status().write_protected
    refused(Error.WRITE_PROTECT, tape.write_filemarks, 1)
    tape.close()
    create_cartridge(tmp_path / "T00002L8", capacity_bytes=1 << 20, early_warning_bytes=0, write_protected=True)
    protected = DeviceTapeBackend(f"virtual:{tmp_path}/T00002L8")
    for _ in range(2):
        refused(Error.WRITE_PROTECT, protected.open, TapeOpenMode.RDWR)
    protected.open(TapeOpenMode.RAW).close()


def test_a_drive_without_a_tape(tmp_path: Path) -> None:
    backend = DeviceTapeBackend(f"virtual-library:{tmp_path}/library?drives=1&drive=0")
    for mode in (TapeOpenMode.READ, TapeOpenMode.RDWR):
        refused(Error.NO_TAPE_LOADED, backend.open, mode)
    tape = backend.open(TapeOpenMode.RAW)
    assert tape.status() == TapeStatus(None, None)
    refused(Error.NO_TAPE_LOADED, tape.test_ready)
    refused(Error.NO_TAPE_LOADED, tape.rewind)
    assert execute(tape, INQUIRY, 36)[1][8:16] == b"VIRTUAL "
    refused(Error.DEVICE_BUSY, backend.open, TapeOpenMode.RAW)
    tape.close()


def test_commands_that_are_passed_on(url: str) -> None:
    """One that asks changes nothing; after any other the drive is asked where it stands."""
    tape = DeviceTapeBackend(url).open(TapeOpenMode.RDWR)
    tape.write_records(memoryview(b"abcd"), 2)
    assert stands(tape) == (0, 2)
    assert execute(tape, INQUIRY, 36)[0] == 0
    refused(Error.ILLEGAL_ARGS, execute, tape, INQUIRY[:1], 36)
    assert stands(tape) == (0, 2)
    assert execute(tape, WRITE_FILEMARKS) == (0, b"")
    assert tape.status().file_num == 2
    assert tape.space_filemarks(-2) == 0
    assert tape.space_records(-2) == 0
    assert stands(tape) == (0, 0)
    tape.close()


def test_blocks_that_a_drive_does_not_take(url: str) -> None:
    tape = DeviceTapeBackend(url).open(TapeOpenMode.RDWR)
    refused(Error.ILLEGAL_ARGS, tape.read_records, memoryview(bytearray(1 << 25)), 1 << 25)
    tape.close()


def test_a_changer_is_for_one_session(tmp_path: Path) -> None:
    backend = DeviceChangerBackend(f"virtual-library:{tmp_path}/library")
    handle = backend.open()
    refused(Error.DEVICE_BUSY, backend.open)
    refused(Error.NOT_SUPPORTED, handle.address)
    handle.close()
    handle.close()
    backend.open().close()


class Attention:
    """A way on which the next WRITE hears that another medium may be there."""

    def __init__(self, behind: Transport) -> None:
        self._behind, self.next = behind, False

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        if isinstance(command, Write6) and self.next:
            self.next = False
            # fixed sense, UNIT ATTENTION, 28/00
            return Completion(
                Status.CHECK_CONDITION, sense=bytes.fromhex("70 00 06 00000000 0a 00000000 28 00 00000000")
            )
        return self._behind.execute(command, data_out=data_out, data_in=data_in, timeout=timeout)

    def close(self) -> None:
        self._behind.close()


def test_a_client_that_goes_on_does_not_write_to_another_tape(url: str) -> None:
    way = Attention(open_transport(url))
    tape = DeviceTape(ScsiDrive(way), lambda: None)
    tape.write_records(memoryview(b"abcd"), 2)
    way.next = True
    for _ in range(3):
        refused(Error.IO, tape.write_records, memoryview(b"ef"), 2)
        assert tape.status().file_num is None
    refused(Error.IO, tape.write_filemarks, 1)
    tape.rewind()
    assert tape.status().file_num == 0
    assert tape.write_records(memoryview(b"gh"), 2).records == 1
    tape.close()


class SlowRewind:
    """A way to a drive that takes its time over REWIND."""

    def __init__(self, behind: Transport) -> None:
        self._behind = behind
        self.begun, self.go_on = threading.Event(), threading.Event()

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        if isinstance(command, Command) and command.encode()[0] == REWIND:
            self.begun.set()
            assert self.go_on.wait(DEADLINE)
        return self._behind.execute(command, data_out=data_out, data_in=data_in, timeout=timeout)

    def close(self) -> None:
        self._behind.close()


@pytest.fixture
def slow(url: str) -> Iterator[SlowRewind]:
    DeviceTapeBackend(url)
    made = SlowRewind(open_transport(url))
    yield made
    made.close()


def test_a_busy_drive_does_not_hold_up_its_status(slow: SlowRewind) -> None:
    """TAPE_GET_STATE is answered where sessions of all others are served, too."""
    slow.go_on.set()
    released = threading.Event()
    tape = DeviceTape(ScsiDrive(slow), released.set)
    tape.write_records(memoryview(b"abcd"), 2)
    slow.begun.clear()
    slow.go_on.clear()
    rewinding = threading.Thread(target=tape.rewind, daemon=True)
    rewinding.start()
    assert slow.begun.wait(DEADLINE)
    status = tape.status()
    assert not slow.go_on.is_set(), "the drive was still at it"
    assert (status.file_num, status.block_num, status.total_bytes) == (0, 2, 1 << 20)
    slow.go_on.set()
    rewinding.join(DEADLINE)
    assert stands(tape) == (0, 0)
    tape.close()
    assert released.is_set()
    with pytest.raises(ReplyError):
        tape.rewind()
