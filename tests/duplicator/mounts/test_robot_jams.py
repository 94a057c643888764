"""A robot that fails on its way: the job says where the cartridge is, the gripper is emptied, the next mount works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.mounts.robot import RobotMounts
from duplicator.status import JobError
from duplicator.urls import NdmpUrl
from tests.duplicator.mounts.jammed import ARM, JammingChanger, serving
from tests.duplicator.mounts.rig import DRIVE, SLOT, place_of, shelves_in
from tests.duplicator.processes import DEADLINE, USER

HOME = {SLOT: "VT0001L8", SLOT + 1: "VT0002L8", SLOT + 2: "VT0003L8"}
GRIPPER = 17
"""Where the library's file has what the gripper holds."""


class Case(NamedTuple):
    """What becomes of the movements of a first mount, what it says, what is where, and how the next one moves."""

    jams: Sequence[str]
    says: str
    left: dict[int, str]
    next_volume: str
    moves: Sequence[tuple[int, int]]


WITHOUT = {SLOT + 1: "VT0002L8", SLOT + 2: "VT0003L8"}
CASES = {
    "not begun": Case(["stays"], "slot 1024 holds VT0001L8", HOME, "VT0001", [(SLOT, DRIVE)]),
    "all the way": Case(["there"], "drive 256 holds VT0001L8", WITHOUT | {DRIVE: "VT0001L8"}, "VT0001", []),
    "half way": Case(
        ["gripped"], "VT0001L8 was in the gripper, and is in slot 1024 now", HOME, "VT0001", [(SLOT, DRIVE)]
    ),
    "half way for good": Case(
        ["gripped", "stays"],
        "VT0001L8 may still be in the gripper, arm 1: take it out by hand",
        WITHOUT | {GRIPPER: "VT0001L8"},
        "VT0001",
        [(ARM, DRIVE)],
    ),
    "half way, and another is wanted": Case(
        ["gripped", "stays"],
        "arm 1 holds VT0001L8",
        WITHOUT | {GRIPPER: "VT0001L8"},
        "VT0002",
        [(ARM, SLOT), (SLOT + 1, DRIVE)],
    ),
}


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[tuple[JammingChanger, RobotMounts, DriveSpec]]:
    """The robot, what mounts by it, and its first drive."""
    async with serving(folder / "library") as (robot, address):
        drive = DriveSpec("d0", NdmpUrl.parse(f"ndmp://{USER}@{address}/lib.drive0"), "lib", 0)
        library = LibrarySpec("lib", NdmpUrl.parse(f"ndmp://{USER}@{address}/lib"))
        yield robot, RobotMounts(library, drives=[drive], place_of=place_of), drive


@pytest.mark.parametrize("name", CASES)
def test_a_jam(name: str, tmp_path: Path) -> None:
    case = CASES[name]

    async def run() -> None:
        async with stage(tmp_path) as (robot, mounts, drive):
            robot.jams = [*case.jams]
            with pytest.raises(JobError) as ended:
                await mounts.mount(drive, "VT0001", note=lambda _: None)
            assert ended.value.status == 164
            assert "(04/15/01)" in ended.value.reason
            assert case.says in ended.value.reason, ended.value
            assert shelves_in(tmp_path / "library") == case.left
            robot.moves.clear()
            await mounts.mount(drive, case.next_volume, note=lambda _: None)
            assert robot.moves == case.moves
            assert shelves_in(tmp_path / "library")[DRIVE] == f"{case.next_volume}L8"

    asyncio.run(run())


def test_a_drive_that_holds_its_tape(tmp_path: Path) -> None:
    """It gives the tape out before the robot comes for it."""

    async def run() -> None:
        async with stage(tmp_path) as (robot, mounts, drive):
            for volume in ("VT0001", "VT0002"):
                await mounts.mount(drive, volume, note=lambda _: None)
            await mounts.dismount(drive, note=lambda _: None)
            assert robot.moves == [(SLOT, DRIVE), (DRIVE, SLOT), (SLOT + 1, DRIVE), (DRIVE, SLOT + 1)]
        assert shelves_in(tmp_path / "library") == HOME

    asyncio.run(run())


def test_cancelled_in_mid_motion(tmp_path: Path) -> None:
    """The movement that was begun comes to its end before the job does, and no other is begun."""
    may_end = threading.Event()

    async def run() -> None:
        async with stage(tmp_path) as (robot, mounts, drive):
            await mounts.mount(drive, "VT0001", note=lambda _: None)
            robot.moves.clear()
            loop, moving = asyncio.get_running_loop(), asyncio.Event()

            def begins() -> None:
                loop.call_soon_threadsafe(moving.set)
                assert may_end.wait(DEADLINE)

            robot.begins = begins
            mounting = asyncio.create_task(mounts.mount(drive, "VT0002", note=lambda _: None))
            await moving.wait()
            mounting.cancel()
            loop.call_soon(may_end.set)
            with pytest.raises(asyncio.CancelledError):
                await mounting
            assert robot.moves == [(DRIVE, SLOT)]
            assert shelves_in(tmp_path / "library") == HOME
            await mounts.mount(drive, "VT0002", note=lambda _: None)
            assert robot.moves == [(DRIVE, SLOT), (SLOT + 1, DRIVE)]

    asyncio.run(run())
