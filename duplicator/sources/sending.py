"""The way from this process to the mover of a tape server, for sources whose bytes come through here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

from duplicator.failures import failing_as
from duplicator.mover_side import MoverSide, Notice
from duplicator.outlet import Outlet
from duplicator.own_thread import in_own_thread
from duplicator.plan import Deadlines, Step
from duplicator.recorder import SideRecorder
from duplicator.tls import ClientTls
from duplicator.transfer import More, receive_all
from ndmp.messages.mover import TcpAddresses

__all__ = ["HERE", "Sending"]

HERE: Final = "this machine"
"""How a job's reasons call this side."""


class Sending:
    """The way from here to the tape server's mover, for one fragment at a time."""

    def __init__(self, deadlines: Deadlines, tls: ClientTls, recorder: SideRecorder) -> None:
        self._deadlines = deadlines
        self._tls = tls
        self._recorder = recorder
        self.outlet = Outlet(deadlines, tls=tls)

    async def connect(self, address: TcpAddresses) -> None:
        """Connect to the mover that listens."""
        self._recorder.step(Step.READ_MOVER, "this machine connects to the tape server's mover")
        self.close()
        self.outlet = Outlet(self._deadlines, tls=self._tls)
        with failing_as(Step.READ_MOVER, HERE):
            secure = await self.outlet.connect(address)
        self._recorder.note(f"{HERE}: the data connection is {'under TLS' if secure else 'not encrypted'}")

    async def pass_all(
        self,
        mover: MoverSide,
        notices: asyncio.Queue[Notice],
        pass_on: Callable[[memoryview], None],
        *,
        record_bytes: int,
        more: More,
    ) -> None:
        """Have a mover send everything here, chunk by chunk into ``pass_on``, which sends it on by the outlet."""
        receiving = asyncio.ensure_future(
            receive_all(
                mover,
                notices,
                pass_on,
                record_bytes=record_bytes,
                progress=lambda _: None,
                step=Step.MOVE,
                more=more,
                stall=inf,  # the tape server may change volumes; who writes there watches
            )
        )
        try:
            await asyncio.wait((receiving,))
            receiving.result()
        except BaseException:
            self.stop()  # or the thread would stay in there
            raise
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)

    async def end(self) -> None:
        """Tell the tape server that this was all."""
        await in_own_thread(self.outlet.end, "end")

    def stop(self) -> None:
        """End whatever waits for the tape server."""
        self.outlet.stop()

    def close(self) -> None:
        """Let go of the connection; a thread that used it is told to end before, or has."""
        self.outlet.stop()
        self.outlet.close()
