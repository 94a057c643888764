"""The process that keeps the objects of one transaction on a disk unit: disk writer."""

from __future__ import annotations

import asyncio
from typing import Final

from duplicator.status import JobError
from duplicator.xbsa.channel import ChannelBroken, ReceivingEnd, offer_receiving
from duplicator.xbsa.server.choosing import choose_writer
from duplicator.xbsa.server.door import DataDoor, NobodyCame
from duplicator.xbsa.server.orders import (
    Abandon,
    Abandoned,
    Broken,
    Commit,
    Described,
    DescribeObject,
    Failed,
    Kept,
    Listening,
    Moved,
    Shown,
    TakeObject,
    WriteOrder,
)
from duplicator.xbsa.server.processes import Parent, run_child
from duplicator.xbsa.server.roles import ObjectWriter

__all__ = ["main"]

_INTERVAL: Final = 1.0
"""Seconds between two reports of how far it is."""


def main() -> None:
    """Run it."""
    run_child(WriteOrder, _write)


async def _write(order: WriteOrder, parent: Parent) -> None:
    door = DataDoor(order.place)
    parent.tell(Listening())
    try:
        async with choose_writer(order) as writer:
            await _Writing(order, parent, door, writer).obey()
    except JobError as error:
        parent.tell(Failed(int(error.status), str(error)))
        await asyncio.Event().wait()


class _Writing:
    def __init__(self, order: WriteOrder, parent: Parent, door: DataDoor, writer: ObjectWriter) -> None:
        self._order = order
        self._parent = parent
        self._door = door
        self._writer = writer
        self._shown = False

    async def obey(self) -> None:
        """Do what the manager says until it cuts the lifeline; what is not shown then is removed."""
        try:
            while True:
                command = await self._parent.order(TakeObject, DescribeObject, Commit, Abandon)
                self._parent.tell(await self._do(command))
        finally:
            if not self._shown:
                await self._writer.abandon()

    async def _do(self, command: TakeObject | DescribeObject | Commit | Abandon) -> object:
        try:
            match command:
                case TakeObject():
                    return await self._take(command)
                case DescribeObject():
                    await self._writer.describe(command.image, command.document.encode())
                    return Described(command.image)
                case Commit():
                    await self._writer.commit()
                    self._shown = True
                    return Shown()
                case Abandon():
                    await self._writer.abandon()
                    self._shown = False
                    return Abandoned()
        except JobError as error:
            return Failed(int(error.status), str(error))
        except (ChannelBroken, NobodyCame) as error:
            return Broken(str(error))

    async def _take(self, command: TakeObject) -> Kept:
        stream, hello = await self._door.admit(command.token)
        source = offer_receiving(stream, shared_memory=hello.shared_memory, seconds=self._order.place.idle)
        reporting = asyncio.create_task(self._report(source))
        try:
            kept = await self._writer.take(command.image, source)
        finally:
            reporting.cancel()
            source.close()
        return Kept(command.image, kept.size, kept.digest.hex())

    async def _report(self, source: ReceivingEnd) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            self._parent.tell(Moved(source.total))


if __name__ == "__main__":
    main()
