"""A data path and a mover with a tape, or two movers, over every kind of data connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from duplicator.data_tls import DataTls, TlsPolicy
from duplicator.network import NetworkSettings
from ndmp.backends import (
    BackupChannel,
    DataEnd,
    DataHalted,
    DataStarted,
    DataWanted,
    MoverHalted,
    MoverPaused,
    MoverStarted,
    RecoverChannel,
)
from ndmp.enums import DataHaltReason, Error, MoverHaltReason, MoverMode, MoverPauseReason
from ndmp.errors import ReplyError
from ndmp.types import ALL_ONES_64
from tests.duplicator.datapath import (
    ENDLESS,
    FailingDevice,
    GatedDevice,
    Rig,
    blocks_on,
    no_leaks,
    open_tape,
    recorded,
    stream,
)
from tests.duplicator.operations import SUCCESSFUL, PathRig

CLOSED = MoverHalted(MoverHaltReason.CONNECT_CLOSED)
EOF = MoverPaused(MoverPauseReason.EOF)
RECORD = 65536


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with no_leaks():
        yield


_TLS = DataTls(TlsPolicy.REQUIRE)
assert _TLS.identity


@dataclass(frozen=True)
class Way:
    """A kind of data connection."""

    name: str
    settings: NetworkSettings = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", NetworkSettings(tls=_TLS if self.name == "tls" else None))

    def join(self, listener: DataEnd, caller: DataEnd) -> None:
        """Have one of them connect to the other."""
        if self.name == "local":
            caller.connect_local(listener.listen_local())
        else:
            caller.connect(listener.listen())


@pytest.fixture(params=["tcp", "tls", "local"])
def way(request: pytest.FixtureRequest) -> Way:
    """One kind after the other."""
    return Way(request.param)


def meet(way: Way, rig: Rig, data: PathRig, *, mover_listens: bool) -> None:
    """Connect a mover and a data path; who listened tells that somebody came."""
    if mover_listens:
        way.join(rig.mover, data.path)
        started = rig.next_event()
        assert isinstance(started, MoverStarted)
    else:
        way.join(data.path, rig.mover)
        started = data.next_of(DataStarted)
    assert (started.address is None) == (way.name == "local")


@pytest.mark.parametrize("mover_listens", [True, False])
def test_a_backup_goes_to_tape(tmp_path: Path, way: Way, mover_listens: bool) -> None:
    content = stream(5_000_001)

    def run(channel: BackupChannel) -> None:
        for at in range(0, len(content), 10240):
            channel.write(content[at : at + 10240])

    path = tmp_path / "VT1"
    with (
        open_tape(path) as tape,
        Rig(MoverMode.READ, RECORD, tape, settings=way.settings) as rig,
        PathRig(way.settings) as data,
    ):
        meet(way, rig, data, mover_listens=mover_listens)
        data.path.start_backup(run)
        data.expect(SUCCESSFUL)
        rig.expect(CLOSED)
        assert rig.mover.counters().bytes_moved == data.path.progress().bytes_processed == len(content)
    assert blocks_on(path)[1] == content + bytes(-len(content) % RECORD)


@pytest.mark.parametrize("mover_listens", [True, False])
def test_a_recovery_comes_from_tape(tmp_path: Path, way: Way, mover_listens: bool) -> None:
    content = stream(40 * RECORD)
    stretches = [(0, 512), (RECORD - 1, 2), (10 * RECORD, 20 * RECORD + 5), (512, 512)]
    got = list[bytes]()

    def run(channel: RecoverChannel) -> None:
        for offset, length in stretches:
            channel.expect(offset, length)
            pieces = []
            while piece := channel.read(100_000):
                pieces.append(piece)
            got.append(b"".join(pieces))
        channel.expect(0, ALL_ONES_64)
        channel.read(10)  # and leaves, with much on the way

    path = recorded(tmp_path / "VT1", [content, None], block_bytes=RECORD)
    with (
        open_tape(path) as tape,
        Rig(MoverMode.WRITE, RECORD, tape, settings=way.settings) as rig,
        PathRig(way.settings) as data,
    ):
        meet(way, rig, data, mover_listens=mover_listens)
        data.path.start_recover(run)
        while isinstance(event := data.next_event(), DataWanted):
            rig.mover.read(event.offset, event.length)
        assert event == SUCCESSFUL
        while (told := rig.next_event()) == EOF:  # it may have sent everything before it notices
            continue
        assert told == CLOSED
    assert got == [content[offset : offset + length] for offset, length in stretches]


def test_a_recovery_to_the_end_ends_when_the_application_closes_the_mover(tmp_path: Path, way: Way) -> None:
    content, got = stream(10 * RECORD), bytearray()

    def run(channel: RecoverChannel) -> None:
        channel.expect(0, ALL_ONES_64)
        while piece := channel.read(10240):
            got.extend(piece)

    path = recorded(tmp_path / "VT1", [content, None], block_bytes=RECORD)
    with (
        open_tape(path) as tape,
        Rig(MoverMode.WRITE, RECORD, tape, settings=way.settings) as rig,
        PathRig(way.settings) as data,
    ):
        meet(way, rig, data, mover_listens=True)
        data.path.start_recover(run)
        data.expect(DataWanted(*ENDLESS))
        rig.mover.read(*ENDLESS)
        rig.expect(EOF)
        rig.mover.stop()  # MOVER_CLOSE
        data.expect(SUCCESSFUL)
    assert got == content


def test_a_copy_goes_from_tape_to_tape(tmp_path: Path, way: Way) -> None:
    content = stream(90 * RECORD)
    recorded(tmp_path / "VT1", [content, None], block_bytes=RECORD)
    with (
        open_tape(tmp_path / "VT1") as source,
        open_tape(tmp_path / "VT2") as target,
        Rig(MoverMode.READ, 10240, target, settings=way.settings, window=(0, 10 * 10240)) as to_tape,
        Rig(MoverMode.WRITE, RECORD, source, settings=way.settings) as from_tape,
    ):
        way.join(to_tape.mover, from_tape.mover)
        assert isinstance(to_tape.next_event(), MoverStarted)
        from_tape.mover.read(*ENDLESS)
        to_tape.expect(MoverPaused(MoverPauseReason.EOW))
        to_tape.go_on(*ENDLESS)
        from_tape.expect(EOF)
        from_tape.mover.stop()  # MOVER_CLOSE
        to_tape.expect(CLOSED)
        assert to_tape.mover.counters().bytes_moved == len(content)
    assert blocks_on(tmp_path / "VT2")[1] == content


def test_in_tls_a_tape_that_breaks_is_not_the_end_of_the_stream(tmp_path: Path) -> None:
    way = Way("tls")
    recorded(tmp_path / "VT1", [bytes(RECORD)] * 40)
    with ExitStack() as stack:
        source = FailingDevice(stack.enter_context(open_tape(tmp_path / "VT1")), 20, ReplyError(Error.IO, "torn"))
        target = stack.enter_context(open_tape(tmp_path / "VT2"))
        to_tape = stack.enter_context(Rig(MoverMode.READ, RECORD, target, settings=way.settings))
        from_tape = stack.enter_context(Rig(MoverMode.WRITE, RECORD, source, settings=way.settings))
        way.join(to_tape.mover, from_tape.mover)
        to_tape.next_event()
        from_tape.mover.read(*ENDLESS)
        assert isinstance(told := from_tape.next_event(), MoverHalted)
        assert told.reason == MoverHaltReason.MEDIA_ERROR
        halted = to_tape.next_event()
        assert isinstance(halted, MoverHalted)
        assert halted.reason == MoverHaltReason.CONNECT_ERROR
        assert "cut off" in halted.text


def test_in_tls_an_operation_that_fails_or_is_aborted_does_not_look_complete(tmp_path: Path) -> None:
    def fail(channel: BackupChannel) -> None:
        channel.write(bytes(100_000))
        raise KeyError("x")

    def go_on(channel: BackupChannel) -> None:
        while True:
            channel.write(bytes(100))

    way = Way("tls")
    for number, run in enumerate((fail, go_on)):
        with (
            open_tape(tmp_path / f"VT{number}") as tape,
            Rig(MoverMode.READ, 512, tape, settings=way.settings) as rig,
            PathRig(way.settings) as data,
        ):
            meet(way, rig, data, mover_listens=True)
            data.path.start_backup(run)
            if run is go_on:
                while data.path.progress().bytes_processed < 1 << 20:
                    assert threading.Event().wait(0.002) is False
                data.path.stop()
                data.expect_silence()
            else:
                assert data.next_of(DataHalted).reason == DataHaltReason.INTERNAL_ERROR
            halted = rig.next_event()
            assert isinstance(halted, MoverHalted)
            assert halted.reason == MoverHaltReason.CONNECT_ERROR


def test_a_mover_that_ends_a_backup_ends_the_data_path(tmp_path: Path, way: Way) -> None:
    def run(channel: BackupChannel) -> None:
        while True:
            channel.write(bytes(10240))

    with (
        open_tape(tmp_path / "VT1") as tape,
        Rig(MoverMode.READ, RECORD, tape, settings=way.settings, window=(0, RECORD)) as rig,
        PathRig(way.settings) as data,
    ):
        meet(way, rig, data, mover_listens=True)
        data.path.start_backup(run)
        rig.expect(MoverPaused(MoverPauseReason.EOW))
        rig.mover.stop()
        data.expect_halt(DataHaltReason.CONNECT_ERROR, "data connection: ")


def test_stop_is_prompt_under_load_over_every_way(tmp_path: Path, way: Way) -> None:
    def run(channel: BackupChannel) -> None:
        while True:
            channel.write(bytes(1 << 20))

    with open_tape(tmp_path / "VT1") as tape:
        device = GatedDevice(tape)
        with Rig(MoverMode.READ, RECORD, device, settings=way.settings) as rig, PathRig(way.settings) as data:
            meet(way, rig, data, mover_listens=False)
            data.path.start_backup(run)
            device.await_caller()
            stopping = threading.Thread(target=data.path.stop)
            stopping.start()
            stopping.join(1)
            assert not stopping.is_alive()
            data.expect_silence()
            device.open_gate()
            assert isinstance(rig.next_event(), MoverHalted)


def test_two_pairs_do_not_disturb_each_other(tmp_path: Path, way: Way) -> None:
    contents = [stream(3_000_001, seed) for seed in (1, 2)]

    def backup(content: bytes) -> object:
        return lambda channel: channel.write(content)

    with ExitStack() as stack:
        pairs = []
        for number in range(2):
            tape = stack.enter_context(open_tape(tmp_path / f"VT{number}"))
            rig = stack.enter_context(Rig(MoverMode.READ, RECORD, tape, settings=way.settings))
            data = stack.enter_context(PathRig(way.settings))
            meet(way, rig, data, mover_listens=bool(number))
            pairs.append((rig, data))
        for (_, data), content in zip(pairs, contents, strict=True):
            data.path.start_backup(backup(content))  # type: ignore[arg-type]
        for rig, data in pairs:
            data.expect(SUCCESSFUL)
            rig.expect(CLOSED)
    for number, content in enumerate(contents):
        assert blocks_on(tmp_path / f"VT{number}")[1] == content + bytes(-len(content) % RECORD)
