"""`ndmpdup decode`: NDMP messages in captures or in hex, in words."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import Json
from duplicator.cli.terminal import complain, plain, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from gzip import GzipFile
    from pathlib import Path

    from duplicator.capture.listening import Heard

__all__ = ["decode"]

_GZIP: Final = b"\x1f\x8b"
Inputs = Annotated[list[str], typer.Argument(metavar="FILE.pcap|HEX...", help="Captures, files of hex, or hex digits.")]
Ports = Annotated[
    list[int] | None,
    typer.Option(
        "--port", metavar="N", min=1, max=65535, help="Take connections of this port for NDMP. May be repeated."
    ),
]


def decode(
    inputs: Inputs,
    *,
    full: Annotated[bool, typer.Option("--full", help="Show each field on a line of its own.")] = False,
    port: Ports = None,
    as_json: Json = False,
) -> None:
    """Show the NDMP messages in captures or in hex.

    Of a capture (pcap or pcapng, gzipped or not) every TCP connection that looks like NDMP is shown. Hex is one record,
    with its record mark or without, or several with theirs; several arguments of hex digits are one text. Passwords are
    never shown.

    In front of each message stand the number of its connection, its time (UTC) and who sent it: > the application,
    < the host. The exit code is 1 if something could not be decoded, or if there was nothing to decode.

    \b
    Examples:
      ndmpdup decode capture.pcapng
      ndmpdup decode capture.pcap --port 20001 --full
      ndmpdup decode 8000001c 00000001 6b034209 00000000 00000900 00000000 00000000 00000004
    """
    printer = _JsonPrinter() if as_json else _TextPrinter(full=full)
    for title, source in _sources(inputs, port or []):
        printer.show(title, source)
    printer.end()
    if printer.problems:
        raise typer.Exit(1)


def _sources(inputs: Sequence[str], ports: Sequence[int]) -> list[tuple[str, Iterator[Heard]]]:
    """What to show, by name; UsageProblem for what is neither a file nor hex."""
    from pathlib import Path

    from duplicator.capture.hexes import read_hex, read_hex_text

    found, digits = list[tuple[str, "Iterator[Heard]"]](), list[str]()
    for text in inputs:
        # Path.exists would raise on hex digits: no name of a file may be so long.
        if os.path.exists(text):
            found.append((text, _file(Path(text), ports)))
        else:
            digits.append(text)
    if digits:
        try:
            read_hex(" ".join(digits))
        except ValueError as error:
            raise UsageProblem(f"{digits[0]!r} is no file, and as hex digits: {error}") from error
        found.append(("hex", read_hex_text(" ".join(digits))))
    return found


def _file(path: Path, ports: Sequence[int]) -> Iterator[Heard]:
    """What is said in a file, gzipped or not; ValueError or CaptureError where it makes no sense."""
    import gzip
    import zlib

    from duplicator.capture.packets import CaptureError

    with path.open("rb") as file:
        if file.read(2) != _GZIP:
            file.seek(0)
            yield from _heard(file, ports)
            return
        file.seek(0)
        try:
            with gzip.open(file) as unpacked:
                yield from _heard(unpacked, ports)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise CaptureError(f"a damaged gzip file: {error}") from error


def _heard(file: BinaryIO | GzipFile, ports: Sequence[int]) -> Iterator[Heard]:
    from duplicator.capture.hexes import MAX_HEX, read_hex_text
    from duplicator.capture.listening import listen
    from duplicator.capture.packets import is_capture, read_packets

    is_packets = is_capture(file.read(4))
    file.seek(0)
    if is_packets:
        yield from listen(read_packets(file), ports=ports)
        return
    # Twice: spaces are no digits.
    text = file.read(2 * MAX_HEX + 1)
    if len(text) > 2 * MAX_HEX:
        raise ValueError("neither a capture nor hex: too long")
    try:
        yield from read_hex_text(text.decode("ascii"))
    except ValueError as error:
        why = "not text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ValueError(f"neither a pcap or pcapng file nor hex: {why}") from None


class _Printer(ABC):
    """Shows what is heard, and counts what was not understood."""

    def __init__(self) -> None:
        self.problems = 0

    def show(self, title: str, heard: Iterator[Heard]) -> None:
        """Everything of one input, up to where it makes no sense any more."""
        from duplicator.capture.packets import CaptureError

        is_empty = True
        try:
            for item in heard:
                is_empty = False
                self.problems += bool(item.saying.problem)
                self.item(title, item)
        except (CaptureError, ValueError) as error:
            self.fail(title, str(error))
        else:
            if is_empty:
                self.fail(title, "no NDMP message found")

    def fail(self, title: str, problem: str) -> None:
        """An input that cannot be followed further."""
        self.problems += 1
        complain(plain(f"ndmpdup: {title}: {problem}"))

    @abstractmethod
    def item(self, title: str, heard: Heard) -> None:
        """Show one message."""

    @abstractmethod
    def end(self) -> None:
        """Everything was heard."""


class _TextPrinter(_Printer):
    def __init__(self, *, full: bool) -> None:
        super().__init__()
        self._full = full
        self._announced: set[tuple[str, int]] = set()

    def item(self, title: str, heard: Heard) -> None:
        if (title, heard.connection) not in self._announced:
            self._announced.add((title, heard.connection))
            say(plain(f"# {title}, connection {heard.connection}{_ends(heard)}"))
        arrow = {None: "", True: "< ", False: "> "}[heard.from_host]
        for line in self._lines(heard):
            say(f"{heard.connection} {_clock(heard.time)}{arrow}{line}")
            arrow = " " * len(arrow)

    def _lines(self, heard: Heard) -> list[str]:
        from ndmp.render import full, one_line

        saying = heard.saying
        problem = f"** {plain(saying.problem)}"
        if saying.header is None:
            return [problem]
        if self._full:
            return [*full(saying.header, saying.message).splitlines(), *([f"  {problem}"] if saying.problem else [])]
        return [one_line(saying.header, saying.message) + (f" {problem}" if saying.problem else "")]

    def end(self) -> None:
        """Each message was shown as it came."""


def _ends(heard: Heard) -> str:
    if heard.source is None:
        return ""
    application, host = (heard.target, heard.source) if heard.from_host else (heard.source, heard.target)
    return f": application {application}, host {host}" if heard.from_host is not None else f": {application}, {host}"


def _clock(nanoseconds: int | None) -> str:
    from datetime import UTC, datetime, timedelta

    if nanoseconds is None:
        return ""
    return f"{datetime.fromtimestamp(0, UTC) + timedelta(microseconds=nanoseconds // 1000):%H:%M:%S.%f} "


class _JsonPrinter(_Printer):
    def __init__(self) -> None:
        super().__init__()
        self._messages: list[dict[str, Any]] = []

    def item(self, title: str, heard: Heard) -> None:
        from ndmp.render import document

        saying = heard.saying
        nothing = {"name": None, "header": None, "fields": None}
        self._messages.append(
            {
                "input": title,
                "connection": heard.connection,
                "time": None if heard.time is None else heard.time / 1e9,
                "source": None if heard.source is None else str(heard.source),
                "target": None if heard.target is None else str(heard.target),
                "from_host": heard.from_host,
                **(document(saying.header, saying.message) if saying.header else nothing),
                "problem": saying.problem or None,
            }
        )

    def end(self) -> None:
        print_json({"messages": self._messages, "success": not self.problems})
