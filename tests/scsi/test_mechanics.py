"""How long things take in a virtual library that wants that: how far tapes are wound, and who waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scsi.errors import DeviceUrlError, RemovalPrevented
from scsi.media import DENSITIES, DensityCode
from scsi.virtual.inventory import Configuration
from scsi.virtual.library import Library, NewVolume, create_library, open_library
from scsi.virtual.library_url import parse_library_url
from scsi.virtual.mechanics import AT_ONCE, Mechanics, Reel
from scsi.virtual.url import ensure_cartridge, open_url, parse_url

SLOT, DRIVE, SECOND_DRIVE = 1024, 256, 257
LOAD, UNLOAD, CARRY, START, LENGTH = 15, 20, 10, 2, 95


class Clock:
    """Takes note of waits; ``meanwhile`` is done in each."""

    def __init__(self) -> None:
        self.waits = list[float]()
        self.meanwhile = lambda: None

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.meanwhile()

    def spent(self) -> list[float]:
        """Since it was last asked."""
        waits, self.waits = self.waits, []
        return waits


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def library(tmp_path: Path, clock: Clock) -> Iterator[Library]:
    # 208 wraps of 1000 bytes
    volumes = [NewVolume(f"VT000{number}L8", capacity_bytes=208_000) for number in (1, 2, 3)]
    create_library(tmp_path, Configuration(2, 10, 2), volumes=volumes)
    with open_library(tmp_path, sync=False, mechanics=Mechanics(1, clock.wait)) as opened:
        yield opened


def test_a_tape_goes_there_and_back() -> None:
    reel = Reel.of(208_000, DENSITIES[DensityCode.LTO_8])
    assert reel.wraps == 208
    for byte, place in ((0, 0), (250, 0.25), (999, 0.999), (1000, 1), (1250, 0.75), (2000, 0), (208_000, 0)):
        assert reel.place(byte) == pytest.approx(place), byte
    # LTO-5: 1280 tracks by 16 channels; no tracks are known of M8
    for code, wraps in ((DensityCode.LTO_5, 80), (DensityCode.LTO_7_M8, 208)):
        assert Reel.of(1, DENSITIES[code]).wraps == wraps
    assert Reel.of(1, None).wraps == 208


def test_what_takes_how_long(library: Library, clock: Clock) -> None:
    library.move(SLOT, DRIVE)
    assert clock.spent() == [CARRY]
    drive = library.drive(0).open()
    assert clock.spent() == [LOAD]
    drive.write_blocks(memoryview(bytes(3000)), 250)
    drive.write_filemarks(1)
    assert clock.spent() == []
    for move, lengths in (
        (lambda: drive.locate(4), 0),  # from 3000, the far end, to 1000, there too
        (lambda: drive.locate(2), 0.5),
        (lambda: drive.space_blocks(1), 0.25),
        (drive.space_end_of_data, 0.25),
        (drive.rewind, 1),
    ):
        move()
        assert clock.spent() == [pytest.approx(START + LENGTH * lengths)]
    drive.rewind()
    assert clock.spent() == []
    drive.close()
    again = library.drive(0).open()
    assert clock.spent() == [], "it was threaded already"
    again.locate(6)
    assert clock.spent() == [pytest.approx(START + LENGTH / 2)]
    again.unload()
    assert clock.spent() == [pytest.approx(START + LENGTH / 2), UNLOAD]
    library.drive(0).load()
    assert clock.spent() == [LOAD]
    again.close()
    library.exchange(SLOT + 1, DRIVE, SLOT + 5)
    assert clock.spent() == [CARRY, CARRY]


def test_the_arm_holds_up_no_drive(library: Library, clock: Clock) -> None:
    library.move(SLOT, DRIVE)
    drive, done = library.drive(0).open(), list[int]()

    def use_the_other_drive() -> None:
        worker = threading.Thread(
            target=lambda: done.append(drive.write_blocks(memoryview(b"x"), 1).blocks), daemon=True
        )
        worker.start()
        worker.join(10)

    clock.meanwhile = use_the_other_drive
    library.move(SLOT + 1, SECOND_DRIVE)
    assert done == [1]
    drive.close()


def test_what_was_taken_while_the_arm_was_on_its_way(library: Library, clock: Clock) -> None:
    library.move(SLOT, DRIVE)
    opened = list[object]()

    def open_it() -> None:
        clock.meanwhile = lambda: None
        opened.append(library.drive(0).open())

    clock.meanwhile = open_it
    with pytest.raises(RemovalPrevented):
        library.move(DRIVE, SLOT)
    volume = library.volume_at(DRIVE)
    assert opened
    assert volume is not None
    assert volume.barcode == "VT0001L8"


def test_urls(tmp_path: Path) -> None:
    for text, factor in (("0", 0), ("1", 1), ("0.01", 0.01), ("20", 20)):
        assert parse_url(f"virtual:{tmp_path}/A1?times={text}").mechanics == Mechanics(factor)
        assert parse_library_url(f"virtual-library:{tmp_path}?times={text}").mechanics == Mechanics(factor)
    for text in ("", "yes", "-1", "1e3", "100", "nan", "1.", "٣"):
        with pytest.raises(DeviceUrlError, match="times="):
            parse_url(f"virtual:{tmp_path}/A1?times={text}")
    usual = parse_url(f"virtual:{tmp_path}/A1")
    assert usual.mechanics == AT_ONCE
    ensure_cartridge(usual)
    open_url(usual).close()
