"""A program for a namespace: volumes into the drives of a library, and what came of each step, as JSON.

``python -m tests.interop.mounting PASSWORD SECONDS LIBRARY-URL DRIVE-URL,... STEP...``, where SECONDS are the mount
deadline. A step is mount:DRIVE:VOLUME, dismount:DRIVE, label:DRIVE:VOLUME, inventory, or twice, which opens the robot
in two sessions.
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


class _Program:
    def __init__(self, password: str, deadlines: Deadlines, library: str, drives: list[str]) -> None:
        self._secret = Secret(password)
        self._deadlines = deadlines
        self._library = LibrarySpec("sim", NdmpUrl.parse(library))
        self._drives = [DriveSpec(f"d{number}", NdmpUrl.parse(url), "sim", number) for number, url in enumerate(drives)]
        self._mounts = RobotMounts(self._library, drives=self._drives, place_of=self._place, deadlines=deadlines)
        self._notes = list[str]()

    def _place(self, url: NdmpUrl) -> Place:
        return Place(url, self._secret)

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
                await self._label(drive, volume)
            elif verb == "twice":
                await self._twice()
            else:
                found = await self._mounts.inventory()
                return {str(each.address): each.barcode for each in found.elements if each.full}
        except JobError as error:
            return {"status": int(error.status), "reason": error.reason, "notes": [*self._notes]}
        return {"status": 0, "notes": [*self._notes]}

    async def _twice(self) -> None:
        place = self._place(self._library.url)
        async with open_session(place, self._deadlines) as one, open_session(place, self._deadlines) as two:
            await ScsiMethods(one).open(place.url.path)
            await ScsiMethods(two).open(place.url.path)

    async def _label(self, drive: DriveSpec, volume: str) -> None:
        async with open_session(self._place(drive.url), self._deadlines) as session:
            tape = TapeSide(session)
            await tape.open(TapeOpenMode.RDWR)
            await tape.label_volume(volume)
            await tape.close()


async def _main(password: str, seconds: str, library: str, drives: str, *steps: str) -> None:
    program = _Program(password, Deadlines(mount=float(seconds)), library, drives.split(","))
    json.dump([await program.run(step) for step in steps], sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
