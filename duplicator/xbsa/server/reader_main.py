"""The process that brings one object to an application: disk reader or tape reader."""

from __future__ import annotations

import asyncio
from typing import Final

from duplicator.status import JobError
from duplicator.xbsa.channel import ChannelBroken, SendingEnd, offer_sending
from duplicator.xbsa.server.choosing import choose_reader
from duplicator.xbsa.server.door import DataDoor, NobodyCame
from duplicator.xbsa.server.orders import Broken, Failed, Listening, Moved, ReadOrder, Ready, Sent, Told
from duplicator.xbsa.server.processes import Parent, run_child
from duplicator.xbsa.server.roles import ObjectReader

__all__ = ["main"]

_INTERVAL: Final = 1.0
"""Seconds between two reports of how far it is."""


def main() -> None:
    """Run it."""
    run_child(ReadOrder, _read)


async def _read(order: ReadOrder, parent: Parent) -> None:
    door = DataDoor(order.place)
    parent.tell(Listening())
    try:
        await _serve(order, parent, door)
    except JobError as error:
        parent.tell(Failed(int(error.status), str(error)))
    except (ChannelBroken, NobodyCame) as error:
        parent.tell(Broken(str(error)))
    # What is in the channel stays there until the manager cuts the lifeline.
    await asyncio.Event().wait()


async def _serve(order: ReadOrder, parent: Parent, door: DataDoor) -> None:
    async with choose_reader(order, lambda text: parent.tell(Told(text))) as reader:
        parent.tell(Ready(await reader.ready(lambda text: parent.tell(Told(text)))))
        stream, hello = await door.admit(order.token)
        door.close()
        target = offer_sending(stream, shared_memory=hello.shared_memory, seconds=order.place.idle)
        reporting = asyncio.create_task(_report(target, parent))
        try:
            parent.tell(Sent(await _feed(reader, target)))
        finally:
            reporting.cancel()


async def _feed(reader: ObjectReader, target: SendingEnd) -> int:
    try:
        return await reader.feed(target)
    except BaseException:
        # Else the application waits for bytes that do not come.
        target.close()
        raise


async def _report(target: SendingEnd, parent: Parent) -> None:
    while True:
        await asyncio.sleep(_INTERVAL)
        parent.tell(Moved(target.sent))


if __name__ == "__main__":
    main()
