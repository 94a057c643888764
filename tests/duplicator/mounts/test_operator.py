"""An operator brings volumes to a drive without a robot, which is a served virtual one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from duplicator.drives import DriveSpec
from duplicator.hostlink import open_session
from duplicator.mounts.operator import OperatorMounts
from duplicator.plan import Deadlines
from duplicator.tape_side import TapeSide
from duplicator.urls import NdmpUrl
from duplicator.volume_labels import VolumeLabel
from ndmp.enums import TapeOpenMode
from scsi.virtual.drive import open_cartridge
from scsi.virtual.image import create_cartridge
from tests.duplicator.mounts.rig import place_of, refused
from tests.duplicator.processes import Site, site_in

VOL1 = "VOL1ND0002" + " " * 14 + "{:<13}" + " " * 42 + "4"
"""A volume label by ANSI X3.27, with the name of the system that wrote it."""


class Desk:
    """A drive, cartridges in folders of their own, and the link that says which one is in the drive."""

    def __init__(self, site: Site) -> None:
        self.folder = site.folder
        self.notes: list[str] = []
        self.asked: list[str] = []
        self._slot = self.folder / "drive"
        self.make("first")
        self.insert("first")
        self.host = site.serve("--tape", f"d1=virtual:{self._slot}/TAPE")
        self.drive = DriveSpec("d1", NdmpUrl.parse(self.host.url("d1")))

    def make(self, name: str, *blocks: bytes) -> None:
        """A cartridge with these blocks and a filemark, or a blank one."""
        folder = self.folder / name
        folder.mkdir()
        create_cartridge(folder / "TAPE", capacity_bytes=1 << 20, early_warning_bytes=0)
        if blocks:
            tape = open_cartridge(folder / "TAPE")
            for block in blocks:
                tape.write_blocks(memoryview(block), len(block))
            tape.write_filemarks(1)
            tape.close()

    def label(self, name: str, volume: str) -> None:
        """A cartridge with a label of ours."""
        self.make(name)
        self.insert(name)

        async def write() -> None:
            async with open_session(place_of(self.drive.url), Deadlines()) as session:
                tape = TapeSide(session)
                await tape.open(TapeOpenMode.RDWR)
                await tape.label_volume(volume)
                await tape.close()

        asyncio.run(write())

    def insert(self, name: str) -> None:
        """Change what is in the drive, at one stroke."""
        new = self.folder / "new"
        new.symlink_to(self.folder / name)
        new.rename(self._slot)

    def take_out(self) -> None:
        """Leave the drive empty."""
        self._slot.unlink()

    def mounts(
        self,
        *,
        seconds: float = 20.0,
        accept: Callable[[str | None, VolumeLabel | None], bool] | None = None,
    ) -> OperatorMounts:
        """What asks the operator."""
        return OperatorMounts(
            [self.drive],
            place_of=place_of,
            deadlines=Deadlines(mount=seconds),
            ask=self.asked.append,
            accept=accept,
            poll=0.05,
        )

    def mount(self, volume: str | None, *when: tuple[str, Callable[[], None]]) -> None:
        """Mount a volume; the operator does something when the job's log says something."""
        waiting = [*when]

        def note(words: str) -> None:
            self.notes.append(words)
            if waiting and waiting[0][0] in words:
                waiting.pop(0)[1]()

        asyncio.run(self.mounts().mount(self.drive, volume, note=note))
        assert not waiting, waiting

    def content(self, name: str) -> str:
        """What is on a cartridge."""
        return hashlib.sha256((self.folder / name / "TAPE.data").read_bytes()).hexdigest()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with site_in(tmp_path) as site:
        yield Desk(site)


def test_a_volume_is_asked_for_until_it_is_there(desk: Desk) -> None:
    """Blank, empty, foreign and wrong tapes are told, each once; nothing is written to any."""
    desk.label("wanted", "ND0002")
    desk.label("other", "ND0001")
    desk.make("tar", b"\0" * 257 + b"ustar".ljust(255))
    desk.make("namesake", VOL1.format("SOMEBODY ELSE").encode())
    names = ("first", "other", "tar", "namesake", "wanted")
    before = {name: desk.content(name) for name in names}
    desk.insert("first")
    desk.mount(
        "ND0002",
        ("a blank tape is in it; volume ND0002 is waited for", desk.take_out),
        ("the drive is empty", lambda: desk.insert("other")),
        ("volume ND0001", lambda: desk.insert("tar")),
        ("tar", lambda: desk.insert("namesake")),
        ("volume ND0002 (", lambda: desk.insert("wanted")),
    )
    assert desk.asked == ["mount volume ND0002 in drive d1 of host 127.0.0.1"]
    assert desk.notes[0] == desk.asked[0]
    assert len(desk.notes) == 7, desk.notes
    assert {name: desk.content(name) for name in names} == before


def test_what_is_there_already_is_not_asked_for(desk: Desk) -> None:
    desk.label("wanted", "ND0002")
    desk.mount("ND0002")
    desk.insert("first")
    desk.mount(None)
    assert desk.asked == []
    assert [note.partition(": ")[2].partition(" (")[0] for note in desk.notes] == [
        "volume ND0002",
        "a blank tape is in it",
    ]


def test_what_will_do_is_the_callers_matter(desk: Desk) -> None:
    """An appendable volume where none is named, or a blank tape that is to become the named one."""
    desk.label("appendable", "ND0005")

    def accept(volume: str | None, label: VolumeLabel | None) -> bool:
        return label is None if volume else label is not None and label.volume == "ND0005"

    def mount(volume: str | None) -> None:
        asyncio.run(desk.mounts(seconds=0.2, accept=accept).mount(desk.drive, volume, note=desk.notes.append))

    mount(None)
    refused(desk.mounts(seconds=0.2).mount(desk.drive, None, note=desk.notes.append), 93, "a blank tape or one with")
    desk.insert("first")
    mount("ND0002")


def test_nobody_comes(desk: Desk) -> None:
    """The status says what is wrong: the wrong tape, or none; the reason what to do."""

    def mount() -> Coroutine[Any, Any, None]:
        return desk.mounts(seconds=0.2).mount(desk.drive, "ND0002", note=desk.notes.append)

    refused(mount(), 93, "volume ND0002 did not come into drive d1", "within 0.2 s", "a blank tape", "mount it")
    desk.take_out()
    refused(mount(), 83, "the drive is empty")
    desk.insert("first")

    async def in_use() -> None:
        async with open_session(place_of(desk.drive.url), Deadlines()) as session:
            await TapeSide(session).open(TapeOpenMode.READ)
            await mount()

    refused(in_use(), 83, "the drive is in use")
    desk.host.stop()
    refused(mount(), 54)


def test_the_drive_is_told_to_give_its_tape_out(desk: Desk) -> None:
    desk.label("wanted", "ND0002")
    found = asyncio.run(desk.mounts().inventory())
    assert [(each.address, each.full, each.barcode) for each in found.elements] == [(0, True, "ND0002")]
    asyncio.run(desk.mounts().dismount(desk.drive, note=desk.notes.append))
    desk.take_out()
    asyncio.run(desk.mounts().dismount(desk.drive, note=desk.notes.append))
    found = asyncio.run(desk.mounts().inventory())
    assert [(each.address, each.full, each.barcode) for each in found.elements] == [(0, False, "")]
