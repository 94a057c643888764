"""The virtual drive by its commands: blocks, filemarks and positions; sense as SSC-4 has it, byte by byte."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scsi.cdb import cdb_bytes_of
from scsi.completion import Status
from scsi.errors import CommandTimeout
from scsi.virtual.image import cartridge_map
from scsi.virtual.target import DriveSession, DriveTarget
from tests.scsi.hexes import b
from tests.scsi.target_bench import ANY, check, drive_target, good, run, told, where

A, B, SHORT, LONG = b"A" * 512, b"B" * 512, b"s" * 100, b"l" * 700

READY, REWIND = "00 00*5", "01 00*5"
WRITE_512, READ_512 = "0a 00 000200 00", "08 00 000200 00"
MARK, MARKS_2 = "10 00 000001 00", "10 00 000002 00"
FIXED_512 = b("00 00 10 08 00 000000 00 000200")
ANY_SIZE = b("00 00 10 08 00 000000 00 000000")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DriveSession]:
    with drive_target(tmp_path) as target:
        yield target.session()


def select(host: DriveSession, parameters: bytes) -> None:
    good(host, f"15 10 00 00 {len(parameters):02x} 00", parameters)


def fill(host: DriveSession) -> None:
    """A B s | A | | B and back: objects 0..8, filemarks 3, 5 and 6."""
    for block in (A, B, SHORT):
        good(host, f"0a 00 {len(block):06x} 00", block)
    good(host, MARK)
    good(host, WRITE_512, A)
    good(host, MARKS_2)
    good(host, WRITE_512, B)
    good(host, REWIND)


def test_reading_blocks_of_any_size(host: DriveSession) -> None:
    fill(host)
    for words, data, sense, then in (
        (READ_512, A, "", (1, 0)),
        ("08 00 000000 00", b"", "", (1, 0)),
        # Shorter than the block: what there was of it, and 100 - 512 = -412.
        ("08 00 000064 00", B[:100], "f0 20 fffffe64 0000", (2, 0)),
        # Longer: 512 - 100.
        (READ_512, SHORT, "f0 20 0000019c 0000", (3, 0)),
        (READ_512, b"", "f0 80 00000200 0001", (4, 1)),
        ("08 00 000000 00", b"", "", (4, 1)),
        ("08 00 000400 00", A, "f0 20 00000200 0000", (5, 1)),
        (READ_512, b"", "f0 80 00000200 0001", (6, 2)),
        (READ_512, b"", "f0 80 00000200 0001", (7, 3)),
        (READ_512, B, "", (8, 3)),
        (READ_512, b"", "f0 08 00000200 0005", (8, 3)),
        (READ_512, b"", "f0 08 00000200 0005", (8, 3)),
    ):
        done = run(host, words)
        assert (done.data_in, told(done) if done.sense else "") == (data, sense), (words, then)
        assert where(host) == then


def test_silent_about_lengths(host: DriveSession) -> None:
    fill(host)
    assert good(host, "08 02 000400 00") == A
    assert good(host, "08 02 000064 00") == B[:100]
    assert good(host, "08 02 000200 00") == SHORT
    assert check(host, "08 02 000200 00") == "f0 80 00000200 0001"
    # With a block size set, a longer block is told of even so; a shorter one is not.
    select(host, FIXED_512)
    done = run(host, "08 02 000064 00")
    assert (done.data_in, told(done)) == (A[:100], "f0 20 fffffe64 0000")
    good(host, REWIND)
    assert good(host, "08 02 000400 00") == A


def test_reading_blocks_of_one_size(host: DriveSession) -> None:
    fill(host)
    assert check(host, "08 01 000001 00") == "70 05 00000000 2400 c80001"
    select(host, FIXED_512)
    assert check(host, "08 03 000001 00") == "70 05 00000000 2400 c90001"
    for words, data, sense, then in (
        ("08 01 000000 00", b"", "", (0, 0)),
        ("08 01 000001 00", A, "", (1, 0)),
        # Two of five are left besides the wrong one: B is right, s is not, three and more are not read.
        ("08 01 000005 00", B + SHORT, "f0 20 00000004 0000", (3, 0)),
        ("08 01 000002 00", b"", "f0 80 00000002 0001", (4, 1)),
        ("08 01 000003 00", A, "f0 80 00000002 0001", (6, 2)),
        ("08 01 000003 00", b"", "f0 80 00000003 0001", (7, 3)),
        ("08 01 000003 00", B, "f0 08 00000002 0005", (8, 3)),
    ):
        done = run(host, words)
        assert (done.data_in, told(done) if done.sense else "") == (data, sense), (words, then)
        assert where(host) == then


def test_a_longer_block_among_blocks_of_one_size(host: DriveSession) -> None:
    good(host, WRITE_512, A)
    good(host, "0a 00 0002bc 00", LONG)
    good(host, REWIND)
    select(host, FIXED_512)
    done = run(host, "08 01 000004 00")
    assert (done.data_in, told(done)) == (A + LONG[:512], "f0 20 00000003 0000")
    assert where(host) == (2, 0)


def test_writing_blocks_of_one_size(host: DriveSession) -> None:
    assert check(host, "0a 01 000001 00", A) == "70 05 00000000 2400 c80001"
    select(host, FIXED_512)
    done = run(host, "0a 01 000003 00", A + B + A)
    assert (done.status, done.bytes_out) == (Status.GOOD, 1536)
    good(host, "0a 00 000064 00", SHORT)
    assert where(host) == (4, 0)
    good(host, REWIND)
    assert good(host, "08 01 000003 00") == A + B + A


def test_nothing_is_written_without_its_data(host: DriveSession) -> None:
    assert check(host, WRITE_512, A[:-1]) == "70 0b 00000000 4b00"
    assert check(host, "15 10 00 00 05 00", bytes(4)) == "70 0b 00000000 4b00"
    good(host, "0a 00 000000 00")
    good(host, "10 00 000000 00")
    assert where(host) == (0, 0)


def test_writing_drops_what_follows(host: DriveSession) -> None:
    fill(host)
    good(host, "11 01 000001 00")
    good(host, WRITE_512, B)
    assert where(host) == (5, 1)
    assert check(host, READ_512) == "f0 08 00000200 0005"


def test_the_end_of_the_tape(tmp_path: Path) -> None:
    with drive_target(tmp_path, capacity=4096, early_warning=1024) as target:
        host = target.session()
        select(host, FIXED_512)
        good(host, "0a 01 000005 00", A * 5)
        assert good(host, "34 00*9")[0] == 0x00
        # The sixth block is the first after which no more than 1024 bytes are left: it is written, and warned of.
        done = run(host, "0a 01 000001 00", A)
        assert (told(done), done.bytes_out) == ("f0 40 00000000 0002", 512)
        assert good(host, "34 00*9")[0] == 0x40
        assert check(host, MARK) == "f0 40 00000000 0002"
        assert check(host, "0a 01 000003 00", A * 3) == "f0 4d 00000001 0002"
        assert check(host, WRITE_512, A) == "f0 4d 00000200 0002"
        assert where(host) == (9, 1)
        # At the end of data past the warning, reading tells of both.
        assert check(host, READ_512) == "f0 48 00000200 0005"
        assert check(host, "11 00 000001 00") == "f0 48 00000001 0005"


def test_write_protection(tmp_path: Path) -> None:
    for number, options in enumerate(({"write_protected": True}, {"read_only": True})):
        with drive_target(tmp_path, barcode=f"VT000{number}L8", **options) as target:
            host = target.session()
            for words, data in ((WRITE_512, A), (MARK, b""), ("19 01 000000 00", b""), ("04 00*5", b"")):
                assert check(host, words, data) == "70 07 00000000 2700", words
            good(host, "10 00 000000 00")
            assert good(host, "1a 00 00 00 ff 00")[2] == 0x90
            assert good(host, "4d 00 51 00 00 0000 00ff 00") == b("11 00 0008 0000 03 04 29 13 00 00")


def test_writing_without_a_buffer(host: DriveSession, tmp_path: Path) -> None:
    path = tmp_path / "VT0001L8"
    good(host, WRITE_512, A)
    assert cartridge_map(path) == []
    select(host, b("00 00 00 00"))
    good(host, WRITE_512, B)
    assert [(run.count, run.block_bytes) for run in cartridge_map(path)] == [(2, 512)]


def test_protection_by_mode_page(host: DriveSession) -> None:
    page = "10 0e 00*6 40 00 1c 00*5"
    select(host, b(f"00 00 10 00 {page}"))
    assert check(host, WRITE_512, A) == "70 07 00000000 2702"
    assert check(host, MARK) == "70 07 00000000 2702"
    assert good(host, "1a 08 10 00 ff 00") == b(f"13 88 90 00 {page}")
    select(host, b(f"00 00 10 00 {page.replace('1c', '18')}"))
    good(host, WRITE_512, A)


def test_a_tape_that_is_written_once(tmp_path: Path) -> None:
    with drive_target(tmp_path, barcode="VT0001LY") as target:
        host = target.session()
        good(host, WRITE_512, A)
        good(host, MARK)
        good(host, REWIND)
        for words, data in ((WRITE_512, B), (MARK, b""), ("19 01 000000 00", b""), ("04 00*5", b"")):
            assert check(host, words, data) == "70 07 00000000 300c", words
        good(host, "10 00 000000 00")
        assert good(host, READ_512) == A
        good(host, "11 03 000000 00")
        good(host, WRITE_512, B)
        assert where(host) == (3, 1)
        assert good(host, "1a 08 1d 00 ff 00") == b("23 8c 10 00 1d 1e 01 00*29")


def test_spacing(host: DriveSession) -> None:
    #   A B s | A | | B     numbers: 0 1 2 3 4 5 6 7, end 8
    fill(host)
    for start, words, sense, end in (
        (0, "11 00 000002 00", "", 2),
        (0, "11 00 000000 00", "", 0),
        (1, "11 00 000005 00", "f0 80 00000003 0001", 4),
        (7, "11 00 000003 00", "f0 08 00000002 0005", 8),
        (3, "11 00 fffffe 00", "", 1),
        (3, "11 00 fffffb 00", "f0 40 00000002 0004", 0),
        (5, "11 00 fffffd 00", "f0 80 00000002 0001", 3),
        (0, "11 01 000002 00", "", 6),
        (0, "11 01 000005 00", "f0 08 00000002 0005", 8),
        (8, "11 01 fffffe 00", "", 5),
        (6, "11 01 fffffc 00", "f0 40 00000002 0004", 0),
        (0, "11 03 000000 00", "", 8),
        (0, "91 00 00 00 0000000000000002 0000 00 00", "", 2),
        (8, "91 01 00 00 ffffffffffffffff 0000 00 00", "", 6),
        (8, "91 01 00 00 fffffffffffffff0 0000 00 00", "f0 40 0000000d 0004", 0),
        (1, "91 03 00*10 00*4", "", 8),
        (2, "11 02 000001 00", "70 05 00000000 2400 cb0001", 2),
        (2, "11 04 000001 00", "70 05 00000000 2400 cb0001", 2),
    ):
        good(host, f"2b 00 00 {start:08x} 00 00 00")
        done = run(host, words)
        assert (told(done) if done.sense else "") == sense, words
        assert where(host)[0] == end, words


def test_locating(host: DriveSession) -> None:
    fill(host)
    for words, sense, then in (
        ("2b 00 00 00000005 00 00 00", "", (5, 1)),
        ("2b 04 00 00000008 00 00 00", "", (8, 3)),
        ("2b 00 00 00000009 00 00 00", "70 08 00000000 0005", (8, 3)),
        ("2b 02 00 00000001 00 00 00", "", (1, 0)),
        ("2b 02 00 00000002 00 01 00", "70 05 00000000 2400 c00008", (1, 0)),
        ("92 00 00 00 0000000000000006 0000 00 00", "", (6, 2)),
        ("92 00 00 00 ffffffffffffffff 0000 00 00", "70 08 00000000 0005", (8, 3)),
        ("92 08 00 00 0000000000000001 0000 00 00", "", (4, 1)),
        ("92 08 00 00 0000000000000000 0000 00 00", "", (0, 0)),
        ("92 08 00 00 0000000000000004 0000 00 00", "70 08 00000000 0005", (8, 3)),
        ("92 18 00 00 0000000000000000 0000 00 00", "", (8, 3)),
        ("92 10 00 00 0000000000000000 0000 00 00", "70 05 00000000 2400 cc0001", (8, 3)),
    ):
        done = run(host, words)
        assert (told(done) if done.sense else "") == sense, words
        assert where(host) == then, words


def test_read_position(host: DriveSession) -> None:
    assert good(host, "34 00*9") == b("80 00*19")
    assert good(host, "34 06 00*8") == b("80 00*31")
    fill(host)
    good(host, "11 01 000002 00")
    for form in ("00", "01"):
        assert good(host, f"34 {form} 00*8") == b("00*4 00000006 00000006 00*8")
    assert good(host, "34 06 00*8") == b("00*8 0000000000000006 0000000000000002 00*8")
    extended = b("00 00 001c 00*4 0000000000000006 0000000000000006 00*8")
    assert good(host, "34 08 00*5 0020 00") == extended
    assert good(host, "34 08 00*5 000c 00") == extended[:12]
    assert check(host, "34 02 00*8") == "70 05 00000000 2400 cc0001"


def test_erasing(host: DriveSession) -> None:
    for words in ("19 00 000000 00", "19 01 000000 00"):
        fill(host)
        good(host, "2b 00 00 00000002 00 00 00")
        good(host, words)
        assert where(host) == (2, 0)
        assert check(host, READ_512) == "f0 08 00000200 0005"
        assert check(host, "04 00*5") == "70 05 00000000 3b0c"
        good(host, REWIND)
        assert good(host, READ_512) == A
        good(host, REWIND)
        assert check(host, "04 00 01 000000") == "70 05 00000000 2400 cb0002"
        good(host, "04 00*5")
        assert check(host, READ_512) == "f0 08 00000200 0005"


def test_verifying(host: DriveSession) -> None:
    fill(host)
    for words, sense, then in (
        ("13 00 000200 00", "", 1),
        ("13 00 000064 00", "f0 20 fffffe64 0000", 2),
        ("13 08 000002 00", "", 6),
        ("13 08 000002 00", "f0 08 00000001 0005", 8),
        (REWIND, "", 0),
        ("13 20 000000 00", "", 8),
        ("13 02 000200 00", "70 05 00000000 2400 c90001", 8),
        ("13 10 000200 00", "70 05 00000000 2400 cc0001", 8),
    ):
        done = run(host, words)
        assert (done.data_in, told(done) if done.sense else "") == (b"", sense), words
        assert where(host)[0] == then, words


def test_unloading_and_loading(host: DriveSession) -> None:
    good(host, WRITE_512, A)
    assert check(host, "1b 00 00 00 05 00") == "70 05 00000000 2400 ca0004"
    good(host, "1e 00 00 00 01 00")
    assert check(host, "1b 00 00 00 00 00") == "70 05 00000000 5302"
    good(host, "1e 00 00 00 00 00")
    good(host, "1b 00 00 00 00 00")
    for words in (
        READY,
        READ_512,
        REWIND,
        "34 00*9",
        "11 00 000001 00",
        "44 01 00*5 0400 00",
        "8c 00*9 00000400 00 00",
    ):
        assert check(host, words) == "70 02 00000000 3a00", words
    assert check(host, WRITE_512, A) == "70 02 00000000 3a00"
    good(host, "1a 00 3f 00 ff 00")
    # Who loads it hears nothing of what it did itself.
    good(host, "1b 00 00 00 01 00")
    good(host, READY)
    assert good(host, READ_512) == A
    good(host, "1b 00 00 00 01 00")
    assert where(host) == (0, 0)


def test_commands_that_are_none(host: DriveSession) -> None:
    for words in ("0b 00*5", "14 00*5", "88 00*15", "82 00*15", "07 00*5", "a5 00*11", "25 00*9", "3b 00*9"):
        assert len(b(words)) == cdb_bytes_of(b(words)[0])
        assert check(host, words) == "70 05 00000000 2000", words
    assert check(host, "00 00*6") == "70 05 00000000 2400"


def test_room_for_an_answer(host: DriveSession) -> None:
    fill(host)
    done = host.execute(b(READ_512), data_in_bytes=10)
    assert (done.status, done.data_in) == (Status.GOOD, A[:10])
    assert host.execute(b("12 00 00 00 05 00"), data_in_bytes=3).data_in == b("01 80 06")
    select(host, FIXED_512)
    good(host, REWIND)
    assert host.execute(b("08 01 000002 00"), data_in_bytes=600).data_in == A + B[:88]


def test_failed_media(host: DriveSession, tmp_path: Path) -> None:
    """Bytes that are gone from the file are a medium error; the position stays."""
    good(host, WRITE_512, A)
    good(host, REWIND)
    (tmp_path / "VT0001L8.data").write_bytes(b"")
    assert check(host, READ_512) == "f0 03 00000200 1100"
    assert where(host) == (0, 0)


def test_sense_in_descriptors(host: DriveSession) -> None:
    select(host, b("00 00 10 00 0a 0a 04 00*9"))
    good(host, MARK)
    good(host, REWIND)
    descriptors = run(host, READ_512).sense
    assert descriptors == b("72 00 00 01 000000 10 00 0a 80 00 0000000000000200 04 02 00 80")
    good(host, WRITE_512, A)
    good(host, REWIND)
    good(host, "11 01 000001 00")
    assert run(host, "08 00 000064 00").sense == b("72 00 00 00 000000 10 00 0a 80 00 fffffffffffffe64 04 02 00 20")


def test_a_busy_drive(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target, target.exclusive(None):
        host = target.session()
        assert host.execute(b(READY), data_in_bytes=ANY, timeout=0.01).status == Status.GOOD
        refused = list[type[Exception]]()
        _elsewhere(target, refused)
        assert refused == [CommandTimeout]


def _elsewhere(target: DriveTarget, refused: list[type[Exception]]) -> None:
    def attempt() -> None:
        try:
            DriveSession(target).execute(b(READY), data_in_bytes=ANY, timeout=0.01)
        except CommandTimeout:
            refused.append(CommandTimeout)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join(30)
