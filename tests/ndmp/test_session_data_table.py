"""Which DATA request is answered how in which state: sections 2.11.5 and 3.5.2 of the draft."""

from __future__ import annotations

from typing import Any

import pytest

from ndmp.backends import DataHalted, DataStarted
from ndmp.enums import AddressType, DataHaltReason, DataState, Error
from ndmp.messages import data as d
from ndmp.services.profile import NDMJOB, STRICT, Profile
from ndmp.types import IpcAddress, LocalAddress, TcpAddress, TcpAddresses
from ndmp.wire import REQUESTS, OtherArm, Request
from tests.ndmp.driver import LOGIN, ONES, PEER, Driver
from tests.ndmp.fakes_data import MemoryFiles

NAMES = (d.RecoverName("/a", "/to", "", "", ONES, ONES),)
BACKUP, RECOVER = d.DataStartBackup("dump", ()), d.DataStartRecover((), NAMES, "dump")
HISTORY = d.DataStartRecoverFilehist((), NAMES, "dump")
REQUEST: dict[str, Request[Any]] = {
    "state": d.DataGetState(),
    "listen_tcp": d.DataListen(AddressType.TCP),
    "listen_local": d.DataListen(AddressType.LOCAL),
    "listen_ipc": d.DataListen(AddressType.IPC),
    "listen_123": d.DataListen(AddressType(123)),
    "connect_tcp": d.DataConnect(PEER),
    "connect_local": d.DataConnect(LocalAddress()),
    "connect_nowhere": d.DataConnect(TcpAddresses(())),
    "connect_ipc": d.DataConnect(IpcAddress(b"/s")),
    "connect_2": d.DataConnect(OtherArm(2, b"")),
    "backup": BACKUP,
    "backup_no_type": d.DataStartBackup("tar", ()),
    "recover": RECOVER,
    "recover_no_type": d.DataStartRecover((), NAMES, ""),
    "recover_none": d.DataStartRecover((), (), "dump"),
    "recover_nowhere": d.DataStartRecover((), (d.RecoverName("/a", "", "", "", 1, 1),), "dump"),
    "history": HISTORY,
    "history_no_type": d.DataStartRecoverFilehist((), NAMES, "DUMP"),
    "history_none": d.DataStartRecoverFilehist((), (), "dump"),
    "abort": d.DataAbort(),
    "env": d.DataGetEnv(),
    "stop": d.DataStop(),
}

_CONNECTED: tuple[Any, ...] = (LOGIN, d.DataConnect(PEER))
_LISTEN: tuple[Any, ...] = (LOGIN, d.DataListen(AddressType.TCP))
SITUATIONS: dict[str, tuple[Any, ...]] = {
    "new": (),
    "idle": (LOGIN,),
    "listen": _LISTEN,
    "connected": _CONNECTED,
    "accepted": (*_LISTEN, DataStarted(TcpAddress("127.0.0.9", 9))),
    "backup": (*_CONNECTED, BACKUP),
    "recover": (*_CONNECTED, RECOVER),
    "history": (*_CONNECTED, HISTORY),
    "halted": (*_CONNECTED, BACKUP, DataHalted(DataHaltReason.SUCCESSFUL)),
    "aborted": (*_LISTEN, d.DataAbort()),
}
STATE_OF = {
    "idle": DataState.IDLE,
    "listen": DataState.LISTEN,
    "connected": DataState.CONNECTED,
    "accepted": DataState.CONNECTED,
    "backup": DataState.ACTIVE,
    "recover": DataState.ACTIVE,
    "history": DataState.ACTIVE,
    "halted": DataState.HALTED,
    "aborted": DataState.HALTED,
}

TABLE = """
                 new  idle  listen connected accepted backup recover history halted aborted
state              4     0       0         0        0      0       0       0      0       0
listen_tcp         4     0      19        19       19     19      19      19     19      19
listen_local       4     0      19        19       19     19      19      19     19      19
listen_ipc         4     9       9         9        9      9       9       9      9       9
listen_123         4     9       9         9        9      9       9       9      9       9
connect_tcp        4     0      19        19       19     19      19      19     19      19
connect_local      4    23      19        19       19     19      19      19     19      19
connect_nowhere    4     9       9         9        9      9       9       9      9       9
connect_ipc        4     9       9         9        9      9       9       9      9       9
connect_2          4     9       9         9        9      9       9       9      9       9
backup             4    19      19         0        0     19      19      19     19      19
backup_no_type     4     9       9         9        9      9       9       9      9       9
recover            4    19      19         0        0     19      19      19     19      19
recover_no_type    4     9       9         9        9      9       9       9      9       9
recover_none       4     9       9         9        9      9       9       9      9       9
recover_nowhere    4     9       9         9        9      9       9       9      9       9
history            4    19      19         0        0     19      19      19     19      19
history_no_type    4     9       9         9        9      9       9       9      9       9
history_none       4     9       9         9        9      9       9       9      9       9
abort              4    19       0         0        0      0       0       0      0       0
env                4    19      19        19       19      0       0       0      0       0
stop               4    19      19        19       19     19      19      19      0       0
"""
"""Numbers are errors of draft 2.8.1."""


def situation(name: str, profile: Profile = STRICT) -> Driver:
    return Driver(data=MemoryFiles(), profile=profile).go(*SITUATIONS[name])


def columns() -> dict[str, dict[str, int]]:
    head, *lines = (line.split() for line in TABLE.strip().splitlines())
    return {name: {line[0]: int(line[1 + index]) for line in lines} for index, name in enumerate(head)}


def test_the_table_holds_every_request_and_situation() -> None:
    assert columns().keys() == SITUATIONS.keys()
    assert columns()["new"].keys() == REQUEST.keys()
    assert {type(each) for each in REQUEST.values()} == {each for each in REQUESTS.values() if each.wire_code >> 8 == 4}
    assert set(STATE_OF.values()) == set(DataState)


@pytest.mark.parametrize("name", SITUATIONS)
def test_errors(name: str) -> None:
    for request, expected in columns()[name].items():
        assert situation(name).error(REQUEST[request]) == expected, request


@pytest.mark.parametrize("name", STATE_OF)
def test_a_refusal_changes_nothing(name: str) -> None:
    driver, fresh = situation(name), situation(name)
    for request, expected in columns()[name].items():
        if expected:
            assert driver.error(REQUEST[request]) == expected, request
    assert len(driver.posts) == len(fresh.posts), "a refused request posts nothing"
    state = driver.ask(d.DataGetState())
    assert state == fresh.ask(d.DataGetState())
    assert state.state == STATE_OF[name]
    paths, untouched = ([path.asked for path in each.movers.paths] for each in (driver, fresh))
    assert paths[: len(untouched)] == untouched
    assert not any(paths[len(untouched) :]), "a path that was made for nothing was asked for nothing"


def test_in_the_profile_of_ndmjob_a_history_without_names_is_one_of_everything() -> None:
    assert situation("connected", NDMJOB).error(REQUEST["history_none"]) == Error.NO_ERR
    assert situation("connected", NDMJOB).error(REQUEST["recover_none"]) == Error.ILLEGAL_ARGS


def test_what_the_conformance_test_of_ndmjob_asks_of_a_data_server() -> None:
    for profile in (STRICT, NDMJOB):
        driver = situation("idle", profile)
        for request in (d.DataAbort(), d.DataStop()):
            assert driver.error(request) == Error.ILLEGAL_STATE
        for kind in (AddressType.TCP, AddressType.LOCAL):
            assert _state(driver) == (DataState.IDLE, DataHaltReason.NA)
            address = driver.ask(d.DataListen(kind)).address
            assert isinstance(address, TcpAddresses if kind == AddressType.TCP else LocalAddress)
            assert _state(driver) == (DataState.LISTEN, DataHaltReason.NA)
            assert driver.error(d.DataListen(kind)) == Error.ILLEGAL_STATE
            assert driver.error(d.DataStop()) == Error.ILLEGAL_STATE
            driver.go(d.DataAbort())
            assert _state(driver) == (DataState.HALTED, DataHaltReason.ABORTED)
            driver.go(d.DataStop())
            assert _state(driver) == (DataState.IDLE, DataHaltReason.NA)
        assert driver.error(d.DataListen(AddressType(123))) == Error.ILLEGAL_ARGS


def _state(driver: Driver) -> tuple[DataState, DataHaltReason]:
    state = driver.ask(d.DataGetState())
    return state.state, state.halt_reason
