"""What is left of a session that ends without a word (draft 3.4.1, D.8.5). Late: who fails keeps its tape."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, Check, Situation, Step, rows
from duplicator.conformance.situations import ACTIVE, LISTENING, READABLE, ROBOT, WRITABLE, open_tape, rewind
from duplicator.conformance.steps import ask, on, peer_closed
from duplicator.conformance.tapes import pattern, read, read_mark, write
from ndmp.enums import TapeOpenMode
from ndmp.messages.connect import ConnectClose
from ndmp.messages.scsi import ScsiOpen

__all__ = ["CHECKS"]

_BLOCK: Final = pattern(3)


async def _close_session(bench: Bench) -> None:
    """CONNECT_CLOSE, with everything still open."""
    await bench.session.send(ConnectClose())
    await bench.session.closes()
    bench.session.is_closed = True


async def _hang_up(bench: Bench) -> None:
    """The end of the TCP connection, without CONNECT_CLOSE."""
    await bench.session.hang_up()
    bench.session.is_closed = True


async def _reset(bench: Bench) -> None:
    """A reset of the TCP connection, as a crash would leave it."""
    bench.session.abort()
    bench.session.is_closed = True


_ENDS: Final[tuple[tuple[str, str, Step], ...]] = (
    ("close", "CONNECT_CLOSE", _close_session),
    ("hang-up", "the end of the connection", _hang_up),
    ("reset", "a reset of the connection", _reset),
)


def _free(name: str, words: str, end: Step, situation: Situation, then: tuple[Step, ...], title: str) -> Check:
    return Check(f"{name}", "3.4.1, D.8.5", MUST, f"{title} after {words}", situation, (end, on("other", *then)))


_TAPE_FREE: Final = (open_tape(TapeOpenMode.READ),)
_UNMARKED: Final = WRITABLE.then("one block written, and no mark", write(_BLOCK))
_MARKED: Final = (open_tape(TapeOpenMode.READ), rewind, read(_BLOCK), read_mark)
_ROBOT_FREE: Final = (ask(lambda bench: ScsiOpen(bench.target.permissions.scsi or "")),)

CHECKS: Final[tuple[Check, ...]] = rows(
    "loss",
    Check(
        "robot",
        "D.8.5",
        MUST,
        "a changer is free after the end of the connection",
        ROBOT,
        (_close_session, on("other", *_ROBOT_FREE)),
    ),
    *(_free(f"tape.{n}", words, end, READABLE, _TAPE_FREE, "the tape is free") for n, words, end in _ENDS),
    *(
        _free(f"listen.{n}", words, end, LISTENING, _TAPE_FREE, "a listening mover is gone, the tape free")
        for n, words, end in _ENDS
    ),
    *(
        _free(f"active.{n}", words, end, ACTIVE, _TAPE_FREE, "an active mover is gone, the tape free")
        for n, words, end in _ENDS
    ),
    Check(
        "connection",
        "D.8.5",
        MUST,
        "a data connection ends with its session",
        ACTIVE,
        (_hang_up, peer_closed),
    ),
    *(
        _free(f"mark.{n}", words, end, _UNMARKED, _MARKED, "what was written is ended with a mark")
        for n, words, end in _ENDS
    ),
)
