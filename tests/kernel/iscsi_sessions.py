"""What an iSCSI session does when tgtd, whose process is NDMPDUP_PID, falters: run by name, inside its namespace."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from scsi import spc
from scsi.completion import Status
from scsi.errors import AccessDenied, CommandTimeout, DeviceUrlError, TransportLost
from scsi.sense import Sense, SenseKey
from scsi.spc import Inquiry
from scsi.transports.iscsi import IscsiTransport
from scsi.transports.iscsi_url import parse_iscsi_url
from scsi.transports.transport import Transport

URL = os.environ.get("NDMPDUP_CHANGER", "")
PID = int(os.environ.get("NDMPDUP_PID", "0"))
PASSWORD = "correct horse battery"


def session(url: str = URL, *, login_timeout: float = 10.0) -> IscsiTransport:
    return IscsiTransport(parse_iscsi_url(url), login_timeout=login_timeout)


def settled() -> Transport:
    """A session behind its unit attention."""
    made = session()
    made.execute(spc.TestUnitReady())
    return made


def test_status_sense_and_length() -> None:
    transport = session()
    first = transport.execute(spc.TestUnitReady())
    assert (first.status, Sense.parse(first.sense).key) == (Status.CHECK_CONDITION, SenseKey.UNIT_ATTENTION)
    assert Sense.parse(first.sense).asc == 0x29
    assert transport.execute(spc.TestUnitReady()).status == Status.GOOD
    answer = transport.execute(Inquiry(96), data_in=96)
    assert (answer.bytes_in, len(answer.data_in)) == (66, 66)
    room = memoryview(bytearray(b"\xee" * 200))
    again = transport.execute(Inquiry(96), data_in=room[:96])
    assert (again.bytes_in, again.data_in, bytes(room[:66])) == (66, b"", answer.data_in)
    assert bytes(room[96:]) == b"\xee" * 104
    transport.close()
    transport.close()
    with pytest.raises(TransportLost):
        transport.execute(spc.TestUnitReady())


def test_a_late_answer_ends_the_session_and_holds_up_nobody_else() -> None:
    transport, ended = settled(), list[type[Exception]]()

    def wait() -> None:
        try:
            transport.execute(spc.TestUnitReady(), timeout=1.0)
        except CommandTimeout:
            ended.append(CommandTimeout)

    os.kill(PID, signal.SIGSTOP)
    try:
        waiting = threading.Thread(target=wait)
        start = last = time.monotonic()
        waiting.start()
        longest = 0.0
        while waiting.is_alive():
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        assert ended == [CommandTimeout]
        assert 0.9 < time.monotonic() - start < 5
        assert longest < 0.5, "the interpreter was held up"
        with pytest.raises(CommandTimeout):
            session(login_timeout=0.5)
    finally:
        os.kill(PID, signal.SIGCONT)
    with pytest.raises(TransportLost):
        transport.execute(spc.TestUnitReady())
    assert settled().execute(spc.TestUnitReady()).status == Status.GOOD


def test_who_is_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessDenied):
        session(URL.replace(":library", ":nothing"))
    with pytest.raises(TransportLost):
        session(URL.replace("3260", "3261"))
    protected = os.environ["NDMPDUP_PROTECTED"]
    with pytest.raises(AccessDenied):
        session(protected.replace("operator@", ""))
    with pytest.raises(DeviceUrlError, match="needs a password"):
        session(protected)
    for password, works in ((PASSWORD, True), ("wrong horse battery", False)):
        monkeypatch.setenv("NDMPDUP_ISCSI_PASSWORD", password)
        if works:
            session(protected).close()
        else:
            with pytest.raises(AccessDenied):
                session(protected)


def test_zz_the_target_dies() -> None:
    """Last: nothing works behind it."""
    transport = settled()
    os.kill(PID, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(TransportLost):
            transport.execute(spc.TestUnitReady(), timeout=5.0)
    with pytest.raises(TransportLost):
        session()
