"""A scanner at each kind of port: labels, misreads, silence, and being unplugged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import ClassVar

import pytest

from duplicator.media.barcodes import Barcode
from duplicator.media.framing import Framing
from duplicator.media.misreads import CutOffError, MisreadError, UnknownMediaError
from duplicator.media.scanner import ScannerError, Waits, open_scanner
from tests.duplicator.media.ports import FakeScanner, terminal_scanner

# pyserial 3.5 still calls these.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
QUICK = Waits(idle=30, line=0.3, poll=0.05)


def readings(scanner: FakeScanner, stack: ExitStack, waits: Waits = QUICK) -> Iterator[Barcode | MisreadError]:
    return stack.enter_context(open_scanner(scanner.url, waits=waits)).readings(lambda: True)


def test_labels_come_one_by_one(scanner: FakeScanner) -> None:
    with ExitStack() as stack:
        found = readings(scanner, stack)
        for sent, text in (
            (b"A00001L8\r", "A00001L8"),
            (b"\n]A0A00002L8\r\n", "A00002L8"),
            (b"A00003L8\n", "A00003L8"),
        ):
            scanner.send(sent)
            reading = next(found)
            assert isinstance(reading, Barcode)
            assert reading.text == text


def test_a_misread_does_not_touch_its_neighbours(scanner: FakeScanner) -> None:
    with ExitStack() as stack:
        found = readings(scanner, stack)
        scanner.send(b"A00001L8\rA00001QQ\rA00002L8\r")
        first, wrong, last = (next(found) for _ in range(3))
        assert isinstance(first, Barcode)
        assert isinstance(wrong, UnknownMediaError)
        assert isinstance(last, Barcode)


class Recording(Framing):
    """Keeps each line as it came."""

    lines: ClassVar[list[bytes]] = []

    def read(self, line: bytes) -> Barcode:
        self.lines.append(line)
        raise MisreadError


def test_every_byte_comes_through(scanner: FakeScanner) -> None:
    """255 is a command to RFC 2217; others stop, resume and interrupt a terminal."""
    sent = bytes(set(range(256)) - set(b"\r\n"))
    Recording.lines.clear()
    with open_scanner(scanner.url, framing=Recording(), waits=QUICK) as opened:
        found = opened.readings(lambda: True)
        for at in range(0, len(sent), 50):
            scanner.send(sent[at : at + 50] + b"\r")
            next(found)
    assert b"".join(Recording.lines) == sent


def test_half_a_line_is_given_up(scanner: FakeScanner) -> None:
    with ExitStack() as stack:
        found = readings(scanner, stack)
        scanner.send(b"A0000")
        assert isinstance(next(found), CutOffError)
        scanner.send(b"A00001L8\r")
        assert isinstance(next(found), Barcode)


def test_silence_ends_it(scanner: FakeScanner) -> None:
    with ExitStack() as stack:
        assert list(readings(scanner, stack, Waits(idle=0.1, poll=0.05))) == []


def test_unplugged(scanner: FakeScanner) -> None:
    with ExitStack() as stack:
        found = readings(scanner, stack)
        scanner.send(b"A00001L8\r")
        assert isinstance(next(found), Barcode)
        scanner.unplug()
        with pytest.raises(ScannerError, match=r"is gone \(.+\)$"):
            next(found)


def test_unplugged_in_the_middle_of_a_line(scanner: FakeScanner) -> None:
    with ExitStack() as stack:
        opened = stack.enter_context(open_scanner(scanner.url, waits=Waits(idle=30, line=30, poll=0.05)))
        asked = []

        def is_wanted() -> bool:
            """Unplug once the port has given all that was sent."""
            asked.append(opened)
            if len(opened._lines.begun) == len(b"A0000"):
                scanner.unplug()
            return True

        found = opened.readings(is_wanted)
        scanner.send(b"A0000")
        with pytest.raises(ScannerError, match="'A0000', was not taken"):
            next(found)
        assert asked


def test_it_ends_when_it_is_told(scanner: FakeScanner) -> None:
    with ExitStack() as stack:
        opened = stack.enter_context(open_scanner(scanner.url, waits=QUICK))
        answers = iter([True, True, False])
        assert list(opened.readings(lambda: next(answers))) == []


def test_ports_that_cannot_be_used() -> None:
    cases = [
        ("/dev/absent-scanner", "No such file"),
        ("/dev/null", "/dev/null"),
        ("socket://127.0.0.1:1", "refused"),
        ("rfc2217://127.0.0.1:1", "refused"),
        ("socket://127.0.0.1", "socket://"),
        ("spy:///dev/null?file=/tmp/x", "write a device"),
        ("http://127.0.0.1", "write a device"),
    ]
    for url, words in cases:
        with pytest.raises(ScannerError) as caught, open_scanner(url):
            pass
        assert words in str(caught.value), (url, str(caught.value))


def test_a_device_is_taken_by_one_alone() -> None:
    with terminal_scanner() as scanner, open_scanner(scanner.url):
        again = open_scanner(scanner.url)
        with pytest.raises(ScannerError, match="lock"):
            again.__enter__()
