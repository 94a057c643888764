"""What ndmjob's tape test checks, group by group, over a socket against our host with a virtual tape.

The program itself stops in its third group (it never sends an empty TAPE_WRITE) and, where the implicit filemark of
draft 3.4.1 is in question, expects what the draft forbids; here the draft decides.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from duplicator.adapters import VirtualTapeBackend
from duplicator.mover import SocketMovers
from ndmp.aio.client import Client, connect
from ndmp.aio.server import HostServer
from ndmp.backends import Host
from ndmp.enums import Error, TapeOpenMode, TapeOperation
from ndmp.errors import ReplyError
from ndmp.messages.tape import TapeClose, TapeGetState, TapeMtio, TapeOpen, TapeRead, TapeWrite
from ndmp.wire import Reply, Request
from scsi.virtual.url import parse_url

OK = Error.NO_ERR
READ, RDWR = TapeOpenMode.READ, TapeOpenMode.RDWR
FSF, BSF, FSR, BSR = TapeOperation.FSF, TapeOperation.BSF, TapeOperation.FSR, TapeOperation.BSR
EOF, REW = TapeOperation.EOF, TapeOperation.REW


class Tape:
    """An application with the one drive of a host."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def _ask(self, request: Request[Any], field: str = "") -> Any:  # noqa: ANN401
        """The error if it is refused, else a field of the reply."""
        try:
            reply: Reply = await self._client.call(request)
        except ReplyError as refused:
            return refused.error
        return getattr(reply, field) if field else reply.error

    async def open(self, mode: int = RDWR, device: str = "tape") -> Error:
        return await self._ask(TapeOpen(device, TapeOpenMode(mode)))

    async def close(self) -> Error:
        return await self._ask(TapeClose())

    async def write(self, block: bytes) -> int | Error:
        return await self._ask(TapeWrite(block), "count")

    async def read(self, count: int) -> bytes | Error:
        return await self._ask(TapeRead(count), "block")

    async def move(self, operation: TapeOperation, count: int = 1) -> int | Error:
        """What of the count was not done."""
        return await self._ask(TapeMtio(operation, count), "resid_count")

    async def stands(self) -> tuple[int, int] | Error:
        """File and block number."""
        state = await self._ask(TapeGetState(), "file_num")
        return state if isinstance(state, Error) else (state, await self._ask(TapeGetState(), "blockno"))


Checks = Callable[[Tape], Awaitable[None]]
Run = Callable[[Checks], None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Does checks in a session of their own with a host on a socket; its tape is blank at first."""

    async def served(checks: Checks) -> None:
        drive = VirtualTapeBackend(parse_url(f"virtual:{tmp_path}/VOL001?capacity=100M&sync=no"))
        server = HostServer(Host("h", movers=SocketMovers(), tapes={"tape": drive}), {"u": b"secret"}.get)
        _, port = await server.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(60), connect("127.0.0.1", port) as client:
                await client.login("u", "secret")
                await checks(Tape(client))
        finally:
            await server.stop()

    return lambda checks: asyncio.run(served(checks))


def test_t_oc(run: Run) -> None:
    """Open and close."""

    async def checks(tape: Tape) -> None:
        assert await tape.close() == Error.DEV_NOT_OPEN
        assert await tape.open(RDWR, "bogus") == Error.NO_DEVICE
        assert await tape.open(123) == Error.ILLEGAL_ARGS
        assert await tape.open(READ) == OK
        assert await tape.close() == OK
        assert await tape.open() == OK
        assert await tape.open() == Error.DEVICE_OPENED
        assert await tape.close() == OK
        assert await tape.close() == Error.DEV_NOT_OPEN

    run(checks)


def test_t_bgs(run: Run) -> None:
    """State."""

    async def checks(tape: Tape) -> None:
        assert await tape.stands() == Error.DEV_NOT_OPEN
        await tape.open(READ)
        assert await tape.stands() == (0, 0)
        await tape.close()
        assert await tape.stands() == Error.DEV_NOT_OPEN

    run(checks)


def test_t_bw(run: Run) -> None:
    """Write."""

    async def checks(tape: Tape) -> None:
        assert await tape.write(bytes(1024)) == Error.DEV_NOT_OPEN
        await tape.open(READ)
        assert await tape.write(bytes(1024)) == Error.PERMISSION
        await tape.close()
        await tape.open()
        assert await tape.write(b"") == 0
        assert await tape.stands() == (0, 0)
        assert await tape.write(bytes(1024)) == 1024
        assert await tape.move(EOF) == 0
        assert await tape.stands() == (1, 0)
        assert await tape.move(REW) == 0
        assert await tape.close() == OK

    run(checks)


def test_t_br(run: Run) -> None:
    """Read: as asked for, more, and less."""
    block = hashlib.shake_128(b"T-BR").digest(1024)

    async def checks(tape: Tape) -> None:
        assert await tape.read(1024) == Error.DEV_NOT_OPEN
        await tape.open()
        await tape.write(block)
        await tape.close()
        await tape.open(READ)
        assert await tape.read(0) == b""
        assert await tape.read(0x80000000) == Error.ILLEGAL_ARGS
        for count in (1024, 2048, 512):
            assert await tape.move(REW) == 0
            assert await tape.read(count) == block[:count]
            assert await tape.read(1024) == Error.EOF, "whatever was dropped of the block is gone"
            assert await tape.read(1024) == Error.EOF
        assert await tape.close() == OK

    run(checks)


def test_t_bwr_ends_of_the_tape(run: Run) -> None:
    """Write and read: what is met on a tape with nothing but marks."""

    async def checks(tape: Tape) -> None:
        await tape.open()
        assert await tape.move(REW) == 0
        assert [await tape.move(operation, 100) for operation in (BSR, BSF)] == [100, 100]
        assert await tape.move(EOF) == 0
        assert await tape.move(BSF, 100) == 99
        assert await tape.move(FSF, 100) == 99
        assert [await tape.read(1024) for _ in range(2)] == [Error.EOM, Error.EOM]
        await tape.move(REW)
        assert await tape.read(1024) == Error.EOF
        assert [await tape.move(operation, 100) for operation in (FSR, FSF)] == [100, 99]

    run(checks)


def test_t_bwr_a_record_without_a_mark(run: Run) -> None:
    """The mark is implied before the motion, so that there is no record between the tape and a mark behind it."""

    async def checks(tape: Tape) -> None:
        await tape.open()
        assert await tape.write(bytes(1024)) == 1024
        assert await tape.move(BSR, 100) == 100
        assert await tape.stands() == (1, 0)
        assert [await tape.move(operation, 100) for operation in (FSR, FSR, FSF)] == [100, 100, 100]
        assert await tape.move(BSF, 1) == 0
        assert await tape.move(BSR, 100) == 99, "and now the record"
        assert [await tape.move(operation, 100) for operation in (FSR, FSR)] == [99, 100]

    run(checks)


def test_t_bwr_a_label(run: Run) -> None:
    label = b"VOL1LABEL".ljust(80)

    async def checks(tape: Tape) -> None:
        await tape.open()
        assert await tape.write(label) == 80
        await tape.move(EOF)
        await tape.move(REW)
        assert await tape.read(80) == label
        assert await tape.read(80) == Error.EOF
        assert await tape.move(FSF) == 0
        assert await tape.read(80) == Error.EOM

    run(checks)


SERIES = [(1, 512), (100, 1024), (1, 512), (100, 139), (1, 512), (99, 10240), (1, 512), (3, 32768), (1, 512)]
"""Records and their bytes, for each file."""


def record(file: int, number: int) -> bytes:
    return hashlib.shake_128(f"{file}/{number}".encode()).digest(SERIES[file][1])


async def write_series(tape: Tape) -> None:
    for file, (count, size) in enumerate(SERIES):
        for number in range(count):
            assert await tape.write(record(file, number)) == size
            assert await tape.stands() == (file, number + 1)
        assert await tape.move(EOF) == 0
        assert await tape.stands() == (file + 1, 0)


def test_t_write_and_t_read(run: Run) -> None:
    """A series of files, with the position after each record; the blocks of a file stay counted at its mark."""

    async def written(tape: Tape) -> None:
        await tape.open()
        await write_series(tape)
        assert await tape.close() == OK

    async def read(tape: Tape) -> None:
        await tape.open(READ)
        await tape.move(REW)
        for file, (count, size) in enumerate(SERIES):
            for number in range(count):
                assert await tape.read(size) == record(file, number)
                assert await tape.stands() == (file, number + 1)
            assert await tape.read(size) == Error.EOF
            assert await tape.stands() == (file, count)
            assert await tape.move(FSF) == 0
            assert await tape.stands() == (file + 1, 0)
        assert await tape.read(1024) == Error.EOM
        assert await tape.close() == OK

    run(written)
    run(read)


MILLION = 1_000_000
MOTIONS = [
    (REW, 1, 0, (0, 0)),
    (FSF, 0, 0, (0, 0)),
    (FSR, 0, 0, (0, 0)),
    (FSF, len(SERIES), 0, (9, 0)),
    (FSF, 1, 1, (9, 0)),
    (BSF, MILLION, MILLION - 9, (0, 0)),
    (FSF, MILLION, MILLION - 9, (9, 0)),
    (REW, 0, 0, (0, 0)),
    (FSR, MILLION, MILLION - 1, (0, 1)),
    (FSR, 1, 1, (0, 1)),
    (FSF, 1, 0, (1, 0)),
    (FSR, 40, 0, (1, 40)),
    (BSR, 0, 0, (1, 40)),
    (BSR, 15, 0, (1, 25)),
    (FSR, MILLION, MILLION - 75, (1, 100)),
    (BSR, MILLION, MILLION - 100, (1, 0)),
    (BSR, 7, 7, (1, 0)),
    (FSF, 4, 0, (5, 0)),
    (FSR, 98, 0, (5, 98)),
    (BSF, 3, 0, (2, 1)),
    (FSR, 1, 1, (2, 1)),
    (BSF, 0, 0, (2, 1)),
    (BSF, 3, 1, (0, 0)),
    (BSR, MILLION, MILLION, (0, 0)),
]
"""Motion, count, what of it is not done, and where the tape stands then."""


def test_t_mtio(run: Run) -> None:
    async def checks(tape: Tape) -> None:
        await tape.open()
        await write_series(tape)
        for step, (operation, count, left, where) in enumerate(MOTIONS):
            assert await tape.move(operation, count) == left, (step, operation, count)
            assert await tape.stands() == where, (step, operation, count)

    run(checks)
