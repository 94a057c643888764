"""Our host over real sockets: what is open is released, however a session ends."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ndmp.aio.keepalive import keep_alive
from ndmp.aio.limits import Limits
from ndmp.backends import HistoryAdded, HistoryEntry, Host, RecordDevice
from ndmp.enums import ConnectionReason, Error, MoverMode, TapeOpenMode
from ndmp.errors import ConnectionLost, ReplyError
from ndmp.messages.config import ConfigGetHostInfo
from ndmp.messages.mover import MoverGetState
from ndmp.messages.notify import NotifyConnectionStatus
from ndmp.messages.tape import TapeOpen, TapeWrite
from ndmp.types import TcpAddress
from tests.ndmp.fakes import MARK, MemoryTape, ScriptedMover, ScriptedMovers, host
from tests.ndmp.fakes_data import MemoryFiles, ScriptedPath
from tests.ndmp.hexes import request
from tests.ndmp.serving import DEADLINE, SlowTape, SlowToClose, run, serving, session, slow_host

SOON = 3.0
"""A second, and what a busy machine adds."""
ESTABLISHED = "01"


def test_a_lost_application_gives_its_tape_back() -> None:
    async def story() -> None:
        served, tape = slow_host()
        async with serving(served) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000"))
            writer.write(request(2, 0x300, "00000001 74000000 00000001") + request(3, 0x304, "00000001 61000000"))
            await reader.readuntil(bytes.fromhex("00000304 00000003 00000000 00000000 00000001"))
            writer.transport.abort()
            assert await asyncio.to_thread(tape.closed.wait, DEADLINE)
            assert tape.tape == [b"a", MARK]
            async with session(port) as client:
                await client.call(TapeOpen("t", TapeOpenMode.RDWR))

    run(story())


def timers(port: int) -> list[str]:
    """The kernel's timers of both ends of an idle connection to ``port``: 2 is keepalive, 1 is bytes on their way."""
    deadline = time.monotonic() + DEADLINE
    while True:
        lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
        ends = [line for line in lines if f"0100007F:{port:04X}" in line[1:3] and line[3] == ESTABLISHED]
        found = [line[5].split(":")[0] for line in ends]
        if "01" not in found or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def test_both_ends_notice_when_the_other_is_gone_without_a_word() -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port), session(port):
            assert await asyncio.to_thread(timers, port) == ["02", "02"]

    run(story())


def test_an_application_that_leaves_gives_its_tape_back() -> None:
    async def story() -> None:
        served, tape, _, _ = host()
        async with serving(served) as (_, port):
            for _ in range(2):
                async with session(port) as client:
                    await client.call(TapeOpen("t", TapeOpenMode.RDWR))
                    await client.call(TapeWrite(b"a"))
        assert tape.tape == [b"a", MARK, b"a", MARK]

    run(story())


def test_a_host_that_stops_says_so_and_releases_devices() -> None:
    async def story() -> None:
        served, tape, _, _ = host()
        async with serving(served) as (server, port), session(port) as client:
            await client.call(TapeOpen("t", TapeOpenMode.RDWR))
            await client.call(TapeWrite(b"a"))
            await server.stop()
            assert not tape.taken
            assert tape.tape == [b"a", MARK]
            farewell = await client.next_post()
            assert isinstance(farewell, NotifyConnectionStatus)
            assert farewell.reason == ConnectionReason.SHUTDOWN
            for _ in range(2):
                with pytest.raises(ConnectionLost):
                    await client.next_post()
            with pytest.raises(ConnectionLost):
                await client.call(ConfigGetHostInfo())

    run(story())


def test_a_host_that_stops_waits_for_sessions_that_end() -> None:
    async def story() -> None:
        tape = SlowToClose()
        async with serving(Host("h", tapes={"t": tape})) as (server, port), session(port) as client:
            await client.call(TapeOpen("t", TapeOpenMode.READ))
            leaving = asyncio.create_task(client.close())
            assert await asyncio.to_thread(tape.closing.wait, DEADLINE)
            stopping = asyncio.create_task(server.stop())
            await asyncio.wait([stopping], timeout=0.05)
            assert not stopping.done()
            tape.may.set()
            await stopping
            assert not tape.taken
            await leaving

    run(story())


@dataclass
class PatientMover(ScriptedMover):
    """Waits for a peer until it is stopped."""

    waits: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        self.waits.set()
        assert self.stopped.wait(DEADLINE)
        raise ReplyError(Error.CONNECT)

    def stop(self) -> None:
        super().stop()
        self.stopped.set()


@dataclass
class PatientMovers(ScriptedMovers):
    """Makes one of the above."""

    patient: PatientMover = field(default_factory=lambda: PatientMover(MoverMode.WRITE, 1, _no_device, print, ""))

    def mover(self, *_: object) -> ScriptedMover:
        return self.patient


def _no_device() -> RecordDevice:
    raise AssertionError


CONNECTING = b"".join(
    (
        request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000"),
        request(2, 0x300, "00000001 74000000 00000000"),
        request(3, 0xA08, "00000200"),
        request(4, 0xA05, "00000000 00000000 ffffffff ffffffff"),
        request(5, 0xA09, "00000001 00000001 00000001 7f000002 00000063 00000000"),
    )
)
"""Login, an open tape, a record size, a window, and a data connection that nobody accepts."""


@pytest.mark.parametrize("unread", [b"", request(6, 0xA00) * 100], ids=["idle", "not-read-further"])
@pytest.mark.parametrize("end", ["reset", "closed", "half-closed", "host-stops"])
def test_an_application_lost_while_its_mover_waits_for_a_peer_gives_its_tape_back(end: str, unread: bytes) -> None:
    async def story() -> None:
        movers, tape = PatientMovers(), SlowTape()
        served = Host("h", movers=movers, tapes={"t": tape})
        async with serving(served, limits=Limits(held_bytes=64)) as (server, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(CONNECTING)
            assert await asyncio.to_thread(movers.patient.waits.wait, DEADLINE)
            writer.write(unread)
            writer.write(unread)
            begin = time.monotonic()
            match end:
                case "reset":
                    writer.transport.abort()
                case "closed":
                    writer.close()
                case "half-closed":
                    writer.write_eof()
                case "host-stops":
                    await server.stop()
            assert await asyncio.to_thread(tape.closed.wait, DEADLINE)
            assert time.monotonic() - begin < SOON
            writer.transport.abort()

    run(story())


@pytest.mark.parametrize(
    ("asked", "answered"),
    [(request(4, 0xA00), True), (request(4, 0x304, "00000001 61000000"), False)],
    ids=["at-once", "at-the-device"],
)
def test_what_was_asked_before_the_end_is_answered_if_it_needs_no_device(asked: bytes, answered: bool) -> None:
    async def story() -> None:
        served, tape = slow_host()
        async with serving(served) as (_, port), session(port) as other:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000"))
            writer.write(request(2, 0x300, "00000001 74000000 00000001") + request(3, 0x303, "00000004 00000001"))
            assert await asyncio.to_thread(tape.rewinding.wait, DEADLINE)
            writer.write(asked)
            writer.write_eof()
            for _ in range(3):  # the host looks at each connection in turn, so it has seen the end by then
                await other.call(MoverGetState())
            tape.may.set()
            words = await reader.read()
            assert bytes.fromhex("00000303 00000003 00000000 00000000") in words, "the tape was rewound"
            assert (asked[16:20] + bytes.fromhex("00000004 00000000") in words) is answered
            assert tape.tape == []
            writer.close()
            await writer.wait_closed()

    run(story())


LARGE = 60_000
FLOOD = 200
"""Times LARGE: more than the system keeps for both ends of a connection."""


async def echoes(
    port: int, first: bytes = request(2, 0x300, "00000001 74000000 00000001")
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An application that opens a tape, asks for much and reads none of it yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=100_000)
    writer.write(request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000"))
    writer.write(first)
    for number in range(FLOOD):
        writer.write(request(3 + number, 0x7FF00000, f"{LARGE:08x}" + "61" * LARGE))
    return reader, writer


def test_an_application_that_does_not_read_is_dropped() -> None:
    async def story() -> None:
        served, tape = slow_host()
        async with serving(served, limits=Limits(send_deadline=0.4)) as (_, port), session(port) as other:
            begin = time.monotonic()
            _, writer = await echoes(port)
            assert await asyncio.to_thread(tape.closed.wait, DEADLINE)
            assert time.monotonic() - begin >= 0.4
            await other.call(MoverGetState())
            writer.transport.abort()

    run(story())


def test_an_application_that_reads_late_gets_everything_in_order() -> None:
    async def story() -> None:
        served, tape = slow_host()
        async with serving(served) as (_, port), session(port) as other:
            reader, writer = await echoes(port)
            await other.call(MoverGetState())
            await reader.readexactly(40 + 32 + 32)
            for number in range(FLOOD):
                head = await reader.readexactly(28 + 8)
                assert int.from_bytes(head[20:24], "big") == 3 + number
                assert await reader.readexactly(LARGE) == b"a" * LARGE
            assert not tape.closed.is_set()
            writer.transport.abort()

    run(story())


def test_what_a_data_path_tells_waits_while_nobody_reads() -> None:
    async def told(path: ScriptedPath, *, within: float) -> bool:
        taken = threading.Event()
        path.report(HistoryAdded((HistoryEntry("a", 1, 2),), taken.set))
        return await asyncio.to_thread(taken.wait, within)

    async def story() -> None:
        movers = ScriptedMovers()
        served = Host("h", movers=movers, tapes={"t": MemoryTape()}, data=MemoryFiles())
        async with serving(served) as (_, port):
            reader, writer = await echoes(port, request(2, 0x409, "00000001"))
            while not movers.paths:
                await reader.read(1)
            while await told(movers.paths[0], within=0.3):
                pass
            reading = asyncio.create_task(reader.readexactly(FLOOD * LARGE))
            assert await told(movers.paths[0], within=DEADLINE)
            await reading
            writer.transport.abort()

    run(story())


def test_a_connection_whose_other_end_is_silent_is_given_up_within_a_minute() -> None:
    async def story() -> None:
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        keep_alive(writer, unheard=7.5)
        ours: socket.socket = writer.get_extra_info("socket")
        idle, interval, probes, unheard = (
            ours.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        )
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert 45 <= idle + interval * probes <= 75
        assert unheard == 7500
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        server.close()

    run(story())
