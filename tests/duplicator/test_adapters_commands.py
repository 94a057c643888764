"""TAPE_EXECUTE_CDB on virtual drives: commands and the host's own calls meet on the same tape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.adapters import DriveTape, LibraryTapeBackend, VirtualTapeBackend
from ndmp.backends import CdbOutcome
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from scsi.virtual.drive import open_cartridge
from scsi.virtual.url import VirtualUrl
from tests.scsi.hexes import b
from tests.scsi.library_shelf import DRIVE, SLOT, small_library


def execute(tape: DriveTape, words: str, data_out: bytes = b"") -> CdbOutcome:
    return tape.execute(b(words), data_out=data_out, data_in_bytes=1 << 20, timeout=30.0)


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[DriveTape]:
    backend = VirtualTapeBackend(VirtualUrl(tmp_path / "VT0001L8", 1 << 20, 0, sync=False))
    handle = backend.open(TapeOpenMode.RDWR)
    yield handle
    handle.close()


def test_commands_and_calls_share_the_position(tape: DriveTape) -> None:
    tape.write_records(memoryview(b"a" * 1024), 512)
    tape.write_filemarks(1)
    assert execute(tape, "34 06 00*8").data_in == b("00*8 0000000000000003 0000000000000001 00*8")
    assert execute(tape, "2b 00 00 00000001 00 00 00") == CdbOutcome(0, b"", 0, b"")
    assert (tape.status().file_num, tape.status().block_num) == (0, 1)
    assert execute(tape, "08 00 000200 00") == CdbOutcome(0, b"a" * 512, 0, b"")
    mark = b("f0 00 80 00000200 0a 00*4 00 01 00*4")
    assert execute(tape, "08 00 000200 00") == CdbOutcome(2, b"", 0, mark)
    assert execute(tape, "0a 00 000003 00", b"xyz") == CdbOutcome(0, b"", 3, b"")
    assert (tape.status().file_num, tape.status().block_num) == (1, 1)


def test_what_the_drive_tells(tape: DriveTape) -> None:
    assert execute(tape, "12 00 00 00 24 00").data_in[8:32] == b"VIRTUAL TAPE DRIVE      "
    assert execute(tape, "12 01 80 00 ff 00").data_in == b("01 80 0008") + b"VT0001L8"
    assert execute(tape, "4d 00 71 00 00 0000 00ff 00").data_in[4:12] == b("0001 03 04 00000001")
    assert execute(tape, "05 00*5").data_in == b("00 ffffff 0001")


def test_opened_for_reading(tmp_path: Path) -> None:
    backend = VirtualTapeBackend(VirtualUrl(tmp_path / "VT0001L8", 1 << 20, 0, sync=False))
    tape = backend.open(TapeOpenMode.READ)
    assert execute(tape, "0a 00 000001 00", b"x") == CdbOutcome(2, b"", 0, b("70 00 07 00*4 0a 00*4 27 00 00*4"))
    tape.close()


def test_a_drive_of_a_library(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        tape = LibraryTapeBackend(library, 1).open(TapeOpenMode.RAW)
        assert execute(tape, "12 01 80 00 ff 00").data_in[4:] == b"S012345601"
        assert execute(tape, "00 00*5").sense == b("70 00 02 00*4 0a 00*4 3a 00 00*4")
        library.move(SLOT, DRIVE + 1)
        assert execute(tape, "00 00*5").sense == b("70 00 06 00*4 0a 00*4 28 00 00*4")
        assert execute(tape, "00 00*5").status == 0
        tape.unload()
        assert execute(tape, "00 00*5").sense == b("70 00 02 00*4 0a 00*4 3a 00 00*4")
        tape.close()


def test_a_tape_that_is_written_once_also_for_the_host(tmp_path: Path) -> None:
    backend = VirtualTapeBackend(VirtualUrl(tmp_path / "VT0001LZ", 1 << 20, 0, sync=False))
    tape = backend.open(TapeOpenMode.RDWR)
    tape.write_records(memoryview(b"a"), 1)
    tape.rewind()
    with pytest.raises(ReplyError) as refusal:
        tape.write_records(memoryview(b"b"), 1)
    assert refusal.value.error == Error.WRITE_PROTECT
    tape.close()


def test_a_drive_that_takes_no_commands(tmp_path: Path) -> None:
    VirtualTapeBackend(VirtualUrl(tmp_path / "VT0001", 1 << 20, 0))
    drive = open_cartridge(tmp_path / "VT0001", sync=False)
    with pytest.raises(ReplyError) as refusal:
        execute(DriveTape(drive), "00 00*5")
    assert refusal.value.error == Error.NOT_SUPPORTED
    drive.close()
