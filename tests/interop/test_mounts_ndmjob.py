"""Volumes into drives by the robot that ndmjob simulates, and by its drives, which nobody here wrote."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.peers import Namespace, NdmjobDaemon

DRIVE, ARM, SLOT = 128, 16, 1024
SHELF = {SLOT: "RV01", SLOT + 1: "RV02", SLOT + 2: "RV03"}
_ELEMENT = struct.Struct("iii32s32s")
_ORDER = [ARM, *range(SLOT, SLOT + 10), 0, 1, DRIVE, DRIVE + 1]
"""The elements in the robot's own file, ``state``: full, kind of medium, source, and two tags each."""


class Robot:
    """The simulated robot: a directory with a file for each cartridge, named by where it is."""

    def __init__(self, daemon: NdmjobDaemon, cartridges: Mapping[int, str]) -> None:
        self._namespace: Namespace = daemon.namespace
        self.directory = daemon.tape.parent / "robot"
        self.directory.mkdir()
        self.put(cartridges)
        for address in cartridges:
            self.file(address).touch()

    def put(self, cartridges: Mapping[int, str]) -> None:
        """Write the robot's state."""
        elements = (
            _ELEMENT.pack(address in cartridges, 1, 0, cartridges.get(address, "").ljust(32).encode(), b" " * 32)
            for address in _ORDER
        )
        (self.directory / "state").write_bytes(b"".join(elements))

    def file(self, address: int) -> Path:
        """The file of the cartridge that is there."""
        kind, first = ("slot", SLOT) if address >= SLOT else ("drive", DRIVE)
        return self.directory / f"{kind}{address - first}"

    def shelves(self) -> dict[int, str]:
        """Barcodes by element, from the robot's own file."""
        elements = zip(_ORDER, _ELEMENT.iter_unpack((self.directory / "state").read_bytes()), strict=True)
        return {address: tag.decode().rstrip() for address, (full, _, _, tag, _) in elements if full}

    def run(self, *steps: str) -> list[dict[str, Any]]:
        """What came of these steps, all in one process."""
        library = f"ndmp://{NdmjobDaemon.user}@127.0.0.1:10000/{self.directory}"
        drives = ",".join(f"{library}/drive{number}" for number in range(2))
        words = (NdmjobDaemon.password, "0.2", library, drives)
        program = [sys.executable, "-m", "tests.interop.mounting", *words, *steps]
        return list(json.loads(self._namespace.run(program).stdout))


def test_volumes_come_and_go(ndmjob: NdmjobDaemon) -> None:
    robot = Robot(ndmjob, SHELF)
    files = {name: robot.file(address).stat().st_ino for address, name in SHELF.items()}
    assert robot.run("inventory") == [{str(address): name for address, name in SHELF.items()}]
    (mounted,) = robot.run("mount:0:RV01")
    assert mounted == {
        "status": 0,
        "notes": ["RV01 was carried from slot 1024 to drive 128", "volume RV01 is in drive d0"],
    }
    assert robot.shelves() == {DRIVE: "RV01", SLOT + 1: "RV02", SLOT + 2: "RV03"}
    assert robot.file(DRIVE).stat().st_ino == files["RV01"]
    dismounted, again, other = robot.run("dismount:0", "dismount:0", "mount:0:RV02")
    assert [each["status"] for each in (dismounted, again, other)] == [0, 0, 0]
    assert again["notes"] == []
    assert robot.shelves() == {SLOT: "RV01", DRIVE: "RV02", SLOT + 2: "RV03"}
    changed, fetched = robot.run("mount:0:RV03", "mount:1:RV03")
    assert changed["notes"][0] == "RV02 was carried from drive 128 to slot 1025"
    assert fetched["notes"][0] == "RV03 was carried from drive 128 to drive 129"
    assert robot.shelves() == {SLOT: "RV01", SLOT + 1: "RV02", DRIVE + 1: "RV03"}
    assert robot.file(DRIVE + 1).stat().st_ino == files["RV03"]
    assert not list(robot.directory.glob("*.lck")), "no drive was left open"


def test_what_cannot_be_mounted(ndmjob: NdmjobDaemon) -> None:
    robot = Robot(ndmjob, SHELF | {DRIVE: "RV09"})
    missing, none = robot.run("mount:0:RV04", "mount:1:")
    assert (missing["status"], none["status"]) == (96, 96)
    assert "volume RV04 is not in library sim" in missing["reason"]
    # A session that died leaves the drive locked here: it is waited for, and named.
    lock = robot.directory / "drive0.lck"
    lock.touch()
    (busy,) = robot.run("mount:0:RV01")
    assert (busy["status"], "drive d0" in busy["reason"], "in use" in busy["reason"]) == (83, True, True), busy
    assert robot.shelves() == SHELF | {DRIVE: "RV09"}
    lock.unlink()
    assert robot.run("mount:0:RV01")[0]["status"] == 0
    assert robot.shelves() == {DRIVE: "RV01", SLOT + 1: "RV02", SLOT + 2: "RV03", SLOT + 3: "RV09"}


def test_a_barcode_that_cannot_be_read(ndmjob: NdmjobDaemon) -> None:
    """The tape's own label counts in the drive; elsewhere it is told that such a cartridge is there."""
    robot = Robot(ndmjob, {DRIVE: "", SLOT: "RV01", SLOT + 1: ""})
    blank, labelled, mounted, missing, other, gone = robot.run(
        "mount:0:RV0007", "label:0:RV0007", "mount:0:RV0007", "mount:0:RV0008", "mount:0:RV01", "mount:0:RV0007"
    )
    assert labelled["status"] == mounted["status"] == other["status"] == 0
    assert mounted["notes"] == ["volume RV0007 is in drive d0"]
    for refusal in (blank, missing, gone):
        assert refusal["status"] == 96
        assert "barcode cannot be read" in refusal["reason"]
    assert "drive 128, slot 1025" in ", ".join(sorted(missing["reason"].rpartition(": ")[2].split(", ")))
    assert other["notes"][0] == "a cartridge without a readable barcode was carried from drive 128 to slot 1026"
    assert robot.shelves() == {DRIVE: "RV01", SLOT + 1: "", SLOT + 2: ""}


def test_a_full_library(ndmjob: NdmjobDaemon) -> None:
    """This robot cannot exchange, and has no place to put one down."""
    full = {SLOT + number: f"RV{number:02}" for number in range(10)}
    robot = Robot(ndmjob, full | {DRIVE: "RV10"})
    mounting, dismounting = robot.run("mount:0:RV01", "dismount:0")
    assert mounting["status"] == dismounting["status"] == 164
    assert "no slot is free" in mounting["reason"]
    assert "no slot is free for RV10 in drive 128" in dismounting["reason"]
    assert robot.shelves() == full | {DRIVE: "RV10"}
    assert robot.run("mount:1:RV01")[0]["status"] == 0


def test_a_robot_that_fails(ndmjob: NdmjobDaemon) -> None:
    robot = Robot(ndmjob, SHELF)
    obstacle = robot.file(DRIVE)
    obstacle.mkdir()
    (failed,) = robot.run("mount:0:RV01")
    assert failed["status"] == 164
    assert "05/21/01" in failed["reason"]
    assert robot.shelves() == SHELF
    obstacle.rmdir()
    assert robot.run("mount:0:RV01")[0]["status"] == 0


def test_a_gripper_that_this_robot_cannot_empty(ndmjob: NdmjobDaemon) -> None:
    robot = Robot(ndmjob, {SLOT: "RV01"})
    robot.put({SLOT: "RV01", ARM: "RV02"})
    (failed,) = robot.run("mount:0:RV01")
    assert failed["status"] == 164
    assert "may still be in the gripper, arm 16: take it out by hand" in failed["reason"]
    assert robot.shelves() == {SLOT: "RV01", ARM: "RV02"}


def test_this_robot_is_never_busy(ndmjob: NdmjobDaemon) -> None:
    """Two sessions have it at once, against draft 3.3.1; what keeps two jobs apart is in the catalog."""
    assert Robot(ndmjob, SHELF).run("twice") == [{"status": 0, "notes": []}]
