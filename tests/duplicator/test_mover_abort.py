"""A host, as a process of its own, ends a transfer whose peer has stopped: MOVER_ABORT to MOVER_HALTED."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from statistics import median

import pytest

from ndmp.aio.client import Client, connect
from ndmp.aio.methods import MoverMethods, TapeMethods
from ndmp.enums import MoverHaltReason, MoverMode, MoverState, TapeOpenMode
from ndmp.messages.mover import TcpAddresses
from ndmp.messages.notify import NotifyMoverHalted
from tests.duplicator.datapath import DEADLINE, recorded
from tests.duplicator.processes import SECRET, USER, site_in

RECORD = 65536
TAPE_BYTES = 16 << 20
LITTLE_ROOM = 65536
TIMES = 5
AT_MOST = 0.1
"""Seconds, the median of so many times: less than any patience of the mover."""
UNCHANGED = 200
"""Replies in a row that tell the same progress: who still moved would show it in one of them."""


class Stalled:
    """A session whose mover has a peer that stops in the middle."""

    def __init__(self, client: Client, mode: MoverMode) -> None:
        self._client = client
        self._mode = mode
        self.mover = MoverMethods(client)
        self.tape = TapeMethods(client)

    async def begin(self, peer: socket.socket) -> None:
        """Have the mover listen, and let the peer have some of the stream."""
        await self.tape.open("drive", TapeOpenMode.RDWR if self._mode == MoverMode.READ else TapeOpenMode.READ)
        await self.mover.set_record_size(RECORD)
        await self.mover.set_window()
        address = await self.mover.listen(self._mode)
        assert isinstance(address, TcpAddresses)
        peer.connect(("127.0.0.1", address.endpoints[0].port))
        while (await self.mover.state()).state == MoverState.LISTEN:
            pass
        if self._mode == MoverMode.READ:
            peer.sendall(bytes(3 * RECORD + 1))
        else:
            await self.mover.read()
        await self._stall()

    async def _stall(self) -> None:
        """Until nothing moves any more."""
        moved, unchanged = 0, 0
        while not moved or unchanged < UNCHANGED:
            now = (await self.mover.state()).bytes_moved
            moved, unchanged = now, unchanged + 1 if now == moved else 0
        assert moved == 3 * RECORD if self._mode == MoverMode.READ else moved < TAPE_BYTES

    async def abort(self) -> float:
        """Seconds from MOVER_ABORT to what the host tells of it."""
        begun = time.monotonic()
        await self.mover.abort()
        assert await self._client.next_post() == NotifyMoverHalted(MoverHaltReason.ABORTED)
        return time.monotonic() - begun

    async def end(self) -> None:
        """As it was before."""
        await self.mover.stop()
        await self.tape.close()


@pytest.mark.parametrize("mode", [MoverMode.READ, MoverMode.WRITE])
def test_abort_of_a_mover_whose_peer_has_stopped(tmp_path: Path, mode: MoverMode) -> None:
    if mode == MoverMode.WRITE:
        recorded(tmp_path / "VT0001", [bytes(TAPE_BYTES)], block_bytes=RECORD)
    with site_in(tmp_path) as site:
        host = site.serve("--tape", f"drive=virtual:{tmp_path / 'VT0001'}?sync=no")
        assert median(asyncio.run(aborted(host.port, mode))) < AT_MOST
        host.stop()


async def aborted(port: int, mode: MoverMode) -> list[float]:
    """Abort so often; how long each took."""
    taken = list[float]()
    async with asyncio.timeout(4 * DEADLINE), connect("127.0.0.1", port, deadline=DEADLINE) as client:
        await client.open(4)
        await client.login(USER, SECRET)
        for _ in range(TIMES):
            stalled = Stalled(client, mode)
            with socket.socket() as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE_ROOM)
                await stalled.begin(peer)
                taken.append(await stalled.abort())
                assert (await stalled.mover.state()).state == MoverState.HALTED
            await stalled.end()
    return taken
