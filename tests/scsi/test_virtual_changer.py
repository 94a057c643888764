"""The virtual changer by its commands; what it answers is written by hand from SPC-4's and SMC-3's tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scsi import errors
from scsi.cdb import commands
from scsi.completion import Completion, Status
from scsi.elements import parse_status
from scsi.sense import Sense
from scsi.virtual.changer import Changer, ChangerSession
from scsi.virtual.library import Library, NewVolume
from tests.scsi.hexes import b, recorded
from tests.scsi.library_shelf import DOOR, DRIVE, SLOT, small_library, where

DEADLINE = 30.0
ANY = 1 << 20


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with small_library(tmp_path) as library:
        yield library


@pytest.fixture
def host(library: Library) -> ChangerSession:
    return Changer(library).session()


def run(host: ChangerSession, words: str) -> Completion:
    """A command, with room for every answer."""
    return host.execute(b(words), data_in_bytes=ANY)


def refusal(host: ChangerSession, words: str) -> str:
    """Key, ASC, ASCQ and the rest of the sense that a command gets, in hex."""
    done = run(host, words)
    assert (done.status, done.data_in) == (Status.CHECK_CONDITION, b""), words
    sense = done.sense
    assert (len(sense), sense[0], sense[7]) == (18, 0x70, 10)
    pointer = f" {sense[15:].hex()}" if any(sense[15:]) else ""
    return f"{sense[2]:02x} {sense[12]:02x} {sense[13]:02x}{pointer}"


ADDRESSES = "1d 12 0001 0001 0400 0004 0010 0002 0100 0002 0000"
GEOMETRY = "1e 02 00 00"
CAPABILITIES = "1f 12 0e 00 00 0e 0e 0e 00*4 00 0e 0e 0e 00*4"
NAMES = "5649525455414c20 54415045204c494252415259 20*4 312e3030"
NAME = "5649525455414c20 54415045204c494252415259 20*4 53303132333435363738"
ANSWERS = (
    ("TEST UNIT READY", "00 00*5", ""),
    ("REQUEST SENSE", "03 00 00 00 ff 00", "70 00*6 0a 00*10"),
    ("REQUEST SENSE, descriptors", "03 01 00 00 ff 00", "72 00*7"),
    ("INITIALIZE ELEMENT STATUS", "07 00*5", ""),
    ("INQUIRY", "12 00 00 00 60 00", f"08 80 06 02 5b 00 00 00 {NAMES} 00*60"),
    ("INQUIRY of ndmjob", "12 00 00 00 80 00", f"08 80 06 02 5b 00 00 00 {NAMES} 00*60"),
    ("INQUIRY, 36 bytes", "12 00 00 00 24 00", f"08 80 06 02 5b 00 00 00 {NAMES}"),
    ("INQUIRY, none", "12 00 00 00 00 00", ""),
    ("INQUIRY, pages", "12 01 00 00 ff 00", "08 00 0003 00 80 83"),
    ("INQUIRY, serial", "12 01 80 00 ff 00", "08 80 000a 53303132333435363738"),
    ("INQUIRY, identification", "12 01 83 00 ff 00", f"08 83 0026 02 01 00 22 {NAME}"),
    ("MODE SENSE(6) of ndmjob", "1a 08 1d 00 ff 00", f"17 00 00 00 {ADDRESSES}"),
    ("MODE SENSE(6), geometry", "1a 00 1e 00 ff 00", f"07 00 00 00 {GEOMETRY}"),
    ("MODE SENSE(6), capabilities", "1a 00 1f 00 ff 00", f"17 00 00 00 {CAPABILITIES}"),
    ("MODE SENSE(6), all", "1a 00 3f 00 ff 00", f"2f 00 00 00 {ADDRESSES} {GEOMETRY} {CAPABILITIES}"),
    ("MODE SENSE(6), all and subpages", "1a 00 3f ff 04 00", "2f 00 00 00"),
    ("MODE SENSE(6), changeable", "1a 00 5e 00 ff 00", "07 00 00 00 1e 02 00 00"),
    ("MODE SENSE(6), changeable", "1a 00 5d 00 ff 00", "17 00 00 00 1d 12 00*18"),
    ("MODE SENSE(6), default", "1a 00 9d 00 ff 00", f"17 00 00 00 {ADDRESSES}"),
    ("MODE SENSE(10)", "5a 00 1e 00 00 00 00 00 ff 00", f"000a 00 00 00 00 0000 {GEOMETRY}"),
    ("MODE SENSE(10), all", "5a 00 3f 00 00 00 00 01 00 00", f"0032 00*6 {ADDRESSES} {GEOMETRY} {CAPABILITIES}"),
    ("PREVENT", "1e 00 00 00 01 00", ""),
    ("POSITION TO ELEMENT", "2b 00 0001 0403 0000 00 00", ""),
    ("INITIALIZE WITH RANGE", "37 01 0400 00 00 0004 00 00", ""),
    ("INITIALIZE WITHOUT RANGE", "37 00 0000 00 00 0000 00 00", ""),
    ("LOG SENSE, pages", "4d 00 40 00 00 0000 00ff 00", "00 00 0002 00 2e"),
    ("LOG SENSE, two alerts", "4d 00 6e 00 00 003f 00ff 00", "2e 00 000a 003f 03 01 00 0040 03 01 00"),
    ("LOG SENSE, head", "4d 00 6e 00 00 0000 0004 00", "2e 00 0140"),
    ("REPORT LUNS", "a0 00 00 000000 00001000 00 00", "00000008 00000000 00*8"),
)


@pytest.mark.parametrize(("title", "words", "answer"), ANSWERS)
def test_answers(host: ChangerSession, title: str, words: str, answer: str) -> None:
    assert run(host, words) == Completion(Status.GOOD, b(answer)), title


REFUSALS = (
    ("unknown", "c0 00*5", "05 20 00"),
    ("of a tape", "08 00*5", "05 20 00"),
    ("declared, but none of a changer's", "5e 00*9", "05 20 00"),
    ("too short", "a5 00*10", "05 24 00"),
    ("too long", "00 00*6", "05 24 00"),
    ("empty", "", "05 24 00"),
    ("INQUIRY, page without EVPD", "12 00 83 00 ff 00", "05 24 00 c00002"),
    ("INQUIRY, no such page", "12 01 b0 00 ff 00", "05 24 00 c00002"),
    ("MODE SENSE, saved values", "1a 00 dd 00 ff 00", "05 39 00"),
    ("MODE SENSE, no such page", "1a 00 02 00 ff 00", "05 24 00 cd0002"),
    ("MODE SENSE, no such subpage", "1a 00 1d 01 ff 00", "05 24 00 c00003"),
    ("LOG SENSE, no such page", "4d 00 42 00 00 0000 00ff 00", "05 24 00 cd0002"),
    ("LOG SENSE, no such subpage", "4d 00 40 01 00 0000 00ff 00", "05 24 00 c00003"),
    ("LOG SENSE, no such parameter", "4d 00 6e 00 00 0041 00ff 00", "05 24 00 c00005"),
    ("READ ELEMENT STATUS, no such type", "b8 05 0000 ffff 00 001000 00 00", "05 24 00 cb0001"),
    ("POSITION TO ELEMENT, the arm", "2b 00 0001 0001 0000 00 00", "05 21 01"),
    ("POSITION TO ELEMENT, none", "2b 00 0001 0404 0000 00 00", "05 21 01"),
    ("POSITION TO ELEMENT, turned", "2b 00 0001 0400 0000 01 00", "05 24 00 c80008"),
    ("INITIALIZE WITH RANGE, none", "37 01 0003 00 00 0004 00 00", "05 21 01"),
    ("MOVE MEDIUM, no such arm", "a5 00 0002 0400 0100 0000 00 00", "05 21 01"),
    ("MOVE MEDIUM, turned", "a5 00 0001 0400 0100 0000 01 00", "05 24 00 c8000a"),
    ("MOVE MEDIUM, no such source", "a5 00 0001 0404 0100 0000 00 00", "05 21 01"),
    ("MOVE MEDIUM, no such destination", "a5 00 0001 0400 0102 0000 00 00", "05 21 01"),
    ("MOVE MEDIUM, into the arm", "a5 00 0001 0400 0001 0000 00 00", "05 21 01"),
    ("MOVE MEDIUM, empty source", "a5 00 0001 0403 0100 0000 00 00", "05 3b 0e"),
    ("MOVE MEDIUM, full destination", "a5 00 0001 0400 0401 0000 00 00", "05 3b 0d"),
    ("EXCHANGE MEDIUM, empty", "a6 00 0001 0400 0403 0400 00 00", "05 3b 0e"),
    ("EXCHANGE MEDIUM, full", "a6 00 0001 0400 0401 0402 00 00", "05 3b 0d"),
    ("EXCHANGE MEDIUM, turned", "a6 00 0001 0400 0401 0400 02 00", "05 24 00 c9000a"),
    ("EXCHANGE MEDIUM, turned back", "a6 00 0001 0400 0401 0400 01 00", "05 24 00 c8000a"),
)


@pytest.mark.parametrize(("title", "words", "sense"), REFUSALS)
def test_refusals(library: Library, host: ChangerSession, title: str, words: str, sense: str) -> None:
    before = where(library)
    assert refusal(host, words) == sense, title
    assert where(library) == before


def test_refusals_that_tgtd_gives_too(host: ChangerSession) -> None:
    """Its addresses are its own: 1000 is its first slot, 2 its drive."""
    answers = recorded("tgtd_changer.hex")
    for title, words in (
        ("MOVE MEDIUM, slot 1001 to the full drive", "a5 00 0001 0401 0400 0000 00 00"),
        ("MOVE MEDIUM, empty slot 1002 to import/export", "a5 00 0001 0403 0010 0000 00 00"),
    ):
        assert run(host, words).sense == answers[title].answer, title


def test_moves_are_carried_out(library: Library, host: ChangerSession) -> None:
    assert run(host, "a5 00 0000 0400 0100 0000 00 00").status == Status.GOOD
    assert where(library) == {DRIVE: "VT0001", SLOT + 1: "VT0002", SLOT + 2: "CLN001"}
    assert run(host, "a6 00 0001 0401 0100 0010 00 00").status == Status.GOOD
    assert where(library) == {DRIVE: "VT0002", DOOR: "VT0001", SLOT + 2: "CLN001"}


EMPTY = "20*32 00*4 00*4"
VT0001, VT0002, CLN001 = (f"{name} 20*26 00*4 00*4" for name in ("565430303031", "565430303032", "434c4e303031"))
ARM_PAGE = f"01 80 0034 00 000034  0001 00 00 0000 00 00 00 00 0000 {EMPTY}"
DOOR_PAGE = (
    "03 80 0034 00 000068 "
    f"0010 38 00 0000 00 00 00 00 0000 {EMPTY} "
    f"0011 3b 00 0000 00 00 00 01 0000 {EMPTY.replace('20*32', '565430303033 20*26')}"
)
DRIVE_PAGE = f"04 80 0034 00 000068 0100 09 00 0000 00 00 00 81 0400 {VT0001} 0101 08 00 0000 00 00 00 00 0000 {EMPTY}"
SLOT_PAGE = (
    "02 80 0034 00 0000d0 "
    f"0400 08 00 0000 00 00 00 00 0000 {EMPTY} "
    f"0401 09 00 0000 00 00 00 01 0000 {VT0002} "
    f"0402 09 00 0000 00 00 00 02 0000 {CLN001} "
    f"0403 08 00 0000 00 00 00 00 0000 {EMPTY}"
)
NAMED_DRIVES = (
    "04 80 0056 00 0000ac "
    f"0100 09 00 0000 00 00 00 81 0400 {VT0001.removesuffix(' 00*4')} "
    "02 01 00 22 5649525455414c20 54415045204452495645 20*6 53303132333435363030 "
    f"0101 08 00 0000 00 00 00 00 0000 {EMPTY.removesuffix(' 00*4')} "
    "02 01 00 22 5649525455414c20 54415045204452495645 20*6 53303132333435363031"
)
STATUS = (
    ("all", "b8 10 0000 ffff 00 010000 00 00", f"0001 0009 00 0001f4 {ARM_PAGE} {DOOR_PAGE} {DRIVE_PAGE} {SLOT_PAGE}"),
    ("the arm", "b8 11 0000 ffff 00 010000 00 00", f"0001 0001 00 00003c {ARM_PAGE}"),
    ("slots", "b8 12 0000 ffff 00 010000 00 00", f"0400 0004 00 0000d8 {SLOT_PAGE}"),
    ("import/export", "b8 13 0000 ffff 00 010000 00 00", f"0010 0002 00 000070 {DOOR_PAGE}"),
    ("drives", "b8 14 0000 ffff 00 010000 00 00", f"0100 0002 00 000070 {DRIVE_PAGE}"),
    ("drives and their names", "b8 14 0000 ffff 03 010000 00 00", f"0100 0002 00 0000b4 {NAMED_DRIVES}"),
    (
        "drives, no tags",
        "b8 04 0000 ffff 00 010000 00 00",
        "0100 0002 00 000028 04 00 0010 00 000020 0100 09 00*6 81 0400 00*4 0101 08 00*13",
    ),
    (
        "from 0401 on, one",
        "b8 02 0401 0001 00 010000 00 00",
        "0401 0001 00 000018 02 00 0010 00 000010 0401 09 00*6 01 00*6",
    ),
    (
        "from 0101 on, two of all",
        "b8 00 0101 0002 00 010000 00 00",
        "0101 0002 00 000030 04 00 0010 00 000010 0101 08 00*13 02 00 0010 00 000010 0400 08 00*13",
    ),
    ("none so high", "b8 10 0404 ffff 00 010000 00 00", "0000 0000 00 000000"),
    ("none wanted", "b8 10 0000 0000 00 010000 00 00", "0000 0000 00 000000"),
    ("only the head", "b8 12 0000 ffff 00 000008 00 00", "0400 0004 00 0000d8"),
    ("half a head", "b8 12 0000 ffff 00 000004 00 00", "0400 0004"),
    (
        "room for one and a half",
        "b8 02 0000 ffff 00 000028 00 00",
        "0400 0004 00 000048 02 00 0010 00 000040 0400 08 00*13",
    ),
)


@pytest.mark.parametrize(("title", "words", "answer"), STATUS)
def test_element_status(library: Library, host: ChangerSession, title: str, words: str, answer: str) -> None:
    library.insert(NewVolume("VT0009"))
    library.insert(NewVolume("VT0003"))
    library.remove(DOOR)
    assert refusal(host, "00 00*5") == "06 28 01"
    library.move(SLOT, DRIVE)
    assert run(host, words).data_in.hex(" ", 4) == b(answer).hex(" ", 4), title


def test_a_drive_in_use_is_out_of_reach(library: Library, host: ChangerSession) -> None:
    library.move(SLOT, DRIVE)
    drive = library.drive(0).open()
    reading = "b8 04 0000 0001 00 010000 00 00"
    assert not parse_status(run(host, reading).data_in).elements[0].access
    assert refusal(host, "a5 00 0001 0100 0400 0000 00 00") == "05 53 02"
    drive.unload()
    assert parse_status(run(host, reading).data_in).elements[0].access
    assert run(host, "a5 00 0001 0100 0400 0000 00 00").status == Status.GOOD
    drive.close()


def test_no_more_comes_back_than_the_host_takes(host: ChangerSession) -> None:
    for size in (0, 1, 8, 95, 96, 97):
        done = host.execute(b("12 00 00 00 80 00"), data_in_bytes=size)
        assert (done.status, len(done.data_in)) == (Status.GOOD, min(size, 96))


def test_each_host_hears_once(library: Library) -> None:
    changer = Changer(library)
    one, two = changer.session(), changer.session()
    ready, never = "00 00*5", ("12 00 00 00 60 00", "a0 00 00 000000 00001000 00 00")
    library.insert(NewVolume("VT0003"))
    changer.reset()
    late = changer.session()
    assert run(late, ready).status == Status.GOOD
    for words in never:
        assert run(one, words).status == Status.GOOD
    assert [refusal(one, ready), refusal(one, "a5 00 0001 0400 0100 0000 00 00")] == ["06 29 00", "06 28 01"]
    assert SLOT in where(library), "a command that hears of something is not carried out"
    assert run(one, ready).status == Status.GOOD
    sense = run(two, "03 00 00 00 12 00").data_in
    assert sense == b("70 00 06 00*4 0a 00*4 29 00 00*4")
    assert Sense.parse(run(two, "03 01 00 00 ff 00").data_in).encode() == b("72 06 28 01 00*4")
    assert run(two, ready).status == Status.GOOD
    library.remove(DOOR)
    for host in (one, two, late):
        assert refusal(host, ready) == "06 28 01"


def test_an_unknown_command_costs_no_attention(library: Library) -> None:
    changer = Changer(library)
    host = changer.session()
    changer.reset()
    assert refusal(host, "c0 00*5") == "05 20 00"
    assert refusal(host, "00 00*5") == "06 29 00"


def test_a_lock_is_the_hosts_that_set_it(library: Library) -> None:
    changer = Changer(library)
    one, two = changer.session(), changer.session()
    for step in ("allow", "close", "reset"):
        run(one, "1e 00 00 00 01 00")
        run(two, "1e 00 00 00 00 00")
        with pytest.raises(errors.RemovalPrevented):
            library.insert(NewVolume("VT0003"))
        if step == "allow":
            run(one, "1e 00 00 00 00 00")
        elif step == "close":
            one.close()
        else:
            changer.reset()
        library.remove(library.insert(NewVolume("VT0003")))
        assert refusal(one, "00 00*5") in ("06 28 01", "06 29 00")
        run(two, "03 00 00 00 ff 00")


def test_a_disk_that_fails_is_told(library: Library, host: ChangerSession) -> None:
    (library.directory / "library.json.new").mkdir()
    assert refusal(host, "a5 00 0001 0400 0100 0000 00 00") == "04 44 00"


def test_who_waits_too_long_is_told(library: Library, host: ChangerSession) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with library.exclusive():
            entered.set()
            assert leave.wait(DEADLINE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(DEADLINE)
    with pytest.raises(errors.CommandTimeout):
        host.execute(b("00 00*5"), data_in_bytes=0, timeout=0.001)
    leave.set()
    assert host.execute(b("00 00*5"), data_in_bytes=0, timeout=DEADLINE).status == Status.GOOD
    holder.join(DEADLINE)


CODES = sorted({code for code, _ in commands()})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(code=st.one_of(st.sampled_from(CODES), st.integers(0, 255)), rest=st.binary(max_size=16))
def test_no_command_is_too_strange(library: Library, code: int, rest: bytes) -> None:
    """Whatever comes, there is an answer, no cartridge is lost, and the host gets no more than it asked for."""
    host = Changer(library).session()
    done = host.execute(bytes((code,)) + rest, data_in_bytes=4096)
    assert len(done.data_in) <= 4096
    assert bool(done.sense) == (done.status == Status.CHECK_CONDITION)
    assert sorted(where(library).values()) == ["CLN001", "VT0001", "VT0002"]
