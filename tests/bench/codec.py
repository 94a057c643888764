"""Times the codec: interpreted construct, the generated code, and code by hand, in rounds one after the other.

``python -m tests.bench.codec`` prints the table of docs/benchmarks.md; ``--rounds`` and ``--slice`` change its length.
It fails when what the ways give is not the same.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import construct

from ndmp.connection import Header
from ndmp.enums import (
    Error,
    FileStatUnsupported,
    FileType,
    FsType,
    MessageType,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
)
from ndmp.messages.filehist import FhAddFile, FhFile, FileStat, UnixName
from ndmp.messages.mover import MoverGetStateReply
from ndmp.messages.tape import TapeWrite
from ndmp.types import TcpAddresses, TcpEndpoint
from ndmp.wire import decode, encode, encode_parts, interpreted_decode, interpreted_encode
from tests.bench import by_hand

__all__ = ["cases", "main", "measure", "table"]

_FILES: Final = 100
_WAYS: Final = ("construct", "generated", "by hand, objects", "by hand, tuples")
_RATIOS: Final = ("construct / generated", "generated / objects", "generated / tuples")

Run = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One operation, ``ways`` of doing it, each with its argument."""

    name: str
    entries: int
    ways: dict[str, tuple[Run, Any]]


def _file(number: int) -> FhFile:
    stat = FileStat(
        FileStatUnsupported(0),
        FsType.UNIX,
        FileType.REG,
        mtime=0x67000000 + number,
        atime=0x67000001,
        ctime=0x67000002,
        owner=1000,
        group=100,
        attributes=0o644,
        size=123456 * number,
        links=1,
    )
    return FhFile(
        (UnixName(f"/home/someone/project/source/file{number:05}.c"),), (stat,), 50_000 + number, 512 * number
    )


_MESSAGES: Final[dict[str, tuple[str, Any]]] = {
    "header": ("header", Header(7, 0x67000000, MessageType.REPLY, 0xA00, 6, Error.NO_ERR)),
    "MOVER_GET_STATE reply": (
        "state",
        MoverGetStateReply(
            Error.NO_ERR,
            MoverMode.READ,
            MoverState.ACTIVE,
            MoverPauseReason.NA,
            MoverHaltReason.NA,
            record_size=65536,
            record_num=1234,
            bytes_moved=1234 * 65536,
            seek_position=0,
            bytes_left_to_read=0,
            window_offset=0,
            window_length=0xFFFFFFFFFFFFFFFF,
            address=TcpAddresses((TcpEndpoint(0x7F000001, 40000),)),
        ),
    ),
    "TAPE_WRITE 64 KiB": ("block", TapeWrite(bytes(range(256)) * 256)),
    "TAPE_WRITE 64 KiB in parts": ("block in parts", TapeWrite(bytes(range(256)) * 256)),
    "FH_ADD_FILE x 100": ("files", FhAddFile(tuple(map(_file, range(_FILES))))),
}


def cases() -> list[Case]:
    """What is measured; AssertionError when the ways do not agree."""
    made = (case for name, (kind, message) in _MESSAGES.items() for case in _operations(name, kind, message))
    return [case for case in made if case.name != "parse TAPE_WRITE 64 KiB in parts"]


def _operations(name: str, kind: str, message: Any) -> tuple[Case, Case]:  # noqa: ANN401
    body, declared = interpreted_encode(message), type(message)
    (as_objects, from_objects), (as_tuples, from_tuples) = by_hand.OBJECTS[kind], by_hand.TUPLES[kind]
    entries = _FILES if kind == "files" else 1
    generated = encode_parts if "parts" in kind else encode
    parse: list[tuple[Run, Any]] = [
        (partial(interpreted_decode, declared), body),
        (partial(decode, declared), body),
        (as_objects, body),
        (as_tuples, body),
    ]
    build: list[tuple[Run, Any]] = [
        (interpreted_encode, message),
        (generated, message),
        (from_objects, as_objects(body)),
        (from_tuples, as_tuples(body)),
    ]
    assert decode(declared, body) == message == interpreted_decode(declared, body)
    for run, value in build:
        built = run(value)
        assert (built if isinstance(built, bytes) else b"".join(built)) == body, run
    return (
        Case(f"parse {name}", entries, dict(zip(_WAYS, parse, strict=True))),
        Case(f"build {name}", entries, dict(zip(_WAYS, build, strict=True))),
    )


def _seconds(run: Run, value: Any, times: int) -> float:  # noqa: ANN401
    turns = range(times)
    begin = time.perf_counter()
    for _ in turns:
        run(value)
    return time.perf_counter() - begin


def _times(run: Run, value: Any, slice_seconds: float) -> int:  # noqa: ANN401
    times = 1
    while (spent := _seconds(run, value, times)) < slice_seconds / 4:
        times *= 4
    return max(1, round(times * slice_seconds / spent))


def measure(measured: list[Case], *, rounds: int, slice_seconds: float) -> dict[str, dict[str, list[float]]]:
    """Seconds an operation by case and way, one for each round; the ways take turns within a round."""
    times = {(c.name, way): _times(*c.ways[way], slice_seconds) for c in measured for way in _WAYS}
    spent: dict[str, dict[str, list[float]]] = {case.name: {way: [] for way in _WAYS} for case in measured}
    for _ in range(rounds):
        for case in measured:
            for way, (run, value) in case.ways.items():
                count = times[case.name, way]
                spent[case.name][way].append(_seconds(run, value, count) / count)
    return spent


def _ratio(over: list[float], under: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def table(spent: dict[str, dict[str, list[float]]]) -> str:
    """The medians and ratios, as Markdown. A ratio is the median of the ratios of the rounds."""
    lines = [
        f"| microseconds: median (least-most) | {' | '.join(_WAYS)} | {' | '.join(_RATIOS)} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, ways in spent.items():
        cells = [f"{statistics.median(s) * 1e6:.3g} ({min(s) * 1e6:.3g}-{max(s) * 1e6:.3g})" for s in ways.values()]
        slow, fast, objects, tuples = ways.values()
        ratios = [f"{_ratio(slow, fast):.1f}", f"{_ratio(fast, objects):.2f}", f"{_ratio(fast, tuples):.2f}"]
        lines.append(f"| {name} | {' | '.join(cells + ratios)} |")
    return "\n".join(lines)


def _entries(measured: list[Case], spent: dict[str, dict[str, list[float]]]) -> str:
    many = [case for case in measured if case.entries > 1]
    lines = (
        f"{case.name}: "
        + ", ".join(f"{way} {case.entries / statistics.median(s) / 1000:,.0f} k" for way, s in spent[case.name].items())
        for case in many
    )
    return "Entries a second: \n" + "\n".join(lines)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--slice", type=float, default=0.05, help="seconds of one way in one round")
    chosen = arguments.parse_args()
    measured = cases()
    spent = measure(measured, rounds=chosen.rounds, slice_seconds=chosen.slice)
    system = f"{platform.python_implementation()} {platform.python_version()}, construct {construct.__version__}"
    sys.stdout.write(f"{system}, {platform.platform()}, {chosen.rounds} rounds\n\n{table(spent)}\n\n")
    sys.stdout.write(_entries(measured, spent) + "\n")


if __name__ == "__main__":
    main()
