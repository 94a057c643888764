"""Data paths: backups and recoveries on a data connection (draft 3.5), and how they end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from ndmp.backends import (
    BackupChannel,
    DataLogged,
    DataProgress,
    DataWanted,
    FileRecovered,
    HistoryAdded,
    HistoryEntry,
    HistoryFile,
    HistoryNode,
    RecoverChannel,
    VariableSet,
)
from ndmp.enums import DataHaltReason, LogType, RecoveryStatus
from ndmp.types import ALL_ONES_64
from tests.duplicator.datapath import DEADLINE, feeding, no_leaks, stream, take_all
from tests.duplicator.operations import ATTRIBUTES, SUCCESSFUL, PathRig

CONNECT_ERROR, INTERNAL_ERROR = DataHaltReason.CONNECT_ERROR, DataHaltReason.INTERNAL_ERROR


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with no_leaks():
        yield


# -- backups ---------------------------------------------------------------------------------------------------------

WRITES = {
    "nothing": (),
    "empty writes": (0, 0),
    "a byte": (1,),
    "small ones": (512,) * 1500,
    "around the edge": (1, (256 << 10) - 1, 1, 256 << 10, 1, (256 << 10) + 1, 5),
    "large ones": (1 << 20, 3 << 20, 7),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_backup_sends_all_that_is_written(name: str) -> None:
    content = memoryview(stream(sum(WRITES[name])))

    def run(channel: BackupChannel) -> None:
        at = 0
        for number, size in enumerate(WRITES[name]):
            kind = (bytes, bytearray, memoryview)[number % 3]
            assert channel.write(kind(content[at : at + size])) == size
            at += size
            assert channel.position == at

    for meet in (PathRig.meet, PathRig.called):
        with PathRig() as rig:
            peer = meet(rig)
            rig.path.start_backup(run)
            assert take_all(peer) == content
            rig.expect(SUCCESSFUL)
            assert rig.path.progress() == DataProgress(bytes_processed=len(content))


def test_small_writes_go_out_in_few_pieces() -> None:
    def run(channel: BackupChannel) -> None:
        for _ in range(3 << 10):
            channel.write(bytes(512))

    with PathRig() as rig:
        peer = rig.meet()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        rig.path.start_backup(run)
        rig.expect(SUCCESSFUL)
        told = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        assert take_all(peer) == bytes(512 * (3 << 10))
        segments = int.from_bytes(told[140:144], "little")  # tcpi_segs_in
        assert segments < 600  # at least 3072 if each write went out alone


def test_an_operation_tells_what_it_does() -> None:
    gate = threading.Event()

    def run(channel: BackupChannel) -> None:
        channel.log(LogType.WARNING, "b was busy")
        channel.set_variable("LEVEL", "1")
        channel.estimate(bytes_left=900, seconds_left=3)
        channel.write(bytes(100))
        channel.check()
        channel.log(LogType.NORMAL, "half")
        assert gate.wait(DEADLINE)
        channel.estimate(bytes_left=None)

    with PathRig() as rig:
        assert rig.path.progress() == DataProgress()
        peer = rig.meet()
        rig.path.start_backup(run)
        rig.expect(DataLogged(LogType.WARNING, "b was busy"), VariableSet("LEVEL", "1"))
        rig.expect(DataLogged(LogType.NORMAL, "half"))
        assert rig.path.progress() == DataProgress(bytes_processed=100, bytes_left=900, seconds_left=3)
        gate.set()
        assert take_all(peer) == bytes(100)
        rig.expect(SUCCESSFUL)
        assert rig.path.progress() == DataProgress(bytes_processed=100)


def test_the_connection_is_closed_before_the_end_is_told() -> None:
    with PathRig() as rig:
        peer = rig.meet()
        rig.path.start_backup(lambda channel: None)
        rig.expect(SUCCESSFUL)
        peer.setblocking(False)
        assert peer.recv(1) == b""


# -- file history ----------------------------------------------------------------------------------------------------


def _batches(rig: PathRig, *, take_them: bool = True) -> Iterator[HistoryAdded]:
    while isinstance(event := rig.next_event(), HistoryAdded):
        if take_them:
            event.taken()
            event.taken()  # a second time does nothing
        yield event
    assert event == SUCCESSFUL


def test_history_comes_in_batches_of_one_kind() -> None:
    def run(channel: BackupChannel) -> None:
        history = channel.history
        history.add_entry(".", node=2, parent=2)
        history.add_entry("..", node=2, parent=2)
        history.add_node(2, ATTRIBUTES, position=None)
        history.add_file("/a", ATTRIBUTES, node=3, position=512)
        history.add_file("/b", ATTRIBUTES, node=4, position=None)
        history.add_entry("a", node=3, parent=2)

    with PathRig() as rig:
        rig.meet()
        rig.path.start_backup(run)
        assert [list(batch.entries) for batch in _batches(rig)] == [
            [HistoryEntry(".", 2, 2), HistoryEntry("..", 2, 2)],
            [HistoryNode(2, ATTRIBUTES, None)],
            [HistoryFile("/a", ATTRIBUTES, 3, 512), HistoryFile("/b", ATTRIBUTES, 4, None)],
            [HistoryEntry("a", 3, 2)],
        ]


def test_batches_are_bounded_in_entries_and_bytes() -> None:
    for name_bytes, count in ((5, 5000), (4000, 100), (1, 1), (100_000, 4)):
        names = [f"{number:0{name_bytes}}" for number in range(count)]

        def run(channel: BackupChannel, names: list[str] = names) -> None:
            for node, name in enumerate(names):
                channel.history.add_entry(name, node=node, parent=1)

        with PathRig() as rig:
            rig.meet()
            rig.path.start_backup(run)
            batches = [batch.entries for batch in _batches(rig)]
        assert [entry.name for batch in batches for entry in batch] == names  # type: ignore[union-attr]
        assert all(len(batch) <= 256 and len(batch) * name_bytes <= max(64 << 10, name_bytes) for batch in batches)
        assert len(batches) <= max(count // 200, count * name_bytes // 50_000, 1) + 1


def test_history_waits_for_the_application() -> None:
    reached = list[int]()

    def run(channel: BackupChannel) -> None:
        for number in range(40):
            channel.history.add_entry("x", node=number, parent=1)
            channel.history.add_node(number, ATTRIBUTES, position=None)
            reached.append(number)

    with PathRig() as rig:
        rig.meet()
        rig.path.start_backup(run)
        first = [rig.next_of(HistoryAdded) for _ in range(8)]
        rig.expect_silence(0.1)
        assert len(reached) < 6
        first[0].taken()
        first[0].taken()  # makes room once
        ninth = rig.next_of(HistoryAdded)
        rig.expect_silence(0.05)
        for batch in (*first[1:], ninth):
            batch.taken()
        assert len(list(_batches(rig))) == 80 - 9


def test_the_log_waits_for_the_application() -> None:
    """A tree in which nothing can be read has as many lines as files."""

    def run(channel: BackupChannel) -> None:
        for number in range(1000):
            channel.log(LogType.WARNING, str(number))

    with PathRig() as rig:
        rig.meet()
        rig.path.start_backup(run)
        lines = [rig.next_of(DataLogged) for _ in range(64)]
        rig.expect_silence(0.1)
        lines[0].taken()
        lines[0].taken()  # makes room once
        assert rig.next_of(DataLogged).text == "64"
        rig.expect_silence(0.05)
        rig.path.stop()  # which waits for the operation


# -- recoveries ------------------------------------------------------------------------------------------------------


def test_a_recovery_reads_stretches() -> None:
    content = stream(3_000_000)
    stretches = [(0, 10), (500, 1), (700, 0), (1000, 2_500_000), (100, 512)]
    got = list[bytes]()

    def run(channel: RecoverChannel) -> None:
        assert channel.read(10) == b""  # nothing was asked for
        for offset, length in stretches:
            channel.expect(offset, length)
            pieces = []
            while piece := channel.read(70_000):
                assert len(piece) <= 70_000
                pieces.append(piece)
            assert channel.read(1) == b""
            got.append(b"".join(pieces))
            channel.recovered(f"/{offset}", RecoveryStatus.SUCCESSFUL)

    for meet in (PathRig.meet, PathRig.called):
        got.clear()
        with PathRig() as rig:
            peer = meet(rig)
            rig.path.start_recover(run)
            for offset, length in stretches:
                if length:
                    rig.expect(DataWanted(offset, length))
                    peer.sendall(content[offset : offset + length])
                rig.expect(FileRecovered(f"/{offset}", RecoveryStatus.SUCCESSFUL))
            rig.expect(SUCCESSFUL)
            assert take_all(peer) == b""
            assert rig.path.progress() == DataProgress(sum(size for _, size in stretches))
        assert got == [content[offset : offset + length] for offset, length in stretches]


def test_a_stretch_may_go_to_the_end_of_the_stream() -> None:
    content = stream(2_500_000)
    for length, sent in ((ALL_ONES_64, len(content)), (len(content) + 1, len(content)), (ALL_ONES_64, 0)):
        got = list[bytes]()

        def run(channel: RecoverChannel, length: int = length, got: list[bytes] = got) -> None:
            channel.expect(0, length)
            while piece := channel.read(1 << 22):
                got.append(piece)

        with PathRig() as rig:
            peer = rig.meet()
            rig.path.start_recover(run)
            rig.expect(DataWanted(0, length))
            with feeding(peer, [content[:sent]]):
                rig.expect(SUCCESSFUL)
        assert b"".join(got) == content[:sent]


def test_bytes_are_there_as_soon_as_they_have_come() -> None:
    got = list[bytes]()
    arrived = threading.Semaphore(0)

    def run(channel: RecoverChannel) -> None:
        channel.expect(0, ALL_ONES_64)
        while piece := channel.read(10):
            got.append(piece)
            arrived.release()

    with PathRig() as rig:
        peer = rig.meet()
        rig.path.start_recover(run)
        rig.expect(DataWanted(0, ALL_ONES_64))
        peer.sendall(b"abc")
        assert arrived.acquire(timeout=DEADLINE)
        assert got == [b"abc"]
        peer.close()
        rig.expect(SUCCESSFUL)


def test_a_stretch_ends_where_it_was_to_end() -> None:
    got = list[bytes]()

    def run(channel: RecoverChannel) -> None:
        for offset in (0, 10):
            channel.expect(offset, 10)
            got.extend((channel.read(100), channel.read(100)))

    with PathRig() as rig:
        rig.meet().sendall(b"0123456789abcdefghij and more")
        rig.path.start_recover(run)
        rig.expect(DataWanted(0, 10), DataWanted(10, 10), SUCCESSFUL)
    assert got == [b"0123456789", b"", b"abcdefghij", b""]


def test_a_recovery_that_has_what_it_wants_leaves() -> None:
    def run(channel: RecoverChannel) -> None:
        channel.expect(0, ALL_ONES_64)
        channel.read(10)

    with PathRig() as rig:
        peer = rig.meet()
        peer.sendall(bytes(100_000))
        rig.path.start_recover(run)
        rig.expect(DataWanted(0, ALL_ONES_64), SUCCESSFUL)


def test_a_stretch_must_be_read_before_the_next() -> None:
    def run(channel: RecoverChannel) -> None:
        channel.expect(0, 10)
        channel.read(4)
        channel.expect(10, 10)

    with PathRig() as rig:
        rig.meet().sendall(bytes(10))
        rig.path.start_recover(run)
        rig.expect(DataWanted(0, 10))
        rig.expect_halt(INTERNAL_ERROR, "before offset 10")
