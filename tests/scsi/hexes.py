"""Bytes of tests: written in hex with spaces, and what was recorded in fixtures/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"


def b(words: str) -> bytes:
    """The bytes of words in hex; ``x*n`` repeats a word."""
    return b"".join(
        bytes.fromhex(word) * int(times or 1) for word, _, times in (w.partition("*") for w in words.split())
    )


@dataclass(frozen=True)
class Exchange:
    """A command that was sent, the status, and the data or sense that came back."""

    title: str
    cdb: bytes
    status: int
    answer: bytes


def recorded(name: str) -> dict[str, Exchange]:
    """The exchanges of a file in fixtures/ by their titles."""
    lines = (FIXTURES / name).read_text(encoding="ascii").splitlines()
    found = dict[str, Exchange]()
    for title, sent, came in zip(*[iter(lines)] * 3, strict=True):
        status, _, answer = came.removeprefix("< ").partition(" ")
        name_ = title.removeprefix("# ")
        exchange = Exchange(name_, bytes.fromhex(sent.removeprefix("> ")), int(status, 16), bytes.fromhex(answer))
        found[name_] = exchange
    return found
