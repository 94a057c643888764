"""The contracts of drives and libraries on devices by URL; docs/scsi.md tells how to run it on devices of your own.

NDMPDUP_DRIVES (one drive by its URLs, between spaces) and NDMPDUP_CHANGER are device URLs. NDMPDUP_SCRATCH names, by
barcode, the cartridges in slots that may be overwritten. With fewer of them than tests the drive must be able to erase.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from itertools import count

import pytest

from scsi.changer import Changer
from scsi.devices import SG_SCHEME, ST_SCHEME, open_changer, open_drive
from scsi.drive import ScsiDrive
from scsi.elements import ElementType
from scsi.errors import NoMedium
from scsi.st import StDrive
from scsi.tape import TapeDrive
from scsi.track import UNKNOWN
from tests.scsi.changer_contract import ChangerContract, Layout
from tests.scsi.drive_contract import A, B, C, DriveContract, write

DRIVES = os.environ.get("NDMPDUP_DRIVES", "").split()
CHANGER = os.environ.get("NDMPDUP_CHANGER", "")
SCRATCH = os.environ.get("NDMPDUP_SCRATCH", "").split()
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


def blank(url: str) -> TapeDrive:
    """The drive with the next scratch cartridge, blank, at its beginning."""
    element = emptied()
    wanted = changer().inventory().find(SCRATCH[next(TURN) % len(SCRATCH)])
    changer().load(wanted.address, element)
    drive = open_drive(url)
    assert isinstance(drive, ScsiDrive | StDrive)
    drive.load()
    drive.rewind()
    if not drive.position().at_eod and isinstance(drive, ScsiDrive):
        drive.erase()
    return drive


class TestDrive(DriveContract):
    """The contract of drives."""

    @pytest.fixture(params=DRIVES, ids=str)
    def drive(self, request: pytest.FixtureRequest) -> Iterator[TapeDrive]:
        drive = blank(request.param)
        yield drive
        drive.close()


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
        bytes(block % 251 for block in range(number, number + 251)) * (size // 251 + 1)
        for number, size in enumerate(sizes)
    ]
    for block, size in zip(blocks, sizes, strict=True):
        assert drive.write_blocks(memoryview(block)[:size], size).blocks == 1
    drive.write_filemarks(1)
    drive.rewind()
    room = memoryview(bytearray(512 << 10))
    for block, size in zip(blocks, sizes, strict=True):
        assert drive.read_blocks(room[:size], size).bytes_read == size
        assert room[:size] == memoryview(block)[:size]
    drive.close()


@pytest.mark.skipif(not any(url.startswith(ST_SCHEME) for url in DRIVES), reason="mt needs the kernel's driver")
def test_mt_agrees() -> None:
    (url,) = (url for url in DRIVES if url.startswith(ST_SCHEME))
    drive = blank(url)
    write(drive, A, B, 1, C, C, 1)
    # object to go to; then file and block as mt shows them
    for target, file, block in ((0, 0, 0), (1, 0, 1), (3, 1, 0), (4, 1, 1)):
        drive.locate(target)
        # By number the kernel goes without learning which file it comes to.
        found = drive.position()
        assert (found.block_number, found.file_number) in ((target, file), (target, UNKNOWN))
        drive.close()
        assert seen_by_mt(url.removeprefix(ST_SCHEME)) in ((file, block), target), target
        drive = open_drive(url)
        drive.rewind()
    drive.close()


def seen_by_mt(node: str) -> tuple[int, int] | int:
    """File and block; of a drive that was sent somewhere by number the kernel knows only the object that it tells."""
    ((file, block),) = re.findall(r"File number=(-?\d+), block number=(-?\d+),", run("mt", "-f", node, "status"))
    if file != "-1":
        return int(file), int(block)
    (target,) = re.findall(r"At block (\d+)\.", run("mt", "-f", node, "tell"))
    return int(target)


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


def run(*command: str) -> str:
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
