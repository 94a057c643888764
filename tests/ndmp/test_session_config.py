"""What a host tells of its drives, changers, butypes and file systems (draft 3.2.5 to 3.2.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from ndmp.backends import BackupRun, BackupType, FileSystem, Host, RecoverRun, WantedPath
from ndmp.enums import ButypeAttribute, Error, FsInfoUnsupported, ScsiAttribute, TapeAttribute
from ndmp.errors import ReplyError
from ndmp.messages import config as c
from ndmp.wire import Request
from tests.ndmp.driver import LOGIN, Driver
from tests.ndmp.fakes import MemoryTape, ScriptedMovers
from tests.ndmp.fakes_scsi import MemoryChanger

ONES = 0xFFFFFFFFFFFFFFFF


@dataclass
class Shelf:
    """A data server that is asked what it has, and never backs up."""

    butypes: Sequence[BackupType] = ()
    shown: list[FileSystem] = field(default_factory=list)
    broken: bool = False

    def file_systems(self) -> Sequence[FileSystem]:
        if self.broken:
            raise ReplyError(Error.IO, "a mount hangs")
        return self.shown

    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        raise ReplyError(Error.ILLEGAL_ARGS)

    def recover(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        raise ReplyError(Error.ILLEGAL_ARGS)

    recover_history = recover


def session(host: Host) -> Driver:
    return Driver(host).go(LOGIN)


def test_each_drive_is_an_entry() -> None:
    """Names in one entry would be names of one drive."""
    told = session(Host("h", tapes={"t": MemoryTape(), "t2": MemoryTape(capabilities=())})).ask(c.ConfigGetTapeInfo())
    pairs = (c.Pval("KIND", "list"),)
    assert told.tapes == (
        c.DeviceInfo("memory", (c.DeviceCapability("t", TapeAttribute.RAW, pairs),)),
        c.DeviceInfo("memory", (c.DeviceCapability("t2", TapeAttribute.RAW, ()),)),
    )


def test_each_changer_is_an_entry() -> None:
    changers = {"c": MemoryChanger(), "shared": MemoryChanger(shared=True, model="X", capabilities=())}
    told = session(Host("h", changers=changers)).ask(c.ConfigGetScsiInfo())
    pairs = (c.Pval("SLOTS", "2"),)
    assert told.changers == (
        c.ScsiDeviceInfo("MEMORY CHANGER", (c.ScsiDeviceCapability("c", ScsiAttribute(0), pairs),)),
        c.ScsiDeviceInfo("X", (c.ScsiDeviceCapability("shared", ScsiAttribute.SHARED_ROBOT, ()),)),
    )


def data_host(shelf: Shelf) -> Host:
    return Host("h", data=shelf, movers=ScriptedMovers())


def test_butypes() -> None:
    attributes = ButypeAttribute.BACKUP_FH_DIR | ButypeAttribute.RECOVER_DIRECT
    shelf = Shelf([BackupType("tar", [("HIST", "n"), ("TYPE", "tar")], attributes), BackupType("x", (), attributes)])
    told = session(data_host(shelf)).ask(c.ConfigGetButypeInfo())
    assert told.butypes == (
        c.ButypeInfo("tar", (c.Pval("HIST", "n"), c.Pval("TYPE", "tar")), attributes),
        c.ButypeInfo("x", (), attributes),
    )


def test_no_butypes_are_an_answer() -> None:
    assert session(data_host(Shelf())).ask(c.ConfigGetButypeInfo()).butypes == ()


def test_file_systems() -> None:
    shelf = Shelf()
    driver = session(data_host(shelf))
    assert driver.ask(c.ConfigGetFsInfo()).file_systems == ()
    shelf.shown.append(
        FileSystem(
            "/srv",
            "ext4",
            device="/dev/sda1",
            total_bytes=1,
            used_bytes=2,
            available_bytes=3,
            total_inodes=4,
            used_inodes=5,
            environment=[("LOCAL", "y")],
            status="offline",
        )
    )
    (told,) = driver.ask(c.ConfigGetFsInfo()).file_systems
    assert (told.logical_device, told.physical_device, told.fs_type) == ("/srv", "/dev/sda1", "ext4")
    assert (told.total_size, told.used_size, told.avail_size, told.total_inodes, told.used_inodes) == (1, 2, 3, 4, 5)
    assert (told.unsupported, told.environment, told.status) == (0, (c.Pval("LOCAL", "y"),), "offline")


UNKNOWN = [
    ("total_bytes", "total_size", FsInfoUnsupported.TOTAL_SIZE),
    ("used_bytes", "used_size", FsInfoUnsupported.USED_SIZE),
    ("available_bytes", "avail_size", FsInfoUnsupported.AVAIL_SIZE),
    ("total_inodes", "total_inodes", FsInfoUnsupported.TOTAL_INODES),
    ("used_inodes", "used_inodes", FsInfoUnsupported.USED_INODES),
]


@pytest.mark.parametrize(("known", "field_", "bit"), UNKNOWN)
def test_what_is_not_known_of_a_file_system(known: str, field_: str, bit: FsInfoUnsupported) -> None:
    shelf = Shelf(shown=[FileSystem("/srv", "ext4", **{known: 0})])  # type: ignore[arg-type]
    (told,) = session(data_host(shelf)).ask(c.ConfigGetFsInfo()).file_systems
    assert told.unsupported == 0x1F & ~bit
    numbers = {name: getattr(told, name) for _, name, _ in UNKNOWN}
    assert numbers == {name: 0 if name == field_ else ONES for _, name, _ in UNKNOWN}


def test_file_systems_that_cannot_be_listed() -> None:
    assert session(data_host(Shelf(broken=True))).error(c.ConfigGetFsInfo()) == Error.IO


def test_file_systems_are_asked_for_in_a_thread() -> None:
    driver = session(data_host(Shelf()))
    for request, blocking in ((c.ConfigGetFsInfo(), True), (c.ConfigGetButypeInfo(), False)):
        tasks = driver.session.receive(driver.client.send_request(request, now=0)[1])
        assert any(task.blocking for task in tasks) == blocking


ASKED: list[tuple[str, Request]] = [
    ("tapes", c.ConfigGetTapeInfo()),
    ("changers", c.ConfigGetScsiInfo()),
    ("data", c.ConfigGetButypeInfo()),
    ("data", c.ConfigGetFsInfo()),
]
PARTS = {"tapes": {"t": MemoryTape()}, "changers": {"c": MemoryChanger()}, "data": Shelf()}


@pytest.mark.parametrize(("needs", "request_"), ASKED)
def test_what_a_host_lacks_is_not_told(needs: str, request_: Request) -> None:
    for part, backend in PARTS.items():
        driver = session(Host("h", movers=ScriptedMovers(), **{part: backend}))  # type: ignore[arg-type]
        assert driver.error(request_) == (Error.NO_ERR if part == needs else Error.NOT_SUPPORTED), part
    for nothing in ({}, None):
        driver = session(Host("h", tapes=nothing, changers=nothing))
        assert driver.error(request_) == Error.NOT_SUPPORTED
