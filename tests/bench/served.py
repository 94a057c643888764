"""Our tape server as its users run it, `ndmpdup serve`, and an application that drives its movers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from ndmp.aio.client import Client, connect
from ndmp.aio.methods import MoverMethods, TapeMethods
from ndmp.enums import MoverHaltReason, MoverMode, MoverState, TapeOpenMode, TapeOperation
from ndmp.messages.mover import TcpAddresses
from ndmp.messages.notify import NotifyMoverHalted, NotifyMoverPaused
from ndmp.services.connect import PROTOCOL_VERSION
from tests.bench.pairing import cpu_seconds
from tests.peers import Namespace
from tests.peers.namespace import end_process

__all__ = ["Drive", "Host", "Loop", "open_drives", "served"]

_DEADLINE: Final = 60.0
USER: Final = "ndmp"
PASSWORD: Final = "ndmp"

T = TypeVar("T")


@dataclass(frozen=True)
class Host:
    """A process that serves tapes on loopback."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """What it has used since it began."""
        return cpu_seconds(self.process.pid)


@contextmanager
def served(
    tapes: Mapping[str, str], *, namespace: Namespace | None = None, words: Sequence[str] = ()
) -> Iterator[Host]:
    """`ndmpdup serve` with these tapes, NAME to device URL, and other words of its command line."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        password, port = Path(folder) / "password", Path(folder) / "port"
        password.write_text(PASSWORD)
        password.chmod(0o600)
        command = [sys.executable, "-m", "duplicator.cli.main", "serve", "--listen", "127.0.0.1:0", *words]
        command += ["--user", USER, "--password-file", str(password), "--port-file", str(port)]
        command += [word for name, url in tapes.items() for word in ("--tape", f"{name}={url}")]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        log = stack.enter_context((Path(folder) / "log").open("wb"))
        if namespace is None:
            # In our session, as the references are: the scheduler shares processors out among sessions.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, process_group=0
            )
        else:
            process = namespace.popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield Host(_port_in(port, process), process)
        finally:
            end_process(process)


def _port_in(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + _DEADLINE
    while not (text := file.read_text() if file.exists() else ""):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the host does not begin: {process.args!r}")
        time.sleep(0.01)
    return int(text.strip().rpartition(":")[2])


class Loop:
    """Runs what a contestant does; connections rest in between."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run it to its end."""

        async def main() -> T:
            async with asyncio.timeout(10 * _DEADLINE):
                return await work()

        return self._runner.run(main())


class Drive:
    """A session with one of a host's tape drives and its mover."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self.tape = TapeMethods(client)
        self.mover = MoverMethods(client)

    async def write(self, record_bytes: int) -> int:
        """Have the mover listen for what it is to write from the beginning of the tape; its port."""
        return await self._listen(MoverMode.READ, TapeOpenMode.RDWR, record_bytes)

    async def written(self, size: int, *, marks: int = 0) -> None:
        """Wait for the end of a stream of so many bytes; write filemarks."""
        halted = await self._client.next_post()
        if not isinstance(halted, NotifyMoverHalted) or halted.reason != MoverHaltReason.CONNECT_CLOSED:
            raise RuntimeError(f"the mover should have met the end of the stream: {halted}")
        if marks:
            await self.tape.move(TapeOperation.EOF, marks)
        moved = (await self.mover.state()).bytes_moved
        if moved != size:
            raise RuntimeError(f"{moved} bytes are on the tape of {size}")

    async def read(self, record_bytes: int) -> int:
        """Have the mover listen for who wants to read the tape from its beginning; its port."""
        return await self._listen(MoverMode.WRITE, TapeOpenMode.READ, record_bytes)

    async def taken_up(self) -> None:
        """Wait until the mover has its peer."""
        while (await self.mover.state()).state == MoverState.LISTEN:
            pass

    async def sent(self) -> None:
        """Wait until all is sent, and close the data connection."""
        paused = await self._client.next_post()
        if not isinstance(paused, NotifyMoverPaused):
            raise RuntimeError(f"the mover should have met a filemark: {paused}")
        await self.mover.close()
        await self._client.next_post()

    async def moved(self, size: int) -> None:
        """Wait until so many bytes have passed the mover."""
        while (await self.mover.state()).bytes_moved < size:  # noqa: ASYNC110  (nothing tells how far it is)
            await asyncio.sleep(0.001)

    async def at_rest(self) -> None:
        """Wait until nothing passes the mover any more."""
        before = -1
        while (now := (await self.mover.state()).bytes_moved) != before:
            before = now
            await asyncio.sleep(0.5)

    async def abort(self) -> None:
        """End the transfer, until the mover tells that it has ended."""
        await self.mover.abort()
        await self._client.next_post()

    async def release(self) -> None:
        """Make mover and drive ready for the next run."""
        await self.mover.stop()
        await self.tape.close()

    async def _listen(self, mode: MoverMode, tape_mode: TapeOpenMode, record_bytes: int) -> int:
        await self.tape.open(self._name, tape_mode)
        await self.tape.move(TapeOperation.REW)
        await self.mover.set_record_size(record_bytes)
        await self.mover.set_window()
        address = await self.mover.listen(mode)
        if not isinstance(address, TcpAddresses):
            raise TypeError(f"no TCP address: {address}")
        return address.endpoints[0].port


@contextmanager
def open_drives(
    host: Host, names: Sequence[str], *, namespace: Namespace | None = None
) -> Iterator[tuple[Loop, Sequence[Drive]]]:
    """A session for each of these drives, and the loop that they run in."""
    with asyncio.Runner() as runner:
        loop = Loop(runner)
        sessions = _Sessions()
        try:
            clients = loop.run(lambda: sessions.begin(host.port, len(names), namespace))
            yield loop, [Drive(client, name) for client, name in zip(clients, names, strict=True)]
        finally:
            loop.run(sessions.end)


class _Sessions:
    """Connections that one task opens, keeps and closes, as their task groups want it."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, port: int, count: int, namespace: Namespace | None) -> Sequence[Client]:
        """Log in so often."""
        opened: asyncio.Future[Sequence[Client]] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep(port, count, namespace, opened))
        await asyncio.wait((self._task, opened), return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            self._task.result()
        return opened.result()

    async def end(self) -> None:
        """Close them."""
        self._over.set()
        if self._task is not None:
            await self._task

    async def _keep(
        self, port: int, count: int, namespace: Namespace | None, opened: asyncio.Future[Sequence[Client]]
    ) -> None:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(_connected(port, namespace)) for _ in range(count)]
            for client in clients:
                await client.agree_on_version([PROTOCOL_VERSION])
                await client.login(USER, PASSWORD)
            opened.set_result(clients)
            await self._over.wait()


@asynccontextmanager
async def _connected(port: int, namespace: Namespace | None) -> AsyncIterator[Client]:
    if namespace is None:
        async with connect("127.0.0.1", port, deadline=_DEADLINE) as client:
            yield client
        return
    stream = await asyncio.to_thread(namespace.connect, "127.0.0.1", port)
    reader, writer = await asyncio.open_connection(sock=stream)
    async with asyncio.TaskGroup() as tasks:
        client = Client(reader, writer, tasks, host="127.0.0.1", deadline=_DEADLINE, settle=_DEADLINE)
        await client.wait_for_greeting()
        yield client
        await client.close()
