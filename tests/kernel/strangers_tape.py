"""mt, dd and tar by the kernel's tape driver on the virtual drive, in a guest; ends of tapes and tapes that refuse."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from scsi.devices import open_drive
from scsi.errors import EndOfMedium
from scsi.tape import Position, Stop
from tests.kernel.device_contracts import emptied
from tests.kernel.strangers_bench import BLOCK, DRIVE, IMAGE, ONCE, TAB, TALE, TAPE, TINY, ask, loaded, mt, place, says


@pytest.fixture(autouse=True)
def _empty_drive() -> None:
    emptied()


def test_mt_positions() -> None:
    with loaded(TALE):
        for count in ("3", "2"):  # each file with a filemark, by the driver
            ask("dd", "if=/dev/zero", f"of={TAPE}", "bs=4096", f"count={count}")
        mt("weof", "1")
        #    objects:  z z z | z z | |   numbers: 0 1 2 3 4 5 6 7, end 8
        for words, expected in (
            ("rewind", (0, 0, 0)),
            ("fsr 2", (2, 0, 2)),
            ("fsf 1", (4, 1, 0)),
            ("fsr 1", (5, 1, 1)),
            ("bsr 1", (4, 1, 0)),
            ("bsf 1", (3, 0, -1)),
            ("fsf 2", (7, 2, 0)),
            ("bsfm 1", (7, 2, 0)),
            ("bsfm 2", (4, 1, 0)),
            ("fsfm 1", (6, 1, -1)),
            ("eod", (8, 3, -1)),
            ("asf 1", (4, 1, 0)),
            ("seek 6", (6, -1, -1)),
            ("seek 0", (0, 0, 0)),
        ):
            mt(*words.split())
            assert place() == expected, words
        for words, expected in (
            ("fsr 4", (4, 1, 0)),
            ("bsr 1", (3, 0, -1)),
            ("bsr 4", (0, 0, 0)),
            ("fsf 4", (8, 3, -1)),
            ("seek 9", (8, -1, -1)),
        ):
            says(mt(*words.split(), code=2), "Input/output error")
            assert place() == expected, words


def test_erasing_and_loading() -> None:
    with loaded(TALE):
        ask("dd", "if=/dev/zero", f"of={TAPE}", "bs=4096", "count=3")
        mt("seek", "1")
        mt("erase")
        mt("eod")
        assert place()[0] == 1
        mt("rewind")
        mt("erase")
        says(ask("dd", f"if={TAPE}", "of=/dev/null", code=1), "Input/output error")
        assert place()[0] == 0
        mt("offline")
        says(mt("status"), "DR_OPEN")
        mt("load")
        says(mt("status"), "ONLINE")
        mt("retension")
        assert place() == (0, 0, 0)


def test_dd_in_both_modes(tmp_path: Path) -> None:
    image, back = tmp_path / "image", tmp_path / "back"
    image.write_bytes(IMAGE)
    with loaded(TALE):
        for size, block in (("0", "4096"), ("0", "1M"), ("512", "512"), ("512", "64k"), ("4096", "64k")):
            mt("setblk", size)
            mt("rewind")
            # Only whole blocks can be written where their size is set.
            whole = len(IMAGE) // int(size) * int(size) if size != "0" else len(IMAGE)
            image.write_bytes(IMAGE[:whole])
            ask("dd", f"if={image}", f"of={TAPE}", f"bs={block}")
            mt("rewind")
            ask("dd", f"if={TAPE}", f"of={back}", f"bs={block}")
            assert back.read_bytes() == IMAGE[:whole], (size, block)
            assert place()[1:] == (1, 0)
        mt("setblk", "0")
        mt("rewind")
        # A block is longer than the room for it: the driver says so instead of cutting it.
        says(ask("dd", f"if={TAPE}", f"of={back}", "bs=512", code=1), "Cannot allocate memory")
        mt("setblk", "1024")
        mt("rewind")
        says(ask("dd", f"if={TAPE}", f"of={back}", "bs=1024", code=1), "Input/output error")
        mt("setblk", "0")


def test_two_archives(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image").write_bytes(name.encode() + IMAGE)
    with loaded(TALE):
        for name, factor in (("one", "20"), ("two", "512")):
            ask("tar", "-b", factor, "-C", tmp_path, "-cf", TAPE, name)
        mt("rewind")
        says(ask("tar", "-tf", TAPE), "one/image")
        mt("fsf", "1")
        (tmp_path / "back").mkdir()
        ask("tar", "-b", "512", "-C", tmp_path / "back", "-xf", TAPE)
        mt("rewind")
        ask("tar", "-C", tmp_path / "back", "-xf", TAPE)
    for name in ("one", "two"):
        assert (tmp_path / "back" / name / "image").read_bytes() == name.encode() + IMAGE


def test_the_end_of_the_tape_as_st_tells_it() -> None:
    """1 MiB, the warning 256 KiB before its end: ENOSPC once, then every other time, until nothing fits."""
    with loaded(TINY):
        mt("erase")
        tape, written, refused = os.open(TAPE, os.O_RDWR), 0, list[tuple[int, str]]()
        while (128, "ENOSPC") not in refused[:-1]:
            try:
                written += os.write(tape, bytes(BLOCK)) // BLOCK
            except OSError as failure:
                refused.append((written, errno.errorcode[failure.errno or 0]))
        with suppress(OSError):
            os.close(tape)
        assert refused == [(count, "ENOSPC") for count in (*range(96, 129), 128)]
        assert place() == (129, 1, 0)  # the filemark of the driver still had room


def test_the_end_of_the_tape_by_our_driver() -> None:
    with loaded(TINY):
        mt("erase")
        drive = open_drive(f"st:{TAPE}")
        drive.rewind()
        block = memoryview(bytes(BLOCK))
        assert [drive.write_blocks(block, BLOCK).early_warning for _ in range(128)] == [False] * 96 + [True] * 32
        with pytest.raises(EndOfMedium):
            drive.write_blocks(block, BLOCK)
        drive.write_filemarks(1)
        drive.close()


def test_a_read_behind_a_write() -> None:
    """The driver then ends what was written without a filemark, and tells the end of data like any other fault."""
    with loaded(TALE):
        mt("erase")
        drive, room = open_drive(f"st:{TAPE}"), memoryview(bytearray(BLOCK))
        drive.rewind()
        assert drive.position() == Position(0, 0, 0, at_bot=True, at_eod=True)
        drive.write_blocks(memoryview(IMAGE)[:BLOCK], BLOCK)
        assert drive.read_blocks(room, BLOCK).stop is Stop.END_OF_DATA
        drive.locate(1)
        assert drive.position().at_eod
        drive.rewind()
        assert (drive.read_blocks(room, BLOCK).blocks, room) == (1, IMAGE[:BLOCK])
        assert drive.read_blocks(room, BLOCK).stop is Stop.END_OF_DATA
        assert drive.position() == Position(1, 0, 1, at_bot=False, at_eod=True)
        drive.close()
        assert place()[0] == 1


def test_a_tape_that_is_written_once() -> None:
    with loaded(ONCE):
        says(mt("status"), "BOT ONLINE")
        for _ in range(2):
            ask("dd", "if=/dev/zero", f"of={TAPE}", "bs=4096", "count=3")
        mt("rewind")
        says(ask("dd", "if=/dev/zero", f"of={TAPE}", "bs=4096", "count=1", code=1), "Input/output error")
        for words in ("weof 1", "erase"):
            mt("rewind")
            says(mt(*words.split(), code=2), "Input/output error")
        mt("eod")
        assert place() == (8, 2, -1)
        ask("dd", "if=/dev/zero", f"of={TAPE}", "bs=4096", "count=1")
        assert place() == (10, 3, 0)
        says(ask("sg_logs", "-p", "0x17", DRIVE), "WORM: 1")


def test_a_tape_whose_tab_is_set() -> None:
    with loaded(TAB):
        says(mt("status"), "BOT WR_PROT ONLINE")
        says(ask("dd", "if=/dev/zero", f"of={TAPE}", "bs=4096", "count=1", code=1), "Read-only file system")
        for words in ("weof 1", "erase"):
            says(mt(*words.split(), code=1), "Read-only file system")
        says(ask("sg_modes", "-a", DRIVE), "specific param=0x90")
        says(ask("sg_logs", "-p", "0x17", DRIVE), "Write protect: 1")
        write = ("0a", "00", "00", "00", "04", "00")
        says(ask("sg_raw", "-s", "4", "-i", "/dev/zero", DRIVE, *write, code=7), "Write protected")
