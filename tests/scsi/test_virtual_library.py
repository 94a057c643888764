"""The virtual library: what is where, what may be moved, drives, and what is left after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scsi import errors
from scsi.elements import MediumType
from scsi.virtual.image import cartridge_header
from scsi.virtual.inventory import INVENTORY_FILE, Configuration
from scsi.virtual.journal import Header
from scsi.virtual.library import Library, NewVolume, create_library, open_library
from scsi.virtual.library_url import ensure_library, open_library_url, parse_library_url
from tests.scsi.library_shelf import DOOR, DRIVE, SLOT, SMALL, VOLUMES, small_library, where

DEADLINE = 30.0
START = {SLOT: "VT0001", SLOT + 1: "VT0002", SLOT + 2: "CLN001"}


def test_moves_are_there_after_reopening(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        assert where(library) == START
        library.move(SLOT, DRIVE)
        library.move(SLOT + 1, DOOR)
        library.move(DOOR, DRIVE + 1)
        library.move(DRIVE, SLOT + 3)
        expected = {DRIVE + 1: ("VT0002", DOOR), SLOT + 2: ("CLN001", None), SLOT + 3: ("VT0001", SLOT)}
        assert sources(library) == expected
    with small_library(tmp_path) as library:
        assert sources(library) == expected
        assert library.configuration == SMALL


def sources(library: Library) -> dict[int, tuple[str, int | None]]:
    """Barcode, and the element it was last taken from (drives do not count), by address."""
    volumes = [library.volume_at(address) for address in where(library)]
    return {volume.at: (volume.barcode, volume.source) for volume in volumes if volume}


MOVES: tuple[tuple[int, int, type[errors.ScsiError] | None], ...] = (
    (SLOT, DRIVE, None),
    (SLOT, SLOT + 3, None),
    (SLOT, DOOR + 1, None),
    (SLOT + 2, DRIVE + 1, None),
    (SLOT, SLOT, errors.DestinationFull),
    (SLOT, SLOT + 1, errors.DestinationFull),
    (SLOT + 3, SLOT, errors.SourceEmpty),
    (SLOT + 3, DRIVE, errors.SourceEmpty),
    (SLOT, 1, errors.NoSuchElement),
    (1, SLOT, errors.NoSuchElement),
    (0, SLOT, errors.NoSuchElement),
    (SLOT, SLOT + 4, errors.NoSuchElement),
    (SLOT, DRIVE + 2, errors.NoSuchElement),
    (SLOT, DOOR + 2, errors.NoSuchElement),
    (0xFFFF, DRIVE, errors.NoSuchElement),
)


@pytest.mark.parametrize(("source", "destination", "refusal"), MOVES)
def test_one_move(tmp_path: Path, source: int, destination: int, refusal: type[errors.ScsiError] | None) -> None:
    with small_library(tmp_path) as library:
        expected = dict(START)
        if refusal is None:
            library.move(source, destination)
            expected[destination] = expected.pop(source)
        else:
            with pytest.raises(refusal):
                library.move(source, destination)
        assert where(library) == expected


EXCHANGES: tuple[tuple[int, int, int, type[errors.ScsiError] | None], ...] = (
    (SLOT, SLOT + 1, SLOT, None),
    (SLOT, SLOT + 1, SLOT + 3, None),
    (SLOT, SLOT + 3, SLOT, errors.SourceEmpty),
    (SLOT + 3, SLOT, SLOT + 3, errors.SourceEmpty),
    (SLOT, SLOT + 1, SLOT + 2, errors.DestinationFull),
    (SLOT, SLOT + 1, SLOT + 1, errors.DestinationFull),
    (SLOT, SLOT, SLOT + 3, errors.DestinationFull),
    (SLOT, 1, SLOT, errors.NoSuchElement),
    (SLOT, SLOT + 1, 1, errors.NoSuchElement),
)


@pytest.mark.parametrize(("source", "first", "second", "refusal"), EXCHANGES)
def test_one_exchange(
    tmp_path: Path, source: int, first: int, second: int, refusal: type[errors.ScsiError] | None
) -> None:
    with small_library(tmp_path) as library:
        expected = dict(START)
        if refusal is None:
            library.exchange(source, first, second)
            expected[first], expected[second] = expected.pop(source), expected[first]
        else:
            with pytest.raises(refusal):
                library.exchange(source, first, second)
        assert where(library) == expected


def test_operators_use_the_door(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        new = NewVolume("VT0003", capacity_bytes=5000, early_warning_bytes=600)
        assert library.insert(new) == DOOR
        assert cartridge_header(tmp_path / "VT0003") == Header(5000, 600)
        with pytest.raises(errors.CartridgeExists):
            library.insert(new)
        assert library.insert(NewVolume("CLN002", MediumType.CLEANING)) == DOOR + 1
        assert not (tmp_path / "CLN002.data").exists()
        with pytest.raises(errors.DestinationFull):
            library.insert(NewVolume("VT0004"))
        assert not (tmp_path / "VT0004.data").exists()
        assert library.accesses == 2
        assert library.remove(DOOR) == "VT0003"
        for address, refusal in ((DOOR, errors.SourceEmpty), (SLOT, errors.NoSuchElement), (9, errors.NoSuchElement)):
            with pytest.raises(refusal):
                library.remove(address)
        assert library.accesses == 3
        assert where(library) == {**START, DOOR + 1: "CLN002"}
        assert cartridge_header(tmp_path / "VT0003").capacity_bytes == 5000
        assert library.insert(new) == DOOR


def test_hosts_lock_the_door(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        library.move(SLOT, DOOR)
        library.prevent_access("one", True)
        library.prevent_access("two", True)
        library.prevent_access("one", False)
        for call in (lambda: library.insert(NewVolume("VT0003")), lambda: library.remove(DOOR)):
            with pytest.raises(errors.RemovalPrevented):
                call()
        library.prevent_access("two", False)
        assert library.remove(DOOR) == "VT0001"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with small_library(tmp_path), pytest.raises(errors.DeviceBusy):
        open_library(tmp_path)
    with small_library(tmp_path) as library:
        library.close()
        with pytest.raises(errors.HardwareError):
            library.move(SLOT, DRIVE)


def test_a_library_is_made_once(tmp_path: Path) -> None:
    home = tmp_path / "new" / "library"
    with pytest.raises(errors.NoMedium):
        open_library(home)
    with pytest.raises(errors.DestinationFull):
        create_library(home, SMALL, volumes=[*VOLUMES, NewVolume("A"), NewVolume("B")])
    for wrong in ("", "a/b", ".x", "ä"):
        with pytest.raises(errors.DeviceUrlError):
            create_library(home, SMALL, volumes=[NewVolume(wrong)])
    with pytest.raises(errors.CorruptLibrary):
        create_library(home, SMALL, volumes=[NewVolume("A"), NewVolume("A")])
    create_library(home, SMALL)
    with pytest.raises(errors.LibraryExists):
        create_library(home, SMALL)
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.AccessDenied):
        create_library(tmp_path / "file" / "library", SMALL)


WRONG: tuple[dict[str, int | str], ...] = (
    {"drives": 0},
    {"slots": 0},
    {"slots": 65536},
    {"first_arm": 0},
    {"first_slot": 257},
    {"first_drive": 17},
    {"first_import_export": 1},
    {"vendor": "VENDORNAME"},
    {"product": ""},
    {"serial": "tab\t"},
    {"drive_product": "größe"},
)


def test_configurations_that_cannot_be() -> None:
    for wrong in WRONG:
        with pytest.raises(ValueError, match=r"address|at least|ASCII"):
            Configuration(**wrong)  # type: ignore[arg-type]
    assert Configuration(import_exports=0).drive_serial(1)[8:] == "01"


Change = Callable[[dict[str, Any]], object]
DAMAGE: tuple[Change, ...] = (
    lambda library: library.pop("format"),
    lambda library: library.update(format=2),
    lambda library: library.pop("configuration"),
    lambda library: library.update(configuration=7),
    lambda library: library.update(configuration={}),
    lambda library: library["configuration"].update(slots="4"),
    lambda library: library["configuration"].update(slots=0),
    lambda library: library["configuration"].update(shelves=4),
    lambda library: library["configuration"].pop("serial"),
    lambda library: library["configuration"].update(serial=7),
    lambda library: library.update(cartridges=[{"barcode": "A"}]),
    lambda library: library.update(cartridges=[volume("A", 7)]),
    lambda library: library.update(cartridges=[volume("A", 1)]),
    lambda library: library.update(cartridges=[volume("A", SLOT, source=7)]),
    lambda library: library.update(cartridges=[volume("../A", SLOT)]),
    lambda library: library.update(cartridges=[volume("A", SLOT, kind="soap")]),
    lambda library: library.update(cartridges=[volume("A", SLOT), volume("A", SLOT + 1)]),
    lambda library: library.update(cartridges=[volume("A", SLOT), volume("B", SLOT)]),
    lambda library: library.update(cartridges=7),
)


def volume(barcode: str, at: int, *, source: int | None = None, kind: str = "data") -> dict[str, object]:
    """A cartridge as the file has it."""
    return {"barcode": barcode, "kind": kind, "at": at, "source": source}


def test_nothing_is_guessed_from_a_damaged_file(tmp_path: Path) -> None:
    with small_library(tmp_path):
        pass
    whole = (tmp_path / INVENTORY_FILE).read_text()
    damaged = [""]
    for change in DAMAGE:
        document = json.loads(whole)
        change(document)
        damaged.append(json.dumps(document))
    damaged += [whole[:end] for end in range(0, len(whole) - 2, 40)] + ["[]", "null", "7", "[" * 100000]
    for text in damaged:
        (tmp_path / INVENTORY_FILE).write_text(text)
        with pytest.raises(errors.CorruptLibrary):
            open_library(tmp_path)
    (tmp_path / INVENTORY_FILE).write_text(whole)
    with small_library(tmp_path) as library:
        assert where(library) == START


MOVER = """
import sys
from pathlib import Path
from scsi.virtual.library import open_library
library = open_library(Path(sys.argv[1]))
print("ready", flush=True)
places = [1024, 256, 1027, 16]
while True:
    for source, destination in zip(places, places[1:] + places[:1]):
        library.move(source, destination)
    print("round", flush=True)
"""


def test_killed_at_any_moment_each_cartridge_is_in_one_place(tmp_path: Path) -> None:
    with small_library(tmp_path):
        pass
    for rounds in range(6):
        command = [sys.executable, "-c", MOVER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as mover:
            assert mover.stdout is not None
            for _ in range(rounds + 1):
                assert mover.stdout.readline()
            mover.kill()
            mover.wait(DEADLINE)
        with small_library(tmp_path) as library:
            assert sorted(where(library).values()) == ["CLN001", "VT0001", "VT0002"]
            (at,) = (address for address, barcode in where(library).items() if barcode == "VT0001")
            if at != SLOT:
                library.move(at, SLOT)


def test_a_move_that_cannot_be_written_did_not_happen(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        (tmp_path / f"{INVENTORY_FILE}.new").mkdir()
        with pytest.raises(errors.HardwareError):
            library.move(SLOT, DRIVE)
        assert where(library) == START
        os.rmdir(tmp_path / f"{INVENTORY_FILE}.new")
        library.move(SLOT, DRIVE)
    with small_library(tmp_path) as library:
        assert where(library) == {DRIVE: "VT0001", SLOT + 1: "VT0002", SLOT + 2: "CLN001"}


def test_many_threads_move_and_lose_nothing(tmp_path: Path) -> None:
    create_library(
        tmp_path, Configuration(4, 8, 4), volumes=[NewVolume(f"V{n}", capacity_bytes=1000) for n in range(8)]
    )
    failures = list[BaseException]()

    def shuffle(library: Library, number: int) -> None:
        places = [SLOT + number, DRIVE + number, DOOR + number]
        try:
            for step in range(12):
                library.move(places[step % 3], places[(step + 1) % 3])
                with pytest.raises(errors.DestinationFull):
                    library.move(SLOT + 7, SLOT + 6)
        except BaseException as error:  # noqa: BLE001 (told to the test)
            failures.append(error)

    with open_library(tmp_path) as library:
        threads = [threading.Thread(target=shuffle, args=(library, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert not failures
        assert where(library) == {SLOT + number: f"V{number}" for number in range(8)}
    with open_library(tmp_path) as library:
        assert where(library) == {SLOT + number: f"V{number}" for number in range(8)}


def test_who_waits_for_the_library_waits_no_longer_than_told(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(library: Library) -> None:
        with library.exclusive():
            entered.set()
            assert leave.wait(DEADLINE)

    with small_library(tmp_path) as library:
        holder = threading.Thread(target=hold, args=(library,))
        holder.start()
        assert entered.wait(DEADLINE)
        with pytest.raises(errors.CommandTimeout), library.exclusive(0.001):
            pass
        leave.set()
        with library.exclusive(DEADLINE):
            pass
        holder.join(DEADLINE)


def test_urls(tmp_path: Path) -> None:
    url = parse_library_url(f"virtual-library:{tmp_path}/lib?drives=1&slots=3&cartridges=2&capacity=10K&sync=no")
    ensure_library(url)
    with open_library_url(url) as library:
        assert where(library) == {SLOT: "VT0001L8", SLOT + 1: "VT0002L8"}
        assert [len(addresses) for addresses in library.configuration.ranges().values()] == [1, 2, 1, 3]
    assert cartridge_header(tmp_path / "lib" / "VT0001L8") == Header(10 << 10, 1 << 10)
    with open_library_url(parse_library_url(f"virtual-library:{tmp_path}/lib?drives=7")) as library:
        assert library.configuration.drives == 1
    for wrong in (
        "virtual:/x",
        "virtual-library:",
        "virtual-library:?drives=1",
        "virtual-library:/x?drives=0",
        "virtual-library:/x?drives=70000",
        "virtual-library:/x?drives=-1",
        "virtual-library:/x?slots=3&cartridges=4",
        "virtual-library:/x?slots=3&slots=3",
        "virtual-library:/x?shelves=3",
        "virtual-library:/x?sync=maybe",
        "virtual-library:/x?capacity=0",
        "virtual-library:/x?capacity=99999999999T",
    ):
        with pytest.raises(errors.DeviceUrlError):
            parse_library_url(wrong)
