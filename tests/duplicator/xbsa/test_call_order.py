"""Every call in every state of a session: what succeeds, and the code of what does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from duplicator.xbsa import calls, session_state
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.types import (
    BSA_ApiVersion,
    BSA_DataBlock32,
    BSA_Handle,
    BSA_ObjectDescriptor,
    BSA_ObjectOwner,
    BSA_UInt64,
    BSA_Vote,
    Size,
    Strings,
    Text,
)
from duplicator.xbsa.wire import Fault
from tests.duplicator.xbsa.fake_service import FakeService
from tests.duplicator.xbsa.steps import ENVIRONMENT, OK, begin, block, create, everything, get, new_object, put, start

WRONG = ReturnCode.INVALID_CALL_SEQUENCE
NO_HANDLE = ReturnCode.INVALID_HANDLE
LOST = ReturnCode.ABORT_SYSTEM_ERROR
ABORTED = ReturnCode.TRANSACTION_ABORTED
ALL = ReturnCode.NO_MORE_DATA


def no_session() -> int:
    return 0


def after_terminate() -> int:
    handle = start()
    assert calls.BSATerminate(handle) == OK
    return handle


def in_backup() -> int:
    handle = begin()
    put(handle, b"abc")
    return handle


def sending() -> int:
    handle = begin()
    create(handle)
    return handle


def sending_nothing() -> int:
    handle = begin()
    create(handle, new_object(estimate=0))
    return handle


def querying() -> int:
    handle = begin()
    assert calls.BSAQueryObject(handle, everything("/one"), BSA_ObjectDescriptor()) == OK
    return handle


def found_nothing() -> int:
    handle = begin()
    assert calls.BSAQueryObject(handle, everything("/none"), BSA_ObjectDescriptor()) == ReturnCode.NO_MATCH
    return handle


def receiving() -> int:
    handle = begin()
    get(handle, 1)
    return handle


def restored() -> int:
    handle = receiving()
    assert calls.BSAEndData(handle) == OK
    return handle


def deleting() -> int:
    handle = begin()
    assert calls.BSADeleteObject(handle, BSA_UInt64(0, 1)) == OK
    return handle


def init(_: int) -> ReturnCode:
    return calls.BSAInit(BSA_Handle(), None, BSA_ObjectOwner(), ENVIRONMENT)


CALLS: Mapping[str, Callable[[int], ReturnCode]] = {
    "Init": init,
    "BeginTxn": calls.BSABeginTxn,
    "CreateObject": lambda h: calls.BSACreateObject(h, new_object(), BSA_DataBlock32()),
    "SendData": lambda h: calls.BSASendData(h, block(b"abc")),
    "EndData": calls.BSAEndData,
    "commit": lambda h: calls.BSAEndTxn(h, BSA_Vote.COMMIT),
    "abort": lambda h: calls.BSAEndTxn(h, BSA_Vote.ABORT),
    "GetObject": lambda h: calls.BSAGetObject(h, BSA_ObjectDescriptor(copyId=BSA_UInt64(0, 1)), BSA_DataBlock32()),
    "GetData": lambda h: calls.BSAGetData(h, BSA_DataBlock32(bufferLen=9, bufferPtr=bytearray(9))),
    "QueryObject": lambda h: calls.BSAQueryObject(h, everything("/one"), BSA_ObjectDescriptor()),
    "GetNextQueryObject": lambda h: calls.BSAGetNextQueryObject(h, BSA_ObjectDescriptor()),
    "DeleteObject": lambda h: calls.BSADeleteObject(h, BSA_UInt64(0, 1)),
    "GetEnvironment": lambda h: calls.BSAGetEnvironment(h, BSA_ObjectOwner(), Strings(1000)),
    "Terminate": calls.BSATerminate,
    "QueryApiVersion": lambda _: calls.BSAQueryApiVersion(BSA_ApiVersion()),
    "QueryServiceProvider": lambda _: calls.BSAQueryServiceProvider(Size(99), Text(), Text()),
    "GetLastError": lambda _: calls.BSAGetLastError(Size(), Text()),
}
ALWAYS = {"QueryApiVersion": OK, "QueryServiceProvider": OK, "GetLastError": OK}
IN_SESSION = {**ALWAYS, "GetEnvironment": OK, "Terminate": OK}
IN_TRANSACTION = {**IN_SESSION, "abort": OK}
SEARCH = {**IN_TRANSACTION, "commit": OK, "QueryObject": OK, "GetNextQueryObject": ALL}

STATES: Mapping[Callable[[], int], Mapping[str, ReturnCode]] = {
    no_session: {**dict.fromkeys(CALLS, NO_HANDLE), **ALWAYS, "Init": OK},
    after_terminate: {**dict.fromkeys(CALLS, NO_HANDLE), **ALWAYS, "Init": OK},
    start: {**IN_SESSION, "BeginTxn": OK},
    begin: {
        **IN_TRANSACTION,
        "CreateObject": OK,
        "GetObject": OK,
        "QueryObject": OK,
        "DeleteObject": OK,
        "commit": OK,
    },
    in_backup: {**IN_TRANSACTION, "CreateObject": OK, "commit": OK},
    sending: {**IN_TRANSACTION, "SendData": OK, "EndData": OK},
    sending_nothing: {**IN_TRANSACTION, "EndData": OK},
    querying: {**SEARCH, "GetObject": OK, "DeleteObject": OK},
    found_nothing: {**SEARCH, "GetObject": OK, "DeleteObject": OK, "GetNextQueryObject": WRONG},
    receiving: {**IN_TRANSACTION, "GetData": ALL, "EndData": OK},
    restored: {**SEARCH, "GetObject": OK, "GetNextQueryObject": WRONG},
    deleting: {**SEARCH, "DeleteObject": OK, "GetNextQueryObject": WRONG},
}
"""What each state allows; all else is WRONG there."""


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_every_call_in_every_state(state: Callable[[], int], service: FakeService) -> None:
    for name, call in CALLS.items():
        service.objects.clear()
        service.last_id = 0
        service.store("/one", b"whole")
        handle = state()
        assert call(handle) == STATES[state].get(name, WRONG), name
        if running := session_state.current():
            assert calls.BSATerminate(running.handle) == OK


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_refused_call_changes_nothing(state: Callable[[], int], service: FakeService) -> None:
    """Whatever was refused, the state allows and refuses the same as before."""
    service.store("/one", b"whole")
    handle = state()
    refused = [name for name in CALLS if STATES[state].get(name, WRONG) not in (OK, ALL)]
    for name in refused * 2:
        assert CALLS[name](handle) == STATES[state].get(name, WRONG), name
    if "abort" in STATES[state] and STATES[state]["abort"] == OK:
        assert calls.BSAEndTxn(handle, BSA_Vote.ABORT) == OK
        assert calls.BSABeginTxn(handle) == OK


def test_a_broken_backup_can_only_be_ended(service: FakeService) -> None:
    service.faults["begin"] = Fault(0x03, 129, "the disk is full")
    expected = {**IN_TRANSACTION, "CreateObject": LOST, "SendData": LOST, "EndData": LOST, "commit": ABORTED}
    for name, call in CALLS.items():
        handle = begin()
        assert CALLS["CreateObject"](handle) == LOST
        assert call(handle) == expected.get(name, WRONG), name
        if running := session_state.current():
            assert calls.BSATerminate(running.handle) == OK


def test_a_vote_is_one_of_two(service: FakeService) -> None:
    handle = begin()
    for vote in (0, 3, 99, -1):
        assert calls.BSAEndTxn(handle, vote) == ReturnCode.INVALID_VOTE
    assert calls.BSAEndTxn(handle, 1) == OK
