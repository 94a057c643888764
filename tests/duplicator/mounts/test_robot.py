"""A robot behind NDMP brings volumes into drives: `ndmpdup serve` with a virtual library, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.drives import LibrarySpec
from duplicator.hostlink import HostSession, open_session
from duplicator.mounts.protocol import volume_of
from duplicator.mounts.robot import RobotMounts
from duplicator.plan import Deadlines
from duplicator.tape_side import TapeSide
from duplicator.urls import NdmpUrl
from ndmp.aio.methods import ScsiMethods, TapeMethods
from ndmp.enums import TapeOpenMode, TapeOperation
from ndmp.errors import ReplyError
from scsi.elements import ElementType, MediumType
from scsi.virtual.library import NewVolume, open_library
from tests.duplicator.mounts.rig import DOOR, DRIVE, SLOT, LibraryRig, place_of, refused
from tests.duplicator.processes import Site, site_in

HOME = {SLOT: "VT0001L8", SLOT + 1: "VT0002L8", SLOT + 2: "VT0003L8"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


@pytest.fixture
def rig(site: Site) -> LibraryRig:
    return LibraryRig(site)


def test_a_barcode_names_a_volume() -> None:
    cases = {"VT0001L8": "VT0001", "VT0001": "VT0001", "ND0002  ": "ND0002", "AB1": "AB1", "": ""}
    assert {barcode: volume_of(barcode) for barcode in cases} == cases


def test_volumes_come_and_go(rig: LibraryRig) -> None:
    """What was in the drive goes home; each line of the log is a movement, or says that the volume is there."""
    rig.mount("VT0001")
    assert rig.shelves() == {DRIVE: "VT0001L8", SLOT + 1: "VT0002L8", SLOT + 2: "VT0003L8"}
    assert rig.notes == ["VT0001L8 was carried from slot 1024 to drive 256", "volume VT0001 is in drive d0"]
    rig.notes.clear()
    rig.mount("VT0002")
    assert rig.shelves() == {SLOT: "VT0001L8", DRIVE: "VT0002L8", SLOT + 2: "VT0003L8"}
    assert rig.notes == [
        "VT0001L8 was carried from drive 256 to slot 1024",
        "VT0002L8 was carried from slot 1025 to drive 256",
        "volume VT0002 is in drive d0",
    ]
    rig.notes.clear()
    rig.mount("VT0002")
    rig.mount(None)
    assert rig.notes == ["volume VT0002 is in drive d0", "the tape is in drive d0"]
    rig.dismount()
    assert rig.shelves() == HOME
    rig.dismount()
    assert rig.shelves() == HOME


def test_the_inventory(rig: LibraryRig) -> None:
    rig.mount("VT0002", 1)
    found = asyncio.run(rig.mounts().inventory())
    full = {each.address: each.barcode for each in found.elements if each.full}
    assert full == rig.shelves()
    assert found.at(DRIVE + 1).source == SLOT + 1
    counts = {kind: len(found.of(kind)) for kind in ElementType}
    assert counts == {0: 0, ElementType.ARM: 1, ElementType.SLOT: 4, ElementType.IMPORT_EXPORT: 2, ElementType.DRIVE: 2}


def test_a_volume_in_another_drive_is_fetched(rig: LibraryRig) -> None:
    rig.mount("VT0001", 0)
    rig.mount("VT0002", 1)
    rig.mount("VT0001", 1)
    assert rig.shelves() == {SLOT + 1: "VT0002L8", DRIVE + 1: "VT0001L8", SLOT + 2: "VT0003L8"}
    rig.dismount(1)
    assert rig.shelves() == HOME


def test_a_volume_that_is_not_there(rig: LibraryRig) -> None:
    rig.mount("VT0001")
    mounts = rig.mounts(last_seen=lambda volume: f"{volume} in the vault")
    error = refused(mounts.mount(rig.drive(0), "ND0009", note=rig.note), 96, "library lib", "ND0009 in the vault")
    assert error.step == "write side: mount"
    for name in ("", "VT000", "vt0001", "VT0001L8"):
        refused(mounts.mount(rig.drive(0), name, note=rig.note), 96)
    refused(mounts.mount(rig.drive(1), None, note=rig.note), 96, "d1 is empty")
    assert rig.shelves() == {DRIVE: "VT0001L8", SLOT + 1: "VT0002L8", SLOT + 2: "VT0003L8"}


def insert(rig: LibraryRig, barcode: str, *, to: int | None = None, medium: MediumType = MediumType.DATA) -> None:
    """An operator puts a cartridge into the door, and perhaps on to an element, while the host is down."""
    rig.host.stop()
    with open_library(rig.directory) as library:
        address = library.insert(NewVolume(barcode, medium, capacity_bytes=1 << 20))
        if to is not None:
            library.move(address, to)
    rig.serve()


def test_a_full_library_changes_them_over(site: Site) -> None:
    """Where no slot is free, the new volume's own is, once it has left; nothing helps a drive that is to be emptied."""
    rig = LibraryRig(site, slots=2, cartridges=2)
    rig.mount("VT0001")
    insert(rig, "VT0003L8", to=SLOT)
    assert rig.shelves() == {DRIVE: "VT0001L8", SLOT: "VT0003L8", SLOT + 1: "VT0002L8"}
    rig.mount("VT0002")
    assert rig.shelves() == {DRIVE: "VT0002L8", SLOT: "VT0003L8", SLOT + 1: "VT0001L8"}
    assert "VT0001L8 and VT0002L8 have changed places: no slot was free" in rig.notes
    refused(rig.mounts().dismount(rig.drive(0), note=rig.note), 164, "no slot is free for VT0002L8", "export")
    assert rig.shelves() == {DRIVE: "VT0002L8", SLOT: "VT0003L8", SLOT + 1: "VT0001L8"}


def test_a_volume_in_the_door(rig: LibraryRig) -> None:
    """It is taken from there, and goes to a slot afterwards: nobody waits for it at the door."""
    insert(rig, "ND0001L8")
    rig.mount("ND0001")
    assert rig.shelves() == HOME | {DRIVE: "ND0001L8"}
    rig.dismount()
    assert rig.shelves() == HOME | {SLOT + 3: "ND0001L8"}


def test_a_cleaning_cartridge_is_no_volume(rig: LibraryRig) -> None:
    insert(rig, "CLNU01CU", medium=MediumType.CLEANING)
    refused(rig.mounts().mount(rig.drive(0), "CLNU01", note=rig.note), 96)


def test_two_cartridges_of_one_name(rig: LibraryRig) -> None:
    insert(rig, "VT0001L7")
    work = rig.mounts().mount(rig.drive(0), "VT0001", note=rig.note)
    refused(work, 164, "VT0001L8 in slot 1024", f"VT0001L7 in import/export {DOOR}")
    assert DRIVE not in rig.shelves()


def test_a_robot_in_use_is_waited_for(rig: LibraryRig) -> None:
    async def meanwhile(*, leaves: bool) -> None:
        said = asyncio.Event()

        def note(words: str) -> None:
            rig.note(words)
            said.set()

        async with other_session(rig) as session:
            robot = ScsiMethods(session)
            await robot.open("lib")
            mounts = rig.mounts(seconds=20.0 if leaves else 0.2)
            mounting = asyncio.create_task(mounts.mount(rig.drive(0), "VT0001", note=note))
            await said.wait()
            if leaves:
                await robot.close()
            await mounting

    refused(meanwhile(leaves=False), 83, "library lib", "in use by another session for 0.2 s", "end that session")
    assert rig.shelves() == HOME
    rig.notes.clear()
    asyncio.run(meanwhile(leaves=True))
    assert "is in use; it is waited for up to 20 s" in rig.notes[0]
    assert rig.shelves()[DRIVE] == "VT0001L8"


def other_session(rig: LibraryRig) -> contextlib.AbstractAsyncContextManager[HostSession]:
    return open_session(place_of(rig.library.url), Deadlines())


def test_a_tape_that_was_given_out(rig: LibraryRig) -> None:
    """It is in the drive already, as after a dismount that went no further: the drive draws it in again."""
    rig.mount("VT0001")

    async def give_out() -> None:
        async with open_session(place_of(rig.drive(0).url), Deadlines()) as session:
            methods = TapeMethods(session)
            await methods.open("lib.drive0", TapeOpenMode.READ)
            await methods.move(TapeOperation.OFF)
            await methods.close()
            with pytest.raises(ReplyError):
                await methods.open("lib.drive0", TapeOpenMode.READ)

    for volume in ("VT0001", None):
        asyncio.run(give_out())
        rig.notes.clear()
        rig.mount(volume, seconds=0.2)
        assert len(rig.notes) == 1, "nothing was carried"


def test_a_drive_in_use_keeps_its_tape(rig: LibraryRig) -> None:
    """A drive that somebody works with is not emptied, nor is its volume taken for another drive."""
    rig.mount("VT0001")

    async def meanwhile(number: int, volume: str) -> None:
        place = place_of(rig.drive(0).url)
        async with open_session(place, Deadlines()) as session:
            tape = TapeSide(session)
            await tape.open(TapeOpenMode.READ)
            await rig.mounts(seconds=0.2).mount(rig.drive(number), volume, note=rig.note)

    for number, volume in ((0, "VT0002"), (1, "VT0001")):
        refused(meanwhile(number, volume), 83, "drive d0", "in use")
        assert rig.shelves()[DRIVE] == "VT0001L8"
    rig.mount("VT0002")
    # Nobody who knows the drive is there to ask it: the robot itself says that the tape is in use.
    rig.mount("VT0001", 1)

    async def unknown() -> None:
        async with open_session(place_of(rig.drive(1).url), Deadlines()) as session:
            tape = TapeSide(session)
            await tape.open(TapeOpenMode.READ)
            mounts = rig.mounts(drives=[rig.drive(0)])
            await mounts.mount(rig.drive(0), "VT0001", note=rig.note)

    refused(unknown(), 164, "05/53/02")
    assert rig.shelves()[DRIVE + 1] == "VT0001L8"


def test_a_configuration_that_is_wrong(rig: LibraryRig) -> None:
    """A drive of another number, a drive that is not there, a changer that is not there, a wrong host."""
    crossed = rig.drive(0, device=1)
    work = rig.mounts(seconds=0.2, drives=[crossed]).mount(crossed, "VT0001", note=rig.note)
    refused(work, 83, "d0 (lib.drive1) has no tape", "into drive 256", "correct the number 0")
    refused(rig.mounts().mount(rig.drive(7, device=0), "VT0002", note=rig.note), 164, "has 2 drives")
    nowhere = rig.drive(1, device=7)
    refused(rig.mounts().mount(nowhere, "VT0002", note=rig.note), 83, "NO_DEVICE", "d1")

    def elsewhere(url: str) -> RobotMounts:
        return RobotMounts(LibrarySpec("lib", NdmpUrl.parse(url)), drives=[rig.drive(0)], place_of=place_of)

    refused(elsewhere(rig.host.url("robot")).inventory(), 83, "NO_DEVICE to ScsiOpen", "library lib")
    address = rig.host.address
    rig.host.stop()
    refused(elsewhere(f"ndmp://backup@{address}/lib").inventory(), 54, address.rpartition(":")[2])


def test_two_at_once(rig: LibraryRig) -> None:
    """One after the other in one process, and by turns in two: each drive has its volume."""

    async def both(*, apart: bool) -> None:
        mounts = rig.mounts()
        other = rig.mounts() if apart else mounts
        await asyncio.gather(
            mounts.mount(rig.drive(0), "VT0002" if apart else "VT0001", note=rig.note),
            other.mount(rig.drive(1), "VT0003", note=rig.note),
        )

    asyncio.run(both(apart=False))
    assert rig.shelves() == {DRIVE: "VT0001L8", DRIVE + 1: "VT0003L8", SLOT + 1: "VT0002L8"}
    rig.dismount(1)
    asyncio.run(both(apart=True))
    assert rig.shelves() == {SLOT: "VT0001L8", DRIVE + 1: "VT0003L8", DRIVE: "VT0002L8"}
