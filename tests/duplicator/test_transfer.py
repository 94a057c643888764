"""Receiving a stream in this process, when what takes the bytes fails or does not return."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from duplicator.credentials import Secret
from duplicator.host import Offers, open_host
from duplicator.hostlink import open_session
from duplicator.mover_side import MoverSide, Notice
from duplicator.plan import Deadlines, Place, Step
from duplicator.status import JobError, Status
from duplicator.transfer import Stream, receive_all, watching
from duplicator.urls import NdmpUrl
from ndmp.aio.server import HostServer
from ndmp.enums import AuthType, TapeOpenMode, TapeOperation
from ndmp.messages.tape import TapeMtio, TapeOpen, TapeWrite

DEADLINE = 20.0
RECORD = 65_536


@asynccontextmanager
async def tape_at_its_beginning(
    cartridge: Path, deadlines: Deadlines
) -> AsyncIterator[tuple[MoverSide, asyncio.Queue[Notice]]]:
    """The mover of a session that has a tape of two records open."""
    with open_host(Offers(tapes={"t": f"virtual:{cartridge}?capacity=1M"})) as host:
        server = HostServer(host, {"u": b"s"}.get)
        _, port = await server.start("127.0.0.1", 0)
        place = Place(NdmpUrl.parse(f"ndmp://u@127.0.0.1:{port}/t"), Secret("s"))
        try:
            async with open_session(place, deadlines) as session:
                assert session.auth == AuthType.MD5
                await session.call(TapeOpen("t", TapeOpenMode.RDWR))
                for content in (b"a", b"b"):
                    await session.call(TapeWrite(content * RECORD))
                await session.call(TapeMtio(TapeOperation.REW, 1))
                notices = asyncio.Queue[Notice]()
                mover = MoverSide(session, "tape", notices, trouble=Status.MEDIA_READ_ERROR, log=lambda _: None)
                yield mover, notices
        finally:
            await server.stop()


def receive(cartridge: Path, consume: Callable[[memoryview], None], *, stall: float) -> None:
    """Run a transfer in a loop of its own, to the loop's end."""

    async def story() -> None:
        deadlines = Deadlines(stall=stall)
        async with (
            asyncio.timeout(DEADLINE),
            tape_at_its_beginning(cartridge, deadlines) as (mover, notices),
            watching(mover),
        ):
            await receive_all(mover, notices, consume, record_bytes=RECORD, progress=lambda _: None, step=Step.MOVE)

    asyncio.run(story())


def test_a_consumer_that_does_not_return_is_left_behind(tmp_path: Path) -> None:
    """The loop ends while it is still blocked."""
    may, returned = threading.Event(), threading.Event()
    took = list[int]()

    def consume(chunk: memoryview) -> None:
        took.append(len(chunk))
        may.wait(DEADLINE)
        returned.set()

    with pytest.raises(JobError, match=r"within 0\.3 s|for 0\.3 s") as raised:
        receive(tmp_path / "T1", consume, stall=0.3)
    assert not returned.is_set()
    may.set()
    assert raised.value.status == Status.CONNECTION_TIMED_OUT
    assert raised.value.step == "move data"
    assert took == [2 * RECORD]


def test_what_the_consumer_raises_ends_the_transfer(tmp_path: Path) -> None:
    def consume(chunk: memoryview) -> None:
        raise JobError(Status.FILE_WRITE_FAILED, step="s", reason=f"no room for {len(chunk)}")

    with pytest.raises(JobError, match="no room for 131072"):
        receive(tmp_path / "T1", consume, stall=5.0)


def test_a_standstill_is_excused_while_the_source_changes_volumes() -> None:
    """And the time of it does not count afterwards either."""
    looks = list[bool]()

    async def moved() -> int:
        return 5

    def excused() -> bool:
        looks.append(len(looks) < 2)
        return looks[-1]

    async def story() -> None:
        stream = Stream(asyncio.Queue(), moved, lambda _: None, step=Step.MOVE, stall=0.5, excused=excused)
        await stream.end_of_all(cast("MoverSide", None))

    with pytest.raises(JobError, match=r"no data moved for 0\.5 s, 5 bytes were through"):
        asyncio.run(asyncio.wait_for(story(), DEADLINE))
    assert looks == [True, True, False]
