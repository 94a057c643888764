"""Several hosts at one virtual drive: unit attentions, reservations, a library that changes the cartridge."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from scsi.completion import Completion, Status
from scsi.virtual.drive_answers import Identity
from scsi.virtual.target import DriveSession, DriveTarget
from tests.scsi.hexes import b
from tests.scsi.library_shelf import DRIVE, SLOT, small_library
from tests.scsi.target_bench import check, drive_target, good, run, told

READY = "00 00*5"
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, IGNORE = (f"5f {action:02x}" for action in (0, 1, 2, 3, 4, 6))
CONFLICT = Completion(Status.RESERVATION_CONFLICT)


def keys(own: int, new: int = 0) -> bytes:
    return own.to_bytes(8, "big") + new.to_bytes(8, "big") + bytes(8)


def change(host: DriveSession, action: str, own: int, new: int = 0, *, kind: int = 0) -> Completion:
    return run(host, f"{action} {kind:02x} 00 00 00000018 00", keys(own, new))


def test_attentions_after_a_reset(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        first, second = target.session(after_power_on=True), target.session()
        good(first, "12 00 00 00 ff 00")
        good(first, "a0 00*5 00000010 00 00")
        assert check(first, READY) == "70 06 00000000 2900"
        good(first, READY)
        good(second, READY)
        good(first, "15 10 00 00 04 00", b("00 00 00 00"))
        assert check(second, READY) == "70 06 00000000 2a01"
        target.reset()
        target.reset()
        # REQUEST SENSE tells of it, and then nobody else does.
        assert good(first, "03 00 00 00 ff 00") == b("70 00 06 00*4 0a 00*4 29 00*5")
        good(first, READY)
        assert check(second, "0a 00 000001 00", b"x") == "70 06 00000000 2900"
        assert good(second, "1a 00 00 00 ff 00") == b("0b 88 10 08 5e 00*7")
        assert check(first, "ff 00*5") == "70 05 00000000 2000"


def test_a_library_changes_the_cartridge(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        bay = library.drive(0)
        drive = bay.open(empty=True)
        target = DriveTarget(bay, drive, Identity("S0123456700"))
        first, second = target.session(), target.session()
        assert check(first, READY) == "70 02 00000000 3a00"
        assert check(first, "1b 00 00 00 01 00") == "70 02 00000000 3a00"
        library.move(SLOT, DRIVE)
        for host in (first, second):
            assert check(host, READY) == "70 06 00000000 2800"
            good(host, READY)
        good(first, "0a 00 000003 00", b"abc")
        # Loaded by command again: the other host hears of it.
        good(first, "1b 00 00 00 00 00")
        assert check(second, READY) == "70 02 00000000 3a00"
        good(first, "1b 00 00 00 01 00")
        good(first, READY)
        assert check(second, READY) == "70 06 00000000 2800"
        good(second, "1b 00 00 00 00 00")
        library.move(DRIVE, SLOT)
        library.move(SLOT + 1, DRIVE)
        assert check(first, "08 00 000003 00") == "70 06 00000000 2800"
        assert good(first, "8c 00 00*6 0806 00000100 00 00")[9:15] == b"VT0002"
        drive.close()


def test_write_exclusive(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        holder, other = target.session(), target.session()
        assert change(holder, REGISTER, 0, 0xA).status == Status.GOOD
        assert change(holder, RESERVE, 0xA, kind=1).status == Status.GOOD
        assert good(other, "5e 00 00*5 00ff 00") == b("00000001 00000008 000000000000000a")
        assert good(other, "5e 01 00*5 00ff 00") == b("00000001 00000010 000000000000000a 00*4 00 01 0000")
        for words, data in (
            ("0a 00 000001 00", b"x"),
            ("10 00 000001 00", b""),
            ("08 00 000001 00", b""),
            ("01 00*5", b""),
            ("1b 00*5", b""),
            ("15 10 00 00 04 00", b("00 00 10 00")),
            ("1e 00 00 00 01 00", b""),
        ):
            assert run(other, words, data) == CONFLICT, words
            assert run(holder, "00 00*5").status == Status.GOOD
        for words in (READY, "12 00 00 00 ff 00", "1a 00 00 00 ff 00", "34 00*9", "05 00*5", "1e 00*5"):
            good(other, words)
        good(holder, "0a 00 000001 00", b"x")
        assert change(other, RESERVE, 0, kind=1) == CONFLICT
        assert change(other, RELEASE, 0xA, kind=1) == CONFLICT
        assert told(change(holder, RELEASE, 0xA, kind=3)) == "70 05 00000000 2604"
        assert change(holder, RELEASE, 0xA, kind=1).status == Status.GOOD
        good(other, "01 00*5")


def test_exclusive_access(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        holder, other = target.session(), target.session()
        change(holder, REGISTER, 0, 0xA)
        change(holder, RESERVE, 0xA, kind=3)
        for words in ("1a 00 00 00 ff 00", "34 00*9", "8c 00*9 00000100 00 00"):
            assert run(other, words) == CONFLICT, words
            good(holder, words)
        holder.close()
        good(other, "34 00*9")


def test_registrants(tmp_path: Path) -> None:
    for kind in (5, 6, 7, 8):
        with drive_target(tmp_path, barcode=f"VT000{kind}L8") as target:
            first, second, stranger = (target.session() for _ in range(3))
            change(first, REGISTER, 0, 0xA)
            change(second, IGNORE, 0xFF, 0xB)
            change(first, RESERVE, 0xA, kind=kind)
            good(second, "0a 00 000001 00", b"x")
            assert run(stranger, "0a 00 000001 00", b"x") == CONFLICT
            key = "000000000000000a" if kind < 7 else "00*8"
            expected = b(f"00000002 00000010 {key} 00*4 00 {kind:02x} 0000")
            assert good(stranger, "5e 01 00*5 00ff 00") == expected
            assert change(first, RELEASE, 0xA, kind=kind).status == Status.GOOD
            assert check(second, READY) == "70 06 00000000 2a04"
            good(stranger, "01 00*5")


def test_preempting_and_clearing(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        first, second, third = (target.session() for _ in range(3))
        for host, key in ((first, 0xA), (second, 0xB), (third, 0xC)):
            change(host, REGISTER, 0, key)
        change(first, RESERVE, 0xA, kind=1)
        assert change(second, PREEMPT, 0xB, 0xD, kind=3) == CONFLICT
        assert change(second, PREEMPT, 0xB, 0xA, kind=3).status == Status.GOOD
        assert check(first, READY) == "70 06 00000000 2a05"
        assert run(first, "01 00*5") == CONFLICT
        good(second, "01 00*5")
        assert good(third, "5e 00 00*5 00ff 00") == b("00000004 00000010 000000000000000b 000000000000000c")
        assert change(third, CLEAR, 0xC).status == Status.GOOD
        assert check(second, READY) == "70 06 00000000 2a03"
        assert good(first, "5e 00 00*5 00ff 00") == b("00000005 00*4")


def test_reservations_that_cannot_be(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        host = target.session()
        assert change(host, REGISTER, 1, 2) == CONFLICT
        change(host, REGISTER, 0, 0xA)
        for action, kind, sense in (
            (RESERVE, 2, "2400 cb0002"),
            (RESERVE, 0x11, "2400 cf0002"),
            ("5f 07", 1, "2400 cc0001"),
            ("5f 1f", 1, "2400 cc0001"),
        ):
            assert told(change(host, action, 0xA, kind=kind)) == f"70 05 00000000 {sense}"
        assert check(host, "5f 00 00 00 00 00000010 00", bytes(16)) == "70 05 00000000 1a00"
        assert check(host, "5f 06 00 00 00 00000018 00", bytes(20) + b("01 000000")) == "70 05 00000000 2600 880014"
        assert check(host, "5e 03 00*5 00ff 00") == "70 05 00000000 2400 cc0001"
        assert good(host, "5e 02 00*5 00ff 00")[:2] == b("0008")


def test_a_write_that_fails_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken into the buffer and cannot be kept is told with the next command that needs it: deferred."""
    with drive_target(tmp_path) as target:
        host = target.session()
        with monkeypatch.context() as broken:
            good(host, "0a 00 000001 00", b"x")
            broken.setattr(os, "pwrite", _no_more)
            assert check(host, "01 00*5") == "71 03 00000000 0c00"
        good(host, "01 00*5")
        good(host, "0a 00 000001 00", b"x")
        with monkeypatch.context() as broken:
            broken.setattr(os, "pwrite", _no_more)
            # WRITE FILEMARKS itself is what fails then.
            assert check(host, "10 00 000001 00") == "70 03 00000000 0c00"


def _no_more(*_: object) -> int:
    raise OSError(errno.EIO, "no more")
