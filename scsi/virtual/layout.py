"""What is on a tape, run by run, with every position found by bisection."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Run", "RunList"]


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` blocks of ``block_bytes`` each, or ``count`` filemarks if that is 0."""

    count: int
    block_bytes: int

    @property
    def bytes(self) -> int:
        """Block bytes of the whole run."""
        return self.count * self.block_bytes


class RunList:
    """Runs in tape order. ``end`` logical objects, ``end_byte`` bytes of blocks, ``marks`` filemarks in all."""

    def __init__(self) -> None:
        self.end = 0
        self.end_byte = 0
        self.marks = 0
        self._runs: list[Run] = []
        self._first: list[int] = []
        self._byte: list[int] = []
        self._marks: list[int] = []

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def since(self, index: int) -> list[tuple[int, Run]]:
        """Runs from number ``index`` on, each with the number of its first object."""
        return list(zip(self._first[index:], self._runs[index:], strict=True))

    def append(self, run: Run, *, merge: bool = False) -> None:
        """Add a run at the end; ``merge`` makes it part of the last one where that has the same blocks."""
        if merge and self._runs and self._runs[-1].block_bytes == run.block_bytes:
            run = Run(self._pop().count + run.count, run.block_bytes)
        self._runs.append(run)
        self._first.append(self.end)
        self._byte.append(self.end_byte)
        self._marks.append(self.marks)
        self.end += run.count
        self.end_byte += run.bytes
        self.marks += 0 if run.block_bytes else run.count

    def cut(self, number: int) -> None:
        """Forget every object from ``number`` on."""
        while self.end > number:
            run = self._pop()
            if self.end < number:
                self.append(Run(number - self.end, run.block_bytes))

    def cut_to_bytes(self, size: int) -> None:
        """Forget every object from the first block on that does not lie within ``size`` bytes."""
        while self.end_byte > size:
            whole = max(0, size - self._byte[-1]) // self._runs[-1].block_bytes if self._runs[-1].block_bytes else 0
            self.cut(self._first[-1] + whole)

    def at(self, number: int) -> tuple[Run, int]:
        """The run that holds object ``number`` (below ``end``), and how many of its objects come before."""
        index = bisect_right(self._first, number) - 1
        return self._runs[index], number - self._first[index]

    def byte_of(self, number: int) -> int:
        """Bytes of blocks before object ``number``, 0..end."""
        if not self._runs:
            return 0
        index = bisect_right(self._first, number) - 1
        return self._byte[index] + (number - self._first[index]) * self._runs[index].block_bytes

    def marks_before(self, number: int) -> int:
        """Filemarks before object ``number``, 0..end."""
        if not self._runs:
            return 0
        index = bisect_right(self._first, number) - 1
        return self._marks[index] + (0 if self._runs[index].block_bytes else number - self._first[index])

    def mark(self, ordinal: int) -> int:
        """The object number of filemark ``ordinal``, counted from 0; below ``marks``."""
        index = bisect_right(self._marks, ordinal) - 1
        return self._first[index] + ordinal - self._marks[index]

    def _pop(self) -> Run:
        self.end = self._first.pop()
        self.end_byte = self._byte.pop()
        self.marks = self._marks.pop()
        return self._runs.pop()
