"""The iSCSI target of these tests, word by word: PDUs by hand from RFC 7143."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scsi.virtual.inventory import Configuration
from scsi.virtual.library import NewVolume, create_library, open_library
from tests.kernel.iscsi_target import TARGET, Portal, units_of
from tests.scsi.hexes import b

NAMES = f"InitiatorName=iqn.2026-11.test:one\0TargetName={TARGET}\0SessionType=Normal\0AuthMethod=None\0".encode()
OFFER = b"HeaderDigest=CRC32C,None\0InitialR2T=No\0ImmediateData=Yes\0FirstBurstLength=4096\0MaxBurstLength=8192\0"
OFFER += b"MaxRecvDataSegmentLength=4096\0DefaultTime2Wait=2\0X-unknown=1\0"
READ, WRITE, BOTH, NONE = 0xC0, 0xA0, 0xE0, 0x80


class Wire:
    """An initiator that counts and cuts into PDUs, and knows no more."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.number = 1

    def send(self, header: str, segment: bytes = b"") -> None:
        raw = bytearray(b(header))
        assert len(raw) == 48
        raw[5:8] = len(segment).to_bytes(3, "big")
        self.stream.sendall(bytes(raw) + segment + bytes(-len(segment) % 4))

    def receive(self) -> tuple[bytes, bytes]:
        header = self.exactly(48)
        size = int.from_bytes(header[5:8], "big")
        return header, self.exactly(-(-size // 4) * 4)[:size]

    def exactly(self, count: int) -> bytes:
        came = b""
        while len(came) < count:
            part = self.stream.recv(count - len(came))
            if not part:
                raise EOFError
            came += part
        return came

    def login(self, part: str) -> bytes:
        """Both stages, with ``part`` as ISID; the text of the second answer."""
        self.send(f"43 81 00*6 {part} 0000 00000001 0001 00*2 {self.number:08x} 00*20", NAMES)
        header, text = self.receive()
        assert (header[0], header[1], header[36:38]) == (0x23, 0x81, bytes(2))
        self.send(f"43 87 00*6 {part} 0000 00000001 0001 00*2 {self.number:08x} 00*20", OFFER)
        header, text = self.receive()
        assert (header[1], header[36:38], header[14:16] != bytes(2)) == (0x87, bytes(2), True)
        return text

    def command(
        self, cdb: str, *, lun: int = 0, flags: int = READ, expected: int = 0, tag: int = 0x10, segment: bytes = b""
    ) -> None:
        raw = b(cdb).ljust(16, b"\0").hex()
        place = f"00 {lun:02x} 00*6 {tag:08x} {expected:08x} {self.number:08x} 00*4"
        self.send(f"01 {flags:02x} 00*6 {place} {raw}", segment)
        self.number += 1

    def end(self) -> tuple[int, str, int, bytes, bytes]:
        """Status, O or U or neither, residual, data and sense of the command that ends next."""
        answer = b""
        while True:
            header, segment = self.receive()
            assert header[0] in (0x21, 0x25)
            if header[0] == 0x25:
                assert int.from_bytes(header[40:44], "big") == len(answer)
                answer += segment
            if header[0] == 0x21 or header[1] & 1:
                sense = segment[2:] if header[0] == 0x21 else b""
                kind = {0: "", 2: "U", 4: "O"}[header[1] & 6]
                return header[3], kind, int.from_bytes(header[44:48], "big"), answer, sense


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    create_library(
        tmp_path / "library", Configuration(1, 4, 1), volumes=[NewVolume("VT0001L8", capacity_bytes=1 << 20)]
    )
    with contextlib.ExitStack() as ending:
        library = ending.enter_context(open_library(tmp_path / "library", sync=False))
        library.move(1024, 256)
        yield Portal(units_of(library, ending))


@contextlib.contextmanager
def connected(portal: Portal) -> Iterator[Wire]:
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=portal.serve, args=(theirs,))
    serving.start()
    with ours:
        ours.settimeout(10)
        yield Wire(ours)
    serving.join(10)
    assert not serving.is_alive()


@contextlib.contextmanager
def session(portal: Portal, part: str = "400001370000") -> Iterator[Wire]:
    """Logged in, and behind the unit attention of the drive."""
    with connected(portal) as wire:
        wire.login(part)
        wire.command("00*6", flags=NONE)
        assert wire.end()[0] == 2
        yield wire


def test_what_is_negotiated(portal: Portal) -> None:
    with connected(portal) as wire:
        assert set(wire.login("400001370000").split(b"\0")) == {
            *(b"HeaderDigest=None", b"InitialR2T=No", b"ImmediateData=Yes", b"FirstBurstLength=4096", b""),
            *(b"MaxBurstLength=8192", b"DefaultTime2Wait=2", b"X-unknown=NotUnderstood"),
            b"MaxRecvDataSegmentLength=131072",
        }


def test_who_is_not_let_in(portal: Portal) -> None:
    for text, status in (
        (NAMES.replace(b":virtual", b":other"), 0x0203),
        (NAMES.replace(b"AuthMethod=None", b"AuthMethod=CHAP"), 0x0201),
        (NAMES.replace(b"Normal", b"Discovery"), 0x0209),
        (b"AuthMethod=None\0", 0x0207),
    ):
        with connected(portal) as wire:
            wire.send("43 81 00*6 400001370000 0000 00000001 0001 00*2 00000001 00*20", text)
            header, _ = wire.receive()
            assert int.from_bytes(header[36:38], "big") == status
            with pytest.raises(EOFError):
                wire.receive()


def test_residuals(portal: Portal) -> None:
    """Of what was expected (RFC 7143 11.4.5): U if less was moved, O if more would have been."""
    with session(portal) as wire:
        for cdb, flags, expected, segment, ended in (
            ("12 00 00 00 60 00", READ, 96, b"", (0, "", 0, 96, "")),
            ("12 00 00 00 60 00", READ, 200, b"", (0, "U", 104, 96, "")),
            ("12 00 00 00 60 00", READ, 36, b"", (0, "O", 60, 36, "")),
            ("12 00 00 00 60 00", NONE, 0, b"", (0, "O", 96, 0, "")),
            ("12 00 00 00 05 00", READ, 36, b"", (0, "U", 31, 5, "")),
            ("00*6", NONE, 0, b"", (0, "", 0, 0, "")),
            ("28 00*9", READ, 512, b"", (2, "U", 512, 0, "05 2000")),
            ("0a 00 000200 00", WRITE, 512, bytes(512), (0, "", 0, 0, "")),
            ("0a 00 000100 00", WRITE, 512, bytes(512), (0, "U", 256, 0, "")),
            ("0a 00 000300 00", WRITE, 512, bytes(512), (2, "O", 256, 0, "0b 4b00")),
            ("01 00*5", NONE, 0, b"", (0, "", 0, 0, "")),
            ("08 00 000400 00", READ, 1024, b"", (2, "U", 512, 512, "20 0000")),
            ("08 00 000100 00", READ, 128, b"", (0, "O", 128, 128, "")),
            ("08 00 000100 00", READ, 256, b"", (2, "U", 256, 0, "08 0005")),
            ("1b 00*5", NONE, 0, b"", (0, "", 0, 0, "")),
            ("0a 00 000200 00", WRITE, 512, bytes(512), (2, "U", 512, 0, "02 3a00")),
        ):
            wire.command(cdb, flags=flags, expected=expected, segment=segment)
            status, kind, residual, answer, sense = wire.end()
            told = f"{sense[2]:02x} {sense[12:14].hex()}" if sense else ""
            assert (status, kind, residual, len(answer), told) == ended, (cdb, expected)


def test_bursts_of_a_write_and_a_read(portal: Portal) -> None:
    block = bytes(number % 251 for number in range(20_000))
    with session(portal) as wire:
        # 1000 bytes with the command, the rest of the first burst by itself, the others on demand.
        wire.command("0a 00 004e20 00", flags=0x20, expected=20_000, tag=0x55, segment=block[:1000])
        wire.send("05 80 00*6 00*8 00000055 ffffffff 00*16 000003e8 00*4", block[1000:4096])
        for number, start, size in ((0, 4096, 8192), (1, 12_288, 7712)):
            header, _ = wire.receive()
            assert (header[0], header[16:20]) == (0x31, b("00000055"))
            assert header[36:48] == b(f"{number:08x} {start:08x} {size:08x}")
            half = size // 2
            for part, (at, to, flags) in enumerate(((start, start + half, 0), (start + half, start + size, 0x80))):
                place = f"{header[20:24].hex()} 00*12 {part:08x} {at:08x} 00*4"
                wire.send(f"05 {flags:02x} 00*6 00*8 00000055 {place}", block[at:to])
        assert wire.end()[:3] == (0, "", 0)
        wire.command("01 00*5", flags=NONE)
        assert wire.end()[0] == 0
        wire.command("08 00 004e20 00", expected=20_000)
        seen = [wire.receive() for _ in range(5)]
        assert [(header[1], len(segment)) for header, segment in seen] == [
            *((0x00, 4096), (0x80, 4096), (0x00, 4096), (0x80, 4096), (0x81, 3616)),
        ]
        assert b"".join(segment for _, segment in seen) == block


def test_units_that_are_not_there(portal: Portal) -> None:
    units = b("00000010 00*4 0000 00*6 0001 00*6")
    with session(portal) as wire:
        for lun in (0, 1, 7):
            wire.command("a0 00*5 00000100 00 00", lun=lun, expected=256)
            assert wire.end() == (0, "U", 256 - 24, units, b"")
        wire.command("12 00 00 00 24 00", lun=7, expected=36)
        assert wire.end()[3][:1] == b"\x7f"
        wire.command("00*6", lun=7, flags=NONE)
        sense = wire.end()[4]
        assert (sense[2:3], sense[12:14]) == (b("05"), b("2500"))


def managed(wire: Wire, function: int, *, lun: int = 0, task: int = 0xFFFFFFFF) -> int:
    wire.send(f"42 {0x80 | function:02x} 00*6 00 {lun:02x} 00*6 00000099 {task:08x} {wire.number:08x} 00*20")
    header, _ = wire.receive()
    assert (header[0], header[16:20]) == (0x22, b("00000099"))
    return header[2]


def test_task_management(portal: Portal) -> None:
    with session(portal) as wire, session(portal, "400001370001") as other:
        for function, lun, response in ((1, 0, 1), (5, 7, 2), (3, 0, 5), (5, 0, 0)):
            assert managed(wire, function, lun=lun) == response, (function, lun)
        for each in (wire, other):
            each.command("00*6", flags=NONE)
            assert each.end()[4][2:3] == b"\6"
        # A write whose data have yet to come is aborted: nothing is told of it, and nothing was written.
        wire.command("0a 00 004e20 00", flags=WRITE, expected=20_000, tag=0x55, segment=bytes(4096))
        assert wire.receive()[0][0] == 0x31
        assert managed(wire, 1, task=0x55) == 0
        wire.command("34 00*9", expected=20)
        assert wire.end()[3] == b("80 00*19")


def test_the_same_initiator_comes_again(portal: Portal) -> None:
    with session(portal) as wire, session(portal) as again:
        with pytest.raises(EOFError):
            wire.receive()
        again.command("00*6", flags=NONE)
        assert again.end()[0] == 0


def test_other_requests(portal: Portal) -> None:
    with session(portal) as wire:
        wire.send(f"40 80 00*6 00*8 00000077 ffffffff {wire.number:08x} 00*20", b"ping")
        header, segment = wire.receive()
        assert (header[0], header[16:24], segment) == (0x20, b("00000077 ffffffff"), b"ping")
        wire.send(f"44 80 00*6 00*8 00000078 ffffffff {wire.number:08x} 00*20", b"SendTargets=All\0")
        header, segment = wire.receive()
        assert (header[0], header[2], segment[0]) == (0x3F, 0x05, 0x44)
        wire.command("00*6", flags=BOTH, expected=8)
        assert wire.receive()[0][2] == 0x09
        wire.send(f"46 80 00*6 00*8 00000079 0001 00*2 {wire.number:08x} 00*20")
        header, _ = wire.receive()
        assert (header[0], header[2], header[16:20]) == (0x26, 0, b("00000079"))
        with pytest.raises(EOFError):
            wire.receive()


def test_what_ends_the_connection(portal: Portal) -> None:
    for header, size in (
        ("01 80 00*2 00 ffffff 00*40", None),
        (f"01 80 00*6 00*8 00000011 00000000 {99:08x} 00*20", 0),
        (f"01 a0 00*6 00*8 00000011 00002000 {2:08x} 00*20", 4097),
        (f"01 80 00*2 01 00*3 00*8 00000011 00000000 {2:08x} 00*20", 0),
    ):
        with session(portal) as wire:
            if size is None:
                wire.stream.sendall(b(header))
            else:
                wire.send(header, bytes(size))
            with pytest.raises((EOFError, ConnectionResetError)):
                wire.receive()
