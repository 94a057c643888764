"""A hand-held scanner on a serial port: of this machine, or of another by TCP. Needs pyserial."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from duplicator.media.barcodes import Barcode
from duplicator.media.framing import Framing
from duplicator.media.lines import LineSplitter
from duplicator.media.misreads import LineTooLongError, MisreadError

if TYPE_CHECKING:
    from serial import SerialBase

__all__ = ["PYSERIAL_HINT", "Scanner", "ScannerError", "ScannerMissingError", "Waits", "open_scanner"]

PYSERIAL_HINT: Final = "a scanner needs pyserial: pip install 'ndmpdup[barcode]'"
_SCHEMES: Final = ("socket", "rfc2217")
"""pyserial has more, which are for tests and for tracing, and one that writes files."""


class ScannerError(Exception):
    """The scanner cannot be reached, or is gone; the text says which and what was lost."""


class ScannerMissingError(ScannerError):
    """pyserial is not installed."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds: ``idle`` for the next label, ``line`` for the rest of a line that began."""

    idle: float = 3600.0
    line: float = 2.0
    poll: float = 0.2
    """How often it is looked whether somebody wants to stop: not every port can be woken up."""


class Scanner:
    """An open port; ``name`` is its URL."""

    def __init__(self, port: SerialBase, name: str, *, framing: Framing, waits: Waits) -> None:
        self.name = name
        self._port = port
        self._framing = framing
        self._waits = waits
        self._lines = LineSplitter()

    def readings(self, is_wanted: Callable[[], bool]) -> Iterator[Barcode | MisreadError]:
        """Each label, or what was wrong with it; ends when it is not wanted any more, or nothing came for long.

        ScannerError when the scanner is gone; of what was not complete nothing is given.
        """
        last = time.monotonic()
        while is_wanted():
            received = self._receive()
            now = time.monotonic()
            if received:
                last = now
                yield from map(self._read, self._lines.feed(received))
            elif self._lines.begun and now - last > self._waits.line:
                yield self._lines.give_up()
            elif now - last > self._waits.idle:
                return

    def _receive(self) -> bytes:
        try:
            received: bytes = self._port.read(1)
        except OSError as error:
            begun = self._lines.begun.decode("ascii", "backslashreplace")
            lost = f"; what it had sent of the next label, {begun!r}, was not taken" if begun else ""
            raise ScannerError(f"scanner {self.name} is gone ({_reason(error)}){lost}") from error
        return received

    def _read(self, line: bytes | LineTooLongError) -> Barcode | MisreadError:
        if isinstance(line, LineTooLongError):
            return line
        try:
            return self._framing.read(line)
        except MisreadError as wrong:
            return wrong


@contextmanager
def open_scanner(
    url: str, *, baud: int = 9600, framing: Framing | None = None, waits: Waits | None = None
) -> Iterator[Scanner]:
    """Take a port: a device such as /dev/ttyACM0, socket://HOST:PORT or rfc2217://HOST:PORT; ScannerError.

    What the scanner sent before is dropped: it was meant for somebody else.
    """
    waits = waits or Waits()
    port = _open(url, baud, timeout=waits.poll)
    try:
        yield Scanner(port, url, framing=framing or Framing(), waits=waits)
    finally:
        port.close()


def _open(url: str, baud: int, *, timeout: float) -> SerialBase:
    scheme, found, _ = url.partition("://")
    if found and scheme not in _SCHEMES:
        raise ScannerError(f"scanner {url}: write a device, socket://HOST:PORT or rfc2217://HOST:PORT")
    try:
        import serial
    except ImportError:
        raise ScannerMissingError(PYSERIAL_HINT) from None
    try:
        # A device is taken for this process alone: two would share out the characters of each label.
        port: SerialBase = serial.serial_for_url(url, baudrate=baud, timeout=timeout, exclusive=None if found else True)
    except (OSError, ValueError) as error:
        raise ScannerError(f"scanner {url}: {_reason(error)}") from error
    return port


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
