"""A robot that fails on its way: the job says where the cartridge is, the gripper is emptied, the next mount works."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.mounts.robot import RobotMounts
from duplicator.status import JobError
from duplicator.urls import NdmpUrl
from tests.duplicator.mounts.jammed import ARM, serving
from tests.duplicator.mounts.rig import DRIVE, SLOT, place_of, shelves_in
from tests.duplicator.processes import USER

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


@pytest.mark.parametrize("name", CASES)
def test_a_jam(name: str, tmp_path: Path) -> None:
    case = CASES[name]

    async def run() -> None:
        async with serving(tmp_path / "library") as (robot, address):
            drive = DriveSpec("d0", NdmpUrl.parse(f"ndmp://{USER}@{address}/lib.drive0"), "lib", 0)
            library = LibrarySpec("lib", NdmpUrl.parse(f"ndmp://{USER}@{address}/lib"))
            mounts = RobotMounts(library, drives=[drive], place_of=place_of)
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
