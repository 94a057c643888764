"""A virtual library as changer and tape drives of ndmp."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duplicator.adapters import LibraryTapeBackend, VirtualChangerBackend, library_tapes
from ndmp.backends import CdbOutcome, ReadEnd, RecordsRead, ScsiHandle
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from scsi.errors import NoSuchElement
from scsi.virtual.image import create_cartridge
from scsi.virtual.inventory import Configuration
from scsi.virtual.library import Library, NewVolume, create_library, open_library

DEADLINE = 30.0
DRIVE, SLOT = 256, 1024
READ, RDWR, RAW = TapeOpenMode.READ, TapeOpenMode.RDWR, TapeOpenMode.RAW


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Two drives; a tape in slot 1024, a write protected one in 1025."""
    create_cartridge(tmp_path / "PROTECTED", capacity_bytes=1000, early_warning_bytes=0, write_protected=True)
    configuration = Configuration(2, 3, 1, serial="S012345678", drive_vendor="ACME", drive_product="LTO")
    volumes = [NewVolume("BLANK", capacity_bytes=1000), NewVolume("PROTECTED")]
    create_library(tmp_path, configuration, volumes=volumes)
    with open_library(tmp_path, sync=False) as library:
        yield library


def refused(error: Error, call: Callable[..., object], *arguments: object) -> None:
    """The call is answered with this error."""
    with pytest.raises(ReplyError) as refusal:
        call(*arguments)
    assert refusal.value.error == error, (arguments, refusal.value)


def execute(changer: ScsiHandle, words: str, *, data_in_bytes: int = 0, timeout: float | None = 10.0) -> CdbOutcome:
    """A command in hex."""
    return changer.execute(bytes.fromhex(words), data_out=b"", data_in_bytes=data_in_bytes, timeout=timeout)


def move(changer: ScsiHandle, source: int, destination: int) -> CdbOutcome:
    """MOVE MEDIUM."""
    return execute(changer, f"a500 0001 {source:04x} {destination:04x} 0000 0000")


def test_what_they_are_called(library: Library) -> None:
    changer = VirtualChangerBackend(library)
    assert (changer.model, changer.shared) == ("VIRTUAL TAPE LIBRARY", False)
    assert changer.capabilities == (("SERIAL_NUMBER", "S012345678"),)
    tapes = library_tapes("robot", library)
    assert list(tapes) == ["robot.drive0", "robot.drive1"]
    assert tapes["robot.drive1"].model == "ACME LTO"
    assert tapes["robot.drive1"].capabilities == (("SERIAL_NUMBER", "S012345601"), ("ELEMENT_ADDRESS", "257"))
    with pytest.raises(NoSuchElement):
        LibraryTapeBackend(library, 2)


def test_commands_go_through_as_they_are(library: Library) -> None:
    changer = VirtualChangerBackend(library).open()
    assert execute(changer, "000000000000", timeout=None) == CdbOutcome(0)
    inquiry = execute(changer, "120000006000", data_in_bytes=4096)
    assert (inquiry.status, len(inquiry.data_in), inquiry.data_in[8:16]) == (0, 96, b"VIRTUAL ")
    assert execute(changer, "120000006000", data_in_bytes=8).data_in == inquiry.data_in[:8]
    assert execute(changer, "120000006000").data_in == b""
    sense = bytes.fromhex("70 00 05 00000000 0a 00000000 3b 0e 00 000000")
    assert move(changer, SLOT + 2, DRIVE) == CdbOutcome(2, sense=sense)
    assert execute(changer, "c0").status == 2
    refused(Error.NOT_SUPPORTED, changer.address)


def test_one_session_at_a_time(library: Library) -> None:
    backend = VirtualChangerBackend(library)
    changer = backend.open()
    refused(Error.DEVICE_BUSY, backend.open)
    changer.close()
    again = backend.open()
    changer.close()
    refused(Error.DEVICE_BUSY, backend.open)
    again.close()
    backend.open().close()


def test_a_reset_is_told(library: Library) -> None:
    changer = VirtualChangerBackend(library).open()
    execute(changer, "1e0000000100")
    changer.reset()
    told = execute(changer, "000000000000")
    assert (told.status, told.sense[2], told.sense[12:14]) == (2, 6, b"\x29\x00")
    assert execute(changer, "000000000000").status == 0
    library.insert(NewVolume("NEW"))


def test_closing_unlocks_what_the_session_locked(library: Library) -> None:
    changer = VirtualChangerBackend(library).open()
    execute(changer, "1e0000000100")
    changer.close()
    library.insert(NewVolume("NEW"))


def test_a_changer_that_stays_busy(library: Library) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with library.exclusive():
            entered.set()
            assert leave.wait(DEADLINE)

    changer = VirtualChangerBackend(library).open()
    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(DEADLINE)
    with pytest.raises(ReplyError) as refusal:
        execute(changer, "000000000000", timeout=0.001)
    assert refusal.value.error == Error.TIMEOUT
    leave.set()
    holder.join(DEADLINE)


def test_an_empty_drive_opens_raw_only(library: Library) -> None:
    tape = LibraryTapeBackend(library, 0)
    for mode in (READ, RDWR):
        refused(Error.NO_TAPE_LOADED, tape.open, mode)
    handle = tape.open(RAW)
    for other in (READ, RDWR, RAW):
        refused(Error.DEVICE_BUSY, tape.open, other)
    block = memoryview(bytearray(4))
    for call in (handle.test_ready, handle.rewind, handle.status, lambda: handle.read_records(block, 4)):
        refused(Error.NO_TAPE_LOADED, call)
    handle.unload()
    changer = VirtualChangerBackend(library).open()
    assert move(changer, SLOT, DRIVE).status == 0
    handle.test_ready()
    assert (handle.status().file_num, handle.status().block_num) == (0, 0)
    handle.write_records(memoryview(b"abcd"), 4)
    assert move(changer, DRIVE, SLOT).sense[12:14] == b"\x53\x02"
    handle.close()
    assert move(changer, DRIVE, SLOT).status == 0


def test_a_tape_goes_from_drive_to_drive(library: Library) -> None:
    changer, tapes = VirtualChangerBackend(library).open(), library_tapes("robot", library)
    assert move(changer, SLOT, DRIVE).status == 0
    tape = tapes["robot.drive0"].open(RDWR)
    tape.write_records(memoryview(b"abcdefgh"), 4)
    tape.write_filemarks(1)
    assert move(changer, DRIVE, DRIVE + 1).status == 2
    tape.unload()
    refused(Error.NO_TAPE_LOADED, tape.test_ready)
    tape.close()
    refused(Error.NO_TAPE_LOADED, tapes["robot.drive0"].open, READ)
    tapes["robot.drive0"].open(RAW).close()
    assert move(changer, DRIVE, DRIVE + 1).status == 0
    tape = tapes["robot.drive1"].open(READ)
    block = memoryview(bytearray(12))
    assert tape.read_records(block, 4) == RecordsRead(2, 8, ReadEnd.FILEMARK)
    assert bytes(block[:8]) == b"abcdefgh"
    refused(Error.WRITE_PROTECT, tape.write_records, memoryview(b"abcd"), 4)
    tape.close()
    assert move(changer, DRIVE + 1, SLOT).status == 0


def test_a_protected_tape(library: Library) -> None:
    tape = LibraryTapeBackend(library, 0)
    library.move(SLOT + 1, DRIVE)
    refused(Error.WRITE_PROTECT, tape.open, RDWR)
    for mode in (READ, RAW):
        handle = tape.open(mode)
        assert handle.status().write_protected
        handle.close()
    library.move(DRIVE, SLOT + 1)
