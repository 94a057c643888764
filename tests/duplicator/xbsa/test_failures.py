"""The service fails or dies at each step: the application gets a code, words, and never a short object as success."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from duplicator.xbsa import calls, dialogue, session_state, streams
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.local_sockets import listen
from duplicator.xbsa.types import BSA_DataBlock32, BSA_ObjectDescriptor, BSA_UInt64, BSA_Vote
from duplicator.xbsa.wire import Fault
from tests.duplicator.processes import wait_until
from tests.duplicator.xbsa.fake_service import FakeService
from tests.duplicator.xbsa.steps import OK, begin, block, create, everything, get, new_object, put, start, words

LOST = ReturnCode.ABORT_SYSTEM_ERROR
CONTENT = bytes(range(256)) * 1000
FAULT = Fault(0x4D, 2001, "no drive is free: run `ndmpdup changer` and look")


@pytest.fixture(autouse=True)
def no_long_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_LAST_WORDS", 0.5)


def get_object(handle: int) -> ReturnCode:
    return calls.BSAGetObject(handle, BSA_ObjectDescriptor(copyId=BSA_UInt64(0, 1)), BSA_DataBlock32())


def get_all(handle: int) -> tuple[ReturnCode, bytes]:
    got, one, code = bytearray(), BSA_DataBlock32(bufferLen=9999, bufferPtr=bytearray(9999)), OK
    while code == OK:
        code = calls.BSAGetData(handle, one)
        assert isinstance(one.bufferPtr, bytearray)
        got += one.bufferPtr[: one.numBytes] if code in (OK, ReturnCode.NO_MORE_DATA) else b""
    return code, bytes(got)


def fail(service: FakeService, step: str, how: str) -> None:
    service.faults.clear()
    service.dies.clear()
    if how == "fault":
        service.faults[step] = FAULT
    else:
        service.dies.add(step)


@pytest.mark.parametrize("how", ["fault", "death"])
def test_restores_that_do_not_begin(service: FakeService, how: str) -> None:
    """The transaction goes on: another object may be got."""
    service.store("/one", CONTENT)
    handle = begin()
    for step in ("StartRestore", "attached", "go", *(("started", "sockets") if how == "death" else ())):
        fail(service, step, how)
        code = get_object(handle)
        assert code == (ReturnCode.ACCESS_FAILURE if how == "fault" else LOST), step
        assert (FAULT.text if how == "fault" else "manager" if step != "StartRestore" else "gave no answer") in words()
    service.dies.clear()
    service.faults.clear()
    get(handle, 1)
    assert get_all(handle) == (ReturnCode.NO_MORE_DATA, CONTENT)
    assert calls.BSAEndData(handle) == OK


@pytest.mark.parametrize("way", ["auto", "socket"])
@pytest.mark.parametrize("how", ["fault", "death"])
def test_restores_that_break_off(service: FakeService, how: str, way: str) -> None:
    """What came before is no whole object, and BSAEndData says so too; then the next object may be got."""
    service.store("/one", CONTENT)
    handle = start(f"NDMPDUP_XBSA_DATA={way}")
    assert calls.BSABeginTxn(handle) == OK
    fail(service, "half", how)
    get(handle, 1)
    code, got = get_all(handle)
    assert code == (ReturnCode.ACCESS_FAILURE if how == "fault" else LOST), words()
    assert (FAULT.text if how == "fault" else "the data broke off") in words()
    assert len(got) <= len(CONTENT) // 2
    assert get_all(handle) == (code, b"")
    assert calls.BSAEndData(handle) == code
    fail(service, "none", how)
    get(handle, 1)
    assert get_all(handle) == (ReturnCode.NO_MORE_DATA, CONTENT)
    assert calls.BSAEndData(handle) == OK
    assert calls.BSAEndTxn(handle, BSA_Vote.COMMIT) == OK


def test_restores_that_are_short(service: FakeService) -> None:
    """The end marker comes too early, and its count is right: the announced size is not."""
    service.store("/one", CONTENT)
    service.short = 1
    handle = begin()
    get(handle, 1)
    code, _ = get_all(handle)
    assert code == LOST
    assert f"{len(CONTENT) - 1} bytes came of {len(CONTENT)}" in words()
    assert calls.BSAEndData(handle) == LOST


def test_another_object_comes(service: FakeService) -> None:
    service.store("/one", CONTENT)
    service.astray = 1
    assert get_object(begin()) == LOST
    assert "object 2 comes, and 1 was asked for" in words()


@pytest.mark.parametrize("way", ["auto", "socket"])
def test_who_says_nothing_is_not_awaited_for_ever(service: FakeService, way: str) -> None:
    service.store("/one", CONTENT)
    handle = start(f"NDMPDUP_XBSA_DATA={way}", "NDMPDUP_XBSA_DEADLINE=0.5", "NDMPDUP_XBSA_START=0.5")
    assert calls.BSABeginTxn(handle) == OK
    cases = [("go", "no answer within 0.5 s"), ("half", "says nothing for 0.5 s"), ("ended", "no answer within 0.5 s")]
    for step, text in cases:
        service.waits = {step}
        code = get_object(handle)
        if step != "go":
            assert code == OK, words()
            code, _ = get_all(handle)
        if step == "ended":
            assert code == ReturnCode.NO_MORE_DATA
            code = calls.BSAEndData(handle)
        assert code == LOST
        assert text in words()
        service.go_on.set()
        calls.BSAEndTxn(handle, BSA_Vote.ABORT)
        assert calls.BSABeginTxn(handle) == OK
        service.go_on.clear()
    service.waits = {"taken"}
    *codes, voted = back_up(handle)
    assert (codes[-1], voted) == (LOST, ReturnCode.TRANSACTION_ABORTED)
    service.go_on.set()
    assert 2 not in service.objects


def test_restores_whose_end_is_bad(service: FakeService) -> None:
    """All bytes came, and still the service's verdict counts."""
    service.store("/one", CONTENT)
    handle = begin()
    ways: list[tuple[Callable[[], object], str]] = [
        (lambda: setattr(service, "server_status", 85), "status 85"),
        (lambda: setattr(service, "miscounted", 1), f"{len(CONTENT)} bytes here, {len(CONTENT) + 1} at the service"),
        (lambda: fail(service, "ended", "death"), "manager"),
        (lambda: fail(service, "ended", "fault"), FAULT.text),
    ]
    for break_it, text in ways:
        get(handle, 1)
        assert get_all(handle) == (ReturnCode.NO_MORE_DATA, CONTENT)
        break_it()
        assert calls.BSAEndData(handle) in (LOST, ReturnCode.ACCESS_FAILURE)
        assert text in words()
        service.server_status = service.miscounted = 0


BACKUP_STEPS = ("StartBackup", "started", "sockets", "attached", "begin", "taking", "taken", "vote")


def back_up(handle: int) -> list[ReturnCode]:
    codes = [calls.BSACreateObject(handle, new_object(), BSA_DataBlock32())]
    codes += [calls.BSASendData(handle, block(CONTENT)) for _ in range(40)]
    codes.append(calls.BSAEndData(handle))
    codes.append(calls.BSAEndTxn(handle, BSA_Vote.COMMIT))
    return codes


@pytest.mark.parametrize("step", BACKUP_STEPS)
def test_backups_that_break_off(service: FakeService, step: str) -> None:
    """From the failure on every call fails, the commit with TRANSACTION_ABORTED; then the session goes on."""
    handle = start()
    for how in ("death", *(("fault",) if step not in ("started", "sockets") else ())):
        fail(service, step, how)
        assert calls.BSABeginTxn(handle) == OK
        *codes, voted = back_up(handle)
        assert voted == ReturnCode.TRANSACTION_ABORTED
        first = next((number for number, code in enumerate(codes) if code != OK), len(codes))
        assert set(codes[first + 1 :]) <= {LOST}
        assert (first == len(codes)) == (step == "vote")
        assert (FAULT.text if how == "fault" else "service" if step == "StartBackup" else "again") in words()
        assert service.objects == {}
    fail(service, "none", "death")
    assert calls.BSABeginTxn(handle) == OK
    assert set(back_up(handle)) == {OK}
    assert len(service.objects) == 1


def test_a_commit_that_nobody_answers(service: FakeService) -> None:
    """Died behind the commit: the objects are there, so it was one."""
    service.dies.add("committed")
    handle = begin()
    put(handle, CONTENT)
    assert calls.BSAEndTxn(handle, BSA_Vote.COMMIT) == OK
    assert len(service.objects) == 1


def test_abort_succeeds_whoever_is_gone(service: FakeService) -> None:
    handle = begin()
    service.dies.add("taking")
    create(handle)
    calls.BSASendData(handle, block(CONTENT))
    assert calls.BSAEndTxn(handle, BSA_Vote.ABORT) == OK
    assert calls.BSABeginTxn(handle) == OK


def test_an_aborted_restore_is_told(service: FakeService) -> None:
    service.store("/one", CONTENT)
    handle = begin()
    get(handle, 1)
    assert calls.BSAEndTxn(handle, BSA_Vote.ABORT) == OK
    wait_until(lambda: bool(service.statuses), "the status of the application")
    assert [(status.status, status.complete) for status in service.statuses] == [(150, False)]


def test_less_arrived_than_was_sent(service: FakeService) -> None:
    handle = begin()
    create(handle)
    assert calls.BSASendData(handle, block(CONTENT)) == OK
    service.short = 1
    assert calls.BSAEndData(handle) == LOST
    assert f"{len(CONTENT)} bytes went out, {len(CONTENT) - 1} arrived" in words()
    assert calls.BSAEndTxn(handle, BSA_Vote.COMMIT) == ReturnCode.TRANSACTION_ABORTED


def test_queries_and_deletions_that_fail(service: FakeService) -> None:
    service.store("/one")
    handle = begin()
    service.faults["FindObjects"] = Fault(0x99, 220, "the catalog is locked")
    assert calls.BSAQueryObject(handle, everything(), BSA_ObjectDescriptor()) == LOST
    assert "the catalog is locked" in words()
    service.faults.clear()
    assert calls.BSADeleteObject(handle, BSA_UInt64(0, 1)) == OK
    service.faults["DeleteObjects"] = Fault(0x03, 220, "the catalog is locked")
    assert calls.BSAEndTxn(handle, BSA_Vote.COMMIT) == ReturnCode.TRANSACTION_ABORTED
    assert calls.BSABeginTxn(handle) == OK


def test_no_service() -> None:
    handle = begin()
    assert calls.BSAQueryObject(handle, everything(), BSA_ObjectDescriptor()) == LOST
    assert "run `ndmpdup xbsa serve`" in words()
    assert get_object(handle) == LOST
    assert calls.BSACreateObject(handle, new_object(), BSA_DataBlock32()) == LOST
    assert "run `ndmpdup xbsa serve`" in words()


def test_a_service_that_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    with listen(tmp_path / "service" / "request"):
        handle = start("NDMPDUP_XBSA_DEADLINE=0.2")
        assert calls.BSABeginTxn(handle) == OK
        assert calls.BSAQueryObject(handle, everything(), BSA_ObjectDescriptor()) == LOST
        assert "no answer within 0.2 s" in words()


def test_a_service_of_another_user(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ours nor root's: nothing is told to it."""
    monkeypatch.setattr(dialogue, "peer_uid", lambda _: os.geteuid() + 1)
    handle = begin()
    code = calls.BSAQueryObject(handle, everything(), BSA_ObjectDescriptor())
    assert code == ReturnCode.AUTHENTICATION_FAILURE
    assert service.requests == []


def test_a_bug_becomes_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: 1 / 0)
    handle = begin()
    assert calls.BSAQueryObject(handle, everything(), BSA_ObjectDescriptor()) == LOST
    assert words() == "BSAQueryObject: ABORT_SYSTEM_ERROR: ZeroDivisionError: division by zero"


def test_a_forked_child_has_no_session(service: FakeService) -> None:
    """And its end does nothing to the stream of its parent."""
    handle = begin()
    create(handle)
    assert calls.BSASendData(handle, block(b"abc")) == OK
    child = os.fork()
    if not child:
        refused = calls.BSASendData(handle, block(b"no")) == ReturnCode.INVALID_HANDLE
        os._exit(0 if refused and session_state.current() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert calls.BSASendData(handle, block(b"def")) == OK
    assert calls.BSAEndData(handle) == OK
    assert calls.BSAEndTxn(handle, BSA_Vote.COMMIT) == OK
    assert service.objects[1][1] == b"abcdef"
