"""Inputs to begin with: what ndmjob said, and what earlier runs found worth keeping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.targets import DECLARED, MAX_RECORD, REQUESTED
from tests.ndmp.captures import CAPTURES, Sent, conversations

__all__ = ["corpus_file", "kept", "seeds"]

_CUT = 40
"""Records of a conversation at most in one input."""


def corpus_file(target: str) -> Path:
    """Where a target's corpus is: an input a line, in hex; "#" begins a comment."""
    return Path(__file__).with_name("corpus") / f"{target}.hex"


def kept(target: str) -> list[bytes]:
    """The minimised corpus, with the inputs that once broke something."""
    path = corpus_file(target)
    lines = path.read_text().splitlines() if path.exists() else []
    return [bytes.fromhex(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]


def seeds(target: str) -> list[bytes]:
    """The captures as inputs of a target."""
    talks = [talk for path in CAPTURES for talk in conversations(path)]
    made = {"records": _records, "messages": _messages, "connection": _connection, "session": _session}[target]
    return sorted({seed for talk in talks for seed in made(talk)})


def _records(talk: list[Sent]) -> Iterator[bytes]:
    for side in "<>":
        yield b"\x06" + b"".join(sent.wire for sent in talk if sent.direction == side)[:MAX_RECORD]


def _messages(talk: list[Sent]) -> Iterator[bytes]:
    for sent in talk:
        for number, declared in enumerate(DECLARED):
            if declared.wire_code == int.from_bytes(sent.record[12:16], "big") and len(sent.record) < MAX_RECORD:
                yield number.to_bytes(2, "big") + sent.record[24:]


def _connection(talk: list[Sent]) -> Iterator[bytes]:
    for at in range(0, len(talk), _CUT):
        for side in "<>":
            yield b"\x06\x00" + b"".join(sent.wire for sent in talk[at : at + _CUT] if sent.direction == side)


def _session(talk: list[Sent]) -> Iterator[bytes]:
    codes = [declared.wire_code for declared in REQUESTED]
    asked = [sent.record for sent in talk if sent.direction == ">"]
    script = b"".join(
        bytes([codes.index(int.from_bytes(record[12:16], "big"))]) + (len(record) - 24).to_bytes(2, "big") + record[24:]
        for record in asked
    )
    yield from (bytes([situation]) + script for situation in range(4))
    yield b"\x80" + b"".join(sent.wire for sent in talk if sent.direction == ">")
