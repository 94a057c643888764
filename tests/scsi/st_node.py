"""The face of the kernel's tape driver on a tape in memory: calls and error numbers as st(4) has them."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from scsi.mtio import Operation, State
from scsi.st import StDrive

__all__ = ["Node", "opened_node"]

_MARKING = (Operation.REWIND, Operation.SEEK, Operation.BACK_FILES, Operation.OFFLINE)
"""Before these the driver ends with a filemark what was written."""


class Node:
    """A tape of ``capacity`` objects, the last ``zone`` of them behind the early warning. None is a filemark.

    ``fails`` is asked before each call, by its name, and raises what the call has to.
    """

    def __init__(self, *, capacity: int = 1000, zone: int = 0) -> None:
        self.tape = list[bytes | None]()
        self.at = 0
        self.fails: Callable[[str], None] = lambda _: None
        self._capacity, self._zone = capacity, zone
        self._warned = self._end_of_data = self._written = False

    def readv(self, _: int, buffers: list[memoryview]) -> int:
        self.fails("read")
        self._written = False
        self._end_of_data = self.at == len(self.tape)
        if self._end_of_data:
            return 0
        item, self.at = self.tape[self.at], self.at + 1
        if item is None:
            return 0
        if len(item) > len(buffers[0]):
            raise _error(errno.ENOMEM)
        buffers[0][: len(item)] = item
        return len(item)

    def write(self, _: int, block: memoryview) -> int:
        self.fails("write")
        if self.at >= self._capacity - self._zone and not self._warned:
            self._warned = True
            raise _error(errno.ENOSPC)
        if self.at >= self._capacity:
            raise _error(errno.ENOSPC)
        self.tape[self.at :] = [bytes(block)]
        self.at, self._written = self.at + 1, True
        return len(block)

    def ioctl(self, _: int, request: int, argument: ctypes.Structure, __: bool) -> int:
        {1: self._operate, 2: self._get, 3: self._tell}[request & 0xFF](argument)
        return 0

    def _operate(self, argument: ctypes.Structure) -> None:
        operation, count = Operation(argument.operation), argument.count
        self.fails(operation.name)
        if self._written and operation in _MARKING:
            self._mark()
        self._written = self._written and operation is Operation.SET_BLOCK
        self._end_of_data = False
        match operation:
            case Operation.REWIND | Operation.LOAD | Operation.OFFLINE:
                self.at, self._warned = 0, False
            case Operation.WRITE_MARKS:
                for _ in range(count):
                    self._mark()
            case Operation.END_OF_DATA:
                self.at = len(self.tape)
            case Operation.SEEK:
                self._seek(count)
            case Operation.FORWARD_FILES | Operation.BACK_FILES:
                self._pass(count, by=1 if operation is Operation.FORWARD_FILES else -1, over_blocks=False)
            case Operation.FORWARD_BLOCKS | Operation.BACK_BLOCKS:
                self._pass(count, by=1 if operation is Operation.FORWARD_BLOCKS else -1, over_blocks=True)

    def _mark(self) -> None:
        self.tape[self.at :] = [None]
        self.at += 1

    def _seek(self, number: int) -> None:
        self.at = min(number, len(self.tape))
        if number > len(self.tape):
            raise _error(errno.EIO)

    def _pass(self, count: int, *, by: int, over_blocks: bool) -> None:
        while count:
            place = self.at if by > 0 else self.at - 1
            if not 0 <= place < len(self.tape):
                self._end_of_data = by > 0
                raise _error(errno.EIO)
            self.at += by
            if over_blocks and self.tape[place] is None:
                raise _error(errno.EIO)
            count -= over_blocks or self.tape[place] is None

    def _get(self, state: ctypes.Structure) -> None:
        self.fails("state")
        marks = [place for place, item in enumerate(self.tape[: self.at]) if item is None]
        flags = State.ONLINE
        flags |= State.END_OF_DATA if self._end_of_data else State(0)
        flags |= State.END_OF_TAPE if self._warned else State(0)
        state.flags, state.file = int(flags), len(marks)
        state.block = self.at - (marks[-1] + 1 if marks else 0)

    def _tell(self, tell: ctypes.Structure) -> None:
        self.fails("tell")
        tell.number = self.at


@contextmanager
def opened_node(node: Node, path: Path) -> Iterator[StDrive]:
    """A drive on the node, which has the name of a file that is there."""
    path.touch()
    real = {name: getattr(os, name) for name in ("open", "close", "O_RDONLY", "O_RDWR", "O_NONBLOCK", "O_CLOEXEC")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scsi.st.os", SimpleNamespace(**real, readv=node.readv, write=node.write))
        patch.setattr("scsi.mtio.fcntl", SimpleNamespace(ioctl=node.ioctl))
        drive = StDrive(path)
        yield drive
        drive.close()


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
