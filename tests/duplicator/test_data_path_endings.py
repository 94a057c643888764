"""How a data path ends: peers that leave, backends that fail, and a host that says stop."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from duplicator.network import NetworkSettings
from ndmp.backends import (
    BackupChannel,
    DataWanted,
    HistoryAdded,
    OperationEnded,
    RecoverChannel,
)
from ndmp.enums import DataHaltReason, Error, LogType
from ndmp.errors import ReplyError
from ndmp.types import ALL_ONES_64, TcpAddress
from tests.duplicator.datapath import DEADLINE, PROMPT, no_leaks, reset, take_all
from tests.duplicator.operations import ATTRIBUTES, PathRig

CONNECT_ERROR, INTERNAL_ERROR = DataHaltReason.CONNECT_ERROR, DataHaltReason.INTERNAL_ERROR


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with no_leaks():
        yield


# -- failures --------------------------------------------------------------------------------------------------------


def _hang_up(peer: socket.socket) -> None:
    peer.close()


@pytest.mark.parametrize("meet", [PathRig.meet, PathRig.called])
@pytest.mark.parametrize("leave", [_hang_up, reset])
def test_a_peer_that_leaves_before_the_start_is_noticed(
    meet: Callable[[PathRig], socket.socket], leave: Callable[[socket.socket], None]
) -> None:
    with PathRig() as rig:
        leave(meet(rig))
        rig.expect_halt(CONNECT_ERROR, "data connection: ")
        rig.path.start_backup(lambda channel: pytest.fail("it is over"))  # comes too late, and does no harm


@pytest.mark.parametrize("leave", [_hang_up, reset])
@pytest.mark.parametrize("manner", ["passes it on", "swallows it", "makes something else of it"])
def test_a_backup_whose_receiver_leaves_is_a_connect_error(leave: Callable[[socket.socket], None], manner: str) -> None:
    begun, left = threading.Event(), threading.Event()

    def run(channel: BackupChannel) -> None:
        begun.set()
        assert left.wait(DEADLINE)
        try:
            while True:
                channel.write(bytes(1 << 20))
        except OperationEnded:
            with pytest.raises(OperationEnded):
                channel.check()
            if manner == "passes it on":
                raise
            if manner == "makes something else of it":
                raise ValueError("odd") from None

    with PathRig() as rig:
        peer = rig.meet()
        rig.path.start_backup(run)
        assert begun.wait(DEADLINE)
        leave(peer)
        left.set()
        rig.expect_halt(CONNECT_ERROR, "data connection: ")


def test_a_backup_that_rests_may_ask_whether_its_receiver_is_there() -> None:
    left = threading.Event()

    def run(channel: BackupChannel) -> None:
        channel.check()
        assert left.wait(DEADLINE)
        channel.check()

    with PathRig() as rig:
        peer = rig.meet()
        rig.path.start_backup(run)
        peer.close()
        left.set()
        rig.expect_halt(CONNECT_ERROR, "closed")


def test_the_last_bytes_count_too() -> None:
    left = threading.Event()

    def run(channel: BackupChannel) -> None:
        channel.write(b"abc")
        assert left.wait(DEADLINE)

    with PathRig() as rig:
        peer = rig.meet()
        rig.path.start_backup(run)
        reset(peer)
        left.set()
        rig.expect_halt(CONNECT_ERROR, "data connection: ")


def test_a_flush_has_everything_on_its_way() -> None:
    gate = threading.Event()

    def run(channel: BackupChannel) -> None:
        channel.write(b"abc")
        channel.history.add_entry(".", node=2, parent=2)
        channel.flush()
        assert gate.wait(DEADLINE)
        channel.flush()
        channel.log(LogType.NORMAL, "noted as made")

    with PathRig() as rig:
        peer = rig.meet()
        rig.path.start_backup(run)
        assert peer.recv(10) == b"abc"
        rig.next_of(HistoryAdded)
        peer.close()
        gate.set()
        rig.expect_halt(CONNECT_ERROR, "closed")


def test_a_sender_that_breaks_off_is_a_connect_error() -> None:
    def run(channel: RecoverChannel) -> None:
        channel.expect(0, ALL_ONES_64)
        with suppress(OperationEnded):
            while channel.read(100):
                pass
        for act in (channel.check, lambda: channel.log(LogType.NORMAL, "x"), lambda: channel.expect(0, 1)):
            with pytest.raises(OperationEnded):
                act()

    with PathRig() as rig:
        peer = rig.meet()
        rig.path.start_recover(run)
        rig.expect(DataWanted(0, ALL_ONES_64))
        peer.sendall(bytes(150))
        reset(peer)
        rig.expect_halt(CONNECT_ERROR, "reset")


FAILURES = (
    (OSError(28, "no room left"), "no room left"),
    (ReplyError(Error.IO, "torn"), "torn"),
    (KeyError("x"), "'x'"),
    (SystemExit(3), "3"),
    (AssertionError(), "AssertionError"),
    (OperationEnded("without a reason"), "without a reason"),
)


@pytest.mark.parametrize(("failure", "text"), FAILURES)
def test_a_backend_that_fails_is_an_internal_error(
    caplog: pytest.LogCaptureFixture, failure: BaseException, text: str
) -> None:
    def run(channel: BackupChannel) -> None:
        channel.write(b"abc")
        raise failure

    with PathRig() as rig:
        peer = rig.meet()
        rig.path.start_backup(run)
        rig.expect_halt(INTERNAL_ERROR, text)
        assert take_all(peer) == b""
    assert "Traceback" in caplog.text


def test_a_peer_that_never_comes_is_a_connect_error() -> None:
    with PathRig(NetworkSettings(accept_deadline=0.05)) as rig:
        rig.path.listen()
        rig.expect_halt(CONNECT_ERROR, "data connection: no peer within 0.05 s")


def test_a_peer_that_is_not_there_is_a_refusal() -> None:
    with socket.socket() as taken, PathRig() as rig:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ReplyError) as refused:
            rig.path.connect([TcpAddress(*taken.getsockname())])
        assert refused.value.error == Error.CONNECT


# -- the end that the host asks for ----------------------------------------------------------------------------------


def _in_write(channel: BackupChannel) -> None:
    while True:
        channel.write(bytes(1 << 20))


def _in_small_writes(channel: BackupChannel) -> None:
    while True:
        channel.write(bytes(1 << 10))


def _in_history(channel: BackupChannel) -> None:
    while True:
        channel.history.add_file("/x", ATTRIBUTES, node=1, position=None)


def _in_check(channel: BackupChannel) -> None:
    while True:
        channel.check()


def _deaf(channel: BackupChannel) -> None:
    for act in (lambda: channel.write(bytes(1 << 20)), channel.check, lambda: channel.set_variable("X", "1")) * 9:
        with suppress(OperationEnded):
            while True:
                act()


def _in_read(channel: RecoverChannel) -> None:
    channel.expect(0, 10)
    channel.read(10)


@pytest.mark.parametrize("run", [_in_write, _in_small_writes, _in_history, _in_check, _in_read])
def test_stop_ends_at_once_and_tells_nothing(run: Callable[..., None]) -> None:
    with PathRig() as rig:
        rig.meet()
        if run is _in_read:
            rig.path.start_recover(run)
            rig.expect(DataWanted(0, 10))
        else:
            rig.path.start_backup(run)
        threading.Event().wait(0.05)  # until it stands
        begun = time.monotonic()
        rig.path.stop()
        assert time.monotonic() - begun < PROMPT
        rig.skip_history()
        rig.path.stop()


def test_stop_ends_the_waits_before_the_start() -> None:
    for wait in (PathRig.meet, PathRig.called, lambda rig: rig.path.listen(), lambda rig: rig.path.listen_local()):
        with PathRig() as rig:
            wait(rig)
            begun = time.monotonic()
            rig.path.stop()
            assert time.monotonic() - begun < PROMPT
            rig.path.start_backup(lambda channel: pytest.fail("it was stopped"))
            rig.expect_silence()


def test_an_operation_that_takes_no_notice_ends_as_it_should() -> None:
    with PathRig() as rig:
        rig.meet()
        rig.path.start_backup(_deaf)
        threading.Event().wait(0.02)  # until it writes
        rig.path.stop()
        rig.expect_silence()


def test_an_operation_may_stop_itself() -> None:
    with PathRig() as rig:
        peer = rig.meet()

        def run(channel: BackupChannel) -> None:
            rig.path.stop()
            channel.write(b"x")

        rig.path.start_backup(run)
        assert take_all(peer) == b""
        rig.path.stop()
        rig.expect_silence()
