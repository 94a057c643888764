"""NDMP records written in hex: with their record marks or without, or line by line as in ``fixtures/``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from duplicator.capture.dialogues import Dialogue, Saying, is_header
from duplicator.capture.listening import Heard

__all__ = ["MAX_HEX", "read_hex", "read_hex_text"]

MAX_HEX: Final = 64 * 1024 * 1024
"""Characters of a hex text at most."""
_NOT_HEX: Final = re.compile(r"0[xX]|[\s:,]")
_MARK_BYTES: Final = 4


def read_hex_text(text: str, *, connection: int = 1) -> Iterator[Heard]:
    """The messages in a text of hex; ValueError where it is none.

    Lines that begin with "#" are comments. Where lines begin with "<" (from the host) or ">", each is a record, and a
    comment begins a new connection.
    """
    lines = [line.strip() for line in text.splitlines()]
    if any(line[:1] in ("<", ">") for line in lines):
        yield from _dialogues(lines, connection)
    else:
        octets = read_hex(" ".join(line for line in lines if not line.startswith("#")))
        for saying in _sayings(Dialogue(), octets):
            yield Heard(connection, None, None, None, None, saying)


def read_hex(text: str) -> bytes:
    """The bytes of hex digits, with spaces, colons, commas and 0x anywhere; ValueError for other text."""
    digits = _NOT_HEX.sub("", text)
    if not digits:
        raise ValueError("no hex digits")
    if len(digits) > MAX_HEX:
        raise ValueError(f"{len(digits)} hex digits, {MAX_HEX} allowed")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        why = "an odd number of hex digits" if re.fullmatch(r"[0-9a-fA-F]+", digits) else "not hex"
        raise ValueError(why) from None


def _dialogues(lines: list[str], connection: int) -> Iterator[Heard]:
    dialogue, spoken = Dialogue(), False
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            # Comments before the first record are about the file.
            dialogue, connection, spoken = Dialogue(), connection + spoken, False
        elif line:
            spoken = True
            from_host = line.startswith("<")
            for saying in _line(dialogue, number, line):
                yield Heard(connection, None, None, None, from_host, saying)


def _line(dialogue: Dialogue, number: int, line: str) -> Iterator[Saying]:
    try:
        octets = read_hex(line.removeprefix("<").removeprefix(">"))
    except ValueError as error:
        yield Saying(None, problem=f"line {number}: {error}")
        return
    yield from _sayings(dialogue, octets)


def _sayings(dialogue: Dialogue, octets: bytes) -> Iterator[Saying]:
    """Records with marks, unless the bytes make better sense as one record without."""
    if is_header(octets) and not is_header(octets[_MARK_BYTES:]):
        yield dialogue.understand(octets)
        return
    side = object()
    yield from dialogue.hear(side, octets)
    if dialogue.lose(side):
        yield Saying(None, problem="it ends within a record")
