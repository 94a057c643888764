"""A program that mounts a volume and says when the robot has its command: ``python -m ... LIBRARY DRIVE VOLUME``."""

from __future__ import annotations

import asyncio
import sys
from typing import TypeVar

from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.hostlink import HostSession
from duplicator.mounts.robot import RobotMounts
from duplicator.urls import NdmpUrl
from ndmp.messages.scsi import ScsiExecuteCdb
from ndmp.wire import Reply, Request
from scsi.smc import MoveMedium
from tests.duplicator.mounts.rig import place_of

R = TypeVar("R", bound=Reply)

_call = HostSession.call


async def _telling(session: HostSession, request: Request[R], *, deadline: float | None = None) -> R:
    calling = asyncio.ensure_future(_call(session, request, deadline=deadline))
    if isinstance(request, ScsiExecuteCdb) and request.cdb[0] == MoveMedium.operation_code:
        await asyncio.sleep(0)  # in which it is sent
        sys.stderr.write("moving\n")
    return await calling


async def _mount(library: str, drive: str, volume: str) -> None:
    place = DriveSpec("d0", NdmpUrl.parse(drive), "lib", 0)
    mounts = RobotMounts(LibrarySpec("lib", NdmpUrl.parse(library)), drives=[place], place_of=place_of)
    await mounts.mount(place, volume, note=print)


if __name__ == "__main__":
    HostSession.call = _telling  # type: ignore[method-assign]
    asyncio.run(_mount(*sys.argv[1:]))
