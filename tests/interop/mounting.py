"""A program for a namespace: volumes into the drives of ndmjob's robot, and what came of each step, as JSON.

``python -m tests.interop.mounting ROBOT STEP...``; a step is mount:DRIVE:VOLUME, dismount:DRIVE, label:DRIVE:VOLUME,
inventory, or twice, which opens the robot in two sessions.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from duplicator.credentials import Secret
from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.hostlink import open_session
from duplicator.mounts.robot import RobotMounts
from duplicator.plan import Deadlines, Place
from duplicator.status import JobError
from duplicator.tape_side import TapeSide
from duplicator.urls import NdmpUrl
from ndmp.aio.methods import ScsiMethods
from ndmp.enums import TapeOpenMode
from tests.peers import NdmjobDaemon

DEADLINES = Deadlines(mount=0.2)


def _url(path: str) -> NdmpUrl:
    return NdmpUrl(NdmjobDaemon.user, "127.0.0.1", 10000, path)


def _place(url: NdmpUrl) -> Place:
    return Place(url, Secret(NdmjobDaemon.password))


class _Program:
    def __init__(self, robot: str) -> None:
        library = LibrarySpec("sim", _url(robot))
        self._robot = robot
        self._drives = [DriveSpec(f"d{number}", _url(f"{robot}/drive{number}"), "sim", number) for number in range(2)]
        self._mounts = RobotMounts(library, drives=self._drives, place_of=_place, deadlines=DEADLINES)
        self._notes = list[str]()

    async def run(self, step: str) -> dict[str, Any]:
        verb, _, rest = step.partition(":")
        number, _, volume = rest.partition(":")
        drive = self._drives[int(number or 0)]
        self._notes.clear()
        try:
            if verb == "mount":
                await self._mounts.mount(drive, volume, note=self._notes.append)
            elif verb == "dismount":
                await self._mounts.dismount(drive, note=self._notes.append)
            elif verb == "label":
                await _label(drive, volume)
            elif verb == "twice":
                await self._twice()
            else:
                found = await self._mounts.inventory()
                return {str(each.address): each.barcode for each in found.elements if each.full}
        except JobError as error:
            return {"status": int(error.status), "reason": error.reason, "notes": [*self._notes]}
        return {"status": 0, "notes": [*self._notes]}

    async def _twice(self) -> None:
        async with open_session(_place(_url("")), DEADLINES) as one, open_session(_place(_url("")), DEADLINES) as two:
            await ScsiMethods(one).open(self._robot)
            await ScsiMethods(two).open(self._robot)


async def _label(drive: DriveSpec, volume: str) -> None:
    async with open_session(_place(drive.url), DEADLINES) as session:
        tape = TapeSide(session)
        await tape.open(TapeOpenMode.RDWR)
        await tape.label_volume(volume)
        await tape.close()


async def _main(robot: str, steps: list[str]) -> None:
    program = _Program(robot)
    json.dump([await program.run(step) for step in steps], sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2:]))
