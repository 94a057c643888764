"""What a digest costs where it is computed on the way: an appliance's mover sends an image to a C program."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from duplicator.digests import ALGORITHMS, digest_name
from ndmp.aio.client import Client, connect
from ndmp.aio.methods import MoverMethods
from ndmp.enums import DigestAlgorithm, FileDisposition, MoverMode, MoverState
from ndmp.messages.extensions.fse import FSE_CLASS, FseClose, FseOpenRead
from ndmp.messages.mover import TcpAddresses
from ndmp.messages.notify import NotifyMoverPaused
from ndmp.services.connect import PROTOCOL_VERSION
from tests.bench.pairing import GIB, KIB, Contestants, Goal, Measure, Row, Setting
from tests.bench.programs import started
from tests.bench.served import PASSWORD, USER, Host, served
from tests.bench.sources import make_image

__all__ = ["DIGEST_ROWS"]

_IMAGE: Final = "image"
_UNIT: Final = "unit"
_RECORD: Final = 64 * KIB
_DEADLINE: Final = 120.0
_NONE: Final = "no digest"


async def _sent(host: Host, algorithm: DigestAlgorithm, discard: Path, size: int) -> Measure:
    """One image, from the connection of the receiver to the last byte."""
    async with connect("127.0.0.1", host.port, deadline=_DEADLINE) as client:
        await client.agree_on_version([PROTOCOL_VERSION])
        await client.login(USER, PASSWORD)
        await client.negotiate([FSE_CLASS])
        await client.call(FseOpenRead(_UNIT, _IMAGE, 0, algorithm))
        mover = MoverMethods(client)
        await mover.set_record_size(_RECORD)
        await mover.set_window()
        address = await mover.listen(MoverMode.WRITE)
        assert isinstance(address, TcpAddresses)
        used, begin = host.cpu_seconds(), time.perf_counter()
        with started(discard, address.endpoints[0].port, size) as receiver:
            while (await mover.state()).state == MoverState.LISTEN:
                pass
            await mover.read()
            received = await asyncio.to_thread(receiver.ended)
            elapsed, cpu = time.perf_counter() - begin, host.cpu_seconds() - used
        await _close(client, mover)
        return Measure(elapsed, size, {"appliance": cpu, "receiver": received})


async def _close(client: Client, mover: MoverMethods) -> None:
    if not isinstance(paused := await client.next_post(), NotifyMoverPaused):
        raise TypeError(f"the mover should have met the end of the image: {paused}")
    await mover.close()
    await client.next_post()
    await mover.stop()
    await client.call(FseClose(FileDisposition.KEEP))


def _row() -> Row:
    @contextmanager
    def setup(setting: Setting) -> Iterator[Contestants]:
        size, folder = setting.size(GIB), setting.memory / _UNIT
        folder.mkdir()
        make_image(folder / _IMAGE, size)

        def by(algorithm: DigestAlgorithm) -> Callable[[], Measure]:
            return lambda: asyncio.run(_sent(host, algorithm, setting.programs["discard"], size))

        with served({}, words=("--lsu", f"{_UNIT}={folder}")) as host:
            digests = {digest_name(algorithm): by(algorithm) for algorithm in ALGORITHMS}
            yield {_NONE: by(DigestAlgorithm.NONE), **digests}

    goals = [Goal("rate", digest_name(ALGORITHMS[0]), _NONE, 0.9)]
    return Row("an image from a unit to the network, by digest", goals, setup)


DIGEST_ROWS: Final[Mapping[str, Row]] = {"digest": _row()}
"""By the name that the command line has for it."""
