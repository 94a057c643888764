"""What an iSCSI session does when tgtd, whose process is NDMPDUP_PID, falters: run by name, inside its namespace."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from scsi import spc
from scsi.completion import Status
from scsi.devices import open_changer
from scsi.drive import ScsiDrive
from scsi.errors import AccessDenied, CommandTimeout, DeviceUrlError, SourceEmpty, TransportLost
from scsi.sense import Sense, SenseKey
from scsi.spc import Inquiry
from scsi.transports.iscsi import IscsiTransport
from scsi.transports.iscsi_url import parse_iscsi_url
from scsi.transports.transport import Transport

URL = os.environ.get("NDMPDUP_CHANGER", "")
PID = int(os.environ.get("NDMPDUP_PID", "0"))
DRIVE = os.environ.get("NDMPDUP_DRIVES", "")
BLOCK, BLOCKS = 256 << 10, 16
PIECES = BLOCK // (8 << 10)
"""In which a block travels: tgtd takes no more at once, and each has a header."""
ROOM = Path("/proc/sys/net/ipv4/tcp_wmem")
SEGMENTS = Path("/proc/net/snmp")
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
    with closing(settled()) as another:
        assert another.execute(spc.TestUnitReady()).status == Status.GOOD


@contextmanager
def loaded_drive() -> Iterator[ScsiDrive]:
    """The drive by a session of its own, with a tape in it."""
    with closing(open_changer(URL)) as changer, closing(ScsiDrive(session(DRIVE))) as drive:
        with suppress(SourceEmpty):  # it was loaded before
            changer.load(changer.addresses.first_slot, changer.addresses.first_drive, tape=drive)
        drive.rewind()
        yield drive


def write_and_compare(drive: ScsiDrive) -> int:
    """Write blocks that do not repeat and read them again; the segments that were sent for writing."""
    content = memoryview(random.Random(1).randbytes(BLOCKS * BLOCK))
    drive.write_blocks(content[:BLOCK], BLOCK)
    before = segments_sent()
    assert drive.write_blocks(content[BLOCK:], BLOCK).blocks == BLOCKS - 1
    sent = segments_sent() - before
    drive.rewind()
    back = memoryview(bytearray(len(content)))
    assert drive.read_blocks(back, BLOCK).blocks == BLOCKS
    assert back == content
    return sent


def segments_sent() -> int:
    """By all connections of this namespace, acknowledgements included."""
    names, counts = [line.split() for line in SEGMENTS.read_text().splitlines() if line.startswith("Tcp:")]
    return int(counts[names.index("OutSegs")])


def test_blocks_travel_in_full_segments() -> None:
    with loaded_drive() as drive:
        # A header, or what comes with it, in a segment of its own would be one for each piece.
        assert write_and_compare(drive) < (BLOCKS - 1) * PIECES


def test_blocks_arrive_whole_where_a_connection_has_little_room() -> None:
    usual = ROOM.read_text()
    ROOM.write_text("4096 4096 4096")
    try:
        with loaded_drive() as drive:
            write_and_compare(drive)
    finally:
        ROOM.write_text(usual)


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
