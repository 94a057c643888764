"""The contracts of drives and libraries on devices by URL; docs/scsi.md tells how to run it on devices of your own.

NDMPDUP_DRIVES (one drive by its URLs, between spaces) and NDMPDUP_CHANGER are device URLs. NDMPDUP_SCRATCH names, by
barcode, the cartridges in slots that may be overwritten. With fewer of them than tests the drive must be able to erase.
Without a changer the tape in the drive is erased for each test, through the first URL.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import cache, partial
from itertools import count
from pathlib import Path

import pytest

from scsi.changer import Changer
from scsi.devices import SG_SCHEME, ST_SCHEME, open_changer, open_drive
from scsi.drive import ScsiDrive
from scsi.elements import ElementType
from scsi.errors import NoMedium, PositionUnknown
from scsi.st import StDrive
from scsi.tape import ReadOutcome, Stop, TapeDrive, WriteOutcome
from tests.scsi.changer_contract import ChangerContract, Layout
from tests.scsi.deviations import KEPT_BYTES, SCALES
from tests.scsi.drive_contract import A, B, C, DriveContract, write

DEVICE = os.environ.get("NDMPDUP_DEVICE", "")
DRIVES = os.environ.get("NDMPDUP_DRIVES", "").split()
CHANGER = os.environ.get("NDMPDUP_CHANGER", "")
SCRATCH = os.environ.get("NDMPDUP_SCRATCH", "").split()
BY_KERNEL = [url for url in DRIVES if url.startswith(ST_SCHEME)]
TURN = count()


@cache
def changer() -> Changer:
    """The library, kept open."""
    return open_changer(CHANGER)


def emptied() -> int:
    """The drive's element, with nothing in it."""
    (drive,) = changer().inventory().of(ElementType.DRIVE)
    if drive.full:
        # Most drives hold a tape fast until they are told to give it out.
        with closing(open_drive(DRIVES[0])) as tape, suppress(NoMedium):
            tape.unload()
        changer().unload(drive.address)
    return drive.address


def blank(url: str, *, equal_blocks: bool = False) -> ScsiDrive | StDrive:
    """The drive with a tape to overwrite, blank, at its beginning."""
    if CHANGER:
        element = emptied()
        wanted = changer().inventory().find(SCRATCH[next(TURN) % len(SCRATCH)])
        changer().load(wanted.address, element)
    else:
        arrived(DRIVES[0]).close()
    return arrived(url, equal_blocks=equal_blocks)


def arrived(url: str, *, equal_blocks: bool = False) -> ScsiDrive | StDrive:
    """The drive at the beginning of its tape; erased, if there is something and it can."""
    drive = open_drive(url, equal_blocks=equal_blocks)
    assert isinstance(drive, ScsiDrive | StDrive)
    try:
        drive.load()
        drive.rewind()
        if not drive.position().at_eod and isinstance(drive, ScsiDrive):
            drive.erase()
    except BaseException:
        drive.close()
        raise
    return drive


def kept(block: bytes) -> bytes:
    """What the device keeps of a block."""
    count = KEPT_BYTES.get(DEVICE, len(block))
    return block[:count] + bytes(len(block) - count)


class TestDrive(DriveContract):
    """The contract of drives."""

    scale = SCALES.get(DEVICE, 1)

    def kept(self, block: bytes) -> bytes:
        return kept(block)

    @pytest.fixture(params=DRIVES, ids=str)
    def drive(self, request: pytest.FixtureRequest) -> Iterator[TapeDrive]:
        drive = blank(request.param)
        yield drive
        drive.close()


@pytest.mark.skipif(not CHANGER, reason="there is no changer")
class TestChanger(ChangerContract):
    """The contract of libraries."""

    @pytest.fixture
    def library(self) -> Layout:
        drive = emptied()
        found = changer().inventory()
        slots, (port, *_) = found.of(ElementType.SLOT), found.of(ElementType.IMPORT_EXPORT)
        barcodes = (slots[0].barcode, slots[1].barcode)
        return Layout(changer(), slots[0].address, len(slots), port.address, drive, barcodes)


@pytest.mark.parametrize("url", DRIVES)
def test_large_blocks(url: str) -> None:
    drive = blank(url)
    sizes = (256 << 10, 64 << 10, 64 << 10, 512, 512 << 10)
    blocks = [
        (bytes(block % 251 for block in range(number, number + 251)) * (size // 251 + 1))[:size]
        for number, size in enumerate(sizes)
    ]
    for block in blocks:
        assert drive.write_blocks(memoryview(block), len(block)).blocks == 1
    drive.write_filemarks(1)
    drive.rewind()
    room = memoryview(bytearray(512 << 10))
    for block in blocks:
        assert drive.read_blocks(room[: len(block)], len(block)).bytes_read == len(block)
        assert room[: len(block)] == kept(block)
    drive.close()


@pytest.mark.parametrize("url", [url for url in DRIVES if url not in BY_KERNEL])
def test_equal_blocks(url: str) -> None:
    size = 512 * SCALES.get(DEVICE, 1)
    blocks = [bytes((number,)) * size for number in range(100)]
    with closing(blank(url, equal_blocks=True)) as drive:
        assert drive.write_blocks(memoryview(b"".join(blocks)), size) == WriteOutcome(100, False)
        assert drive.write_filemarks(1).blocks == 1
        assert drive.position().block_number == 101
        drive.rewind()
        room = memoryview(bytearray(101 * size))
        assert drive.read_blocks(room, size) == ReadOutcome(100, 100 * size, Stop.FILEMARK)
        assert room[: 100 * size] == b"".join(map(kept, blocks))
        assert drive.position().block_number == 101


@pytest.mark.parametrize("url", BY_KERNEL)
def test_mt_agrees(url: str) -> None:
    node = url.removeprefix(ST_SCHEME)
    drive: TapeDrive = blank(url)
    write(drive, A, B, 1, C, C, 1)
    # file and block as mt shows them, and the object that it is
    for file, block, number in ((0, 0, 0), (0, 1, 1), (1, 0, 3), (1, 1, 4)):
        drive.rewind()
        drive.space_filemarks(file)
        drive.space_blocks(block)
        position = drive.position()
        assert (position.block_number, position.file_number, position.block_in_file) == (number, file, block)
        drive.close()
        assert f"File number={file}, block number={block}," in run("mt", "-f", node, "status"), number
        drive = open_drive(url)
    drive.close()


@pytest.mark.parametrize("url", BY_KERNEL)
def test_mt_tells_the_same(url: str) -> None:
    node = url.removeprefix(ST_SCHEME)
    drive: TapeDrive = blank(url)
    write(drive, A, B, 1, C, C, 1)
    for number in (1, 3, 5, 0, 6):
        drive.locate(number)
        drive.close()
        assert run("mt", "-f", node, "tell") == f"At block {number}.\n"
        drive = open_drive(url)
        assert drive.position().block_number == number
    drive.close()


@pytest.mark.parametrize("url", BY_KERNEL)
def test_what_the_kernel_ends_with_a_filemark(url: str) -> None:
    leaving: dict[str, tuple[Callable[[ScsiDrive | StDrive], object], int]] = {
        "rewind": (lambda drive: drive.rewind(), 4),
        "locate": (lambda drive: drive.locate(1), 4),
        "back over a filemark": (lambda drive: drive.space_filemarks(-1), 4),
        "back over a block": (lambda drive: drive.space_blocks(-1), 3),
        "to the end": (lambda drive: drive.space_end_of_data(), 3),
        "read": (lambda drive: drive.read_blocks(memoryview(bytearray(512)), 512), 3),
        "no filemark": (lambda drive: drive.write_filemarks(0), 3),
    }
    for name, (leave, objects) in leaving.items():
        with closing(blank(url)) as drive:
            write(drive, A, 1, B)
            leave(drive)
            drive.rewind()
            drive.locate(objects)
            assert drive.position().at_eod, name
            drive.rewind()
            drive.space_end_of_data()
            assert drive.position().block_number == objects, name
    with closing(blank(url)) as drive:
        write(drive, A, 1, B)
        drive.unload()
        drive.load()
        drive.space_end_of_data()
        assert drive.position().block_number == 4


@pytest.mark.parametrize("url", BY_KERNEL)
def test_nothing_is_believed_after_a_reset(url: str) -> None:
    room = memoryview(bytearray(512))
    drive = blank(url)
    write(drive, A, B, 1)
    drive.rewind()
    for again in (True, False):
        assert drive.read_blocks(room, 512).blocks == 1
        reset(url)
        if not again:
            drive.close()
            drive = open_drive(url)
        for call in (partial(drive.read_blocks, room, 512), drive.position, partial(drive.write_blocks, room, 512)):
            with pytest.raises(PositionUnknown):
                call()
        drive.rewind()
        assert drive.position().at_bot
    reset(url)
    drive.load()
    drive.rewind()
    assert drive.read_blocks(room, 512).blocks == 1
    drive.close()


@pytest.mark.skipif(not CHANGER.startswith(SG_SCHEME), reason="mtx needs the kernel's generic driver")
def test_mtx_agrees() -> None:
    element, node = emptied(), CHANGER.removeprefix(SG_SCHEME)
    assert seen_by_mtx(node) == seen_by_us()
    first = changer().inventory().find(SCRATCH[0]).address
    changer().load(first, element)
    assert seen_by_mtx(node) == seen_by_us()
    run("mtx", "-f", node, "unload", "1", "0")
    assert seen_by_mtx(node) == seen_by_us()
    assert changer().inventory().find(SCRATCH[0]).address == first


def seen_by_mtx(node: str) -> tuple[list[str], list[str]]:
    """Labels of the cartridges in slots and ports, in order, and in drives; empty for none."""
    found = re.findall(
        r"(Storage|Data Transfer) Element \d+[^:]*:(?:Empty|Full.*?VolumeTag ?= ?(\S+))",
        run("mtx", "-f", node, "status"),
    )
    return [label for kind, label in found if kind == "Storage"], [label for kind, label in found if kind != "Storage"]


def seen_by_us() -> tuple[list[str], list[str]]:
    """The same by our inventory."""
    found = changer().inventory()
    slots = [*found.of(ElementType.SLOT), *found.of(ElementType.IMPORT_EXPORT)]
    return [each.barcode if each.full else "" for each in slots], [
        each.barcode if each.full else "" for each in found.of(ElementType.DRIVE)
    ]


def reset(url: str) -> None:
    """Reset the drive behind a node of the kernel's tape driver, past that driver."""
    (generic,) = Path("/sys/class/scsi_tape", Path(url.removeprefix(ST_SCHEME)).name, "device/scsi_generic").iterdir()
    run("sg_reset", "--device", f"/dev/{generic.name}")


def run(*command: str) -> str:
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
