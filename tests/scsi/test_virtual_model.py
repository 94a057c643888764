"""Random histories of a virtual drive against a list of blocks and marks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from scsi.errors import BlankCheck, EndOfMedium
from scsi.tape import Capacity, Position, ReadOutcome, SpaceOutcome, Stop, WriteOutcome
from scsi.virtual.drive import open_cartridge
from tests.scsi.shelf import blank, objects_on

CAPACITY, WARNING = 2000, 300
MARK = None


class TapeModel(RuleBasedStateMachine):
    """``tape`` holds a block or MARK for each object, ``at`` is the position; every rule is done to both."""

    sync = False
    """Whether the drive waits for the disk, and overwrites in place."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = blank(Path(self.directory.name), capacity=CAPACITY, early_warning=WARNING)
        self.drive = open_cartridge(self.path, sync=self.sync)
        self.tape: list[bytes | None] = []
        self.at = 0
        self.written = 0

    def teardown(self) -> None:
        with self.directory:
            self.drive.close()
            assert objects_on(self.path) == self.tape

    def room(self) -> int:
        return CAPACITY - sum(len(item) for item in self.tape[: self.at] if item)

    @rule(block_bytes=st.sampled_from([1, 7, 40, 100]), count=st.integers(1, 12))
    def write(self, block_bytes: int, count: int) -> None:
        self.written += 1
        blocks = [bytes([(self.written + n) % 251]) * block_bytes for n in range(count)]
        if self.room() < block_bytes:
            with pytest.raises(EndOfMedium):
                self.drive.write_blocks(memoryview(b"".join(blocks)), block_bytes)
            return
        done, was_in_zone = 0, self.room() <= WARNING
        del self.tape[self.at :]
        while done < count and self.room() >= block_bytes and (was_in_zone or self.room() > WARNING):
            self.tape.append(blocks[done])
            self.at, done = self.at + 1, done + 1
        outcome = self.drive.write_blocks(memoryview(b"".join(blocks)), block_bytes)
        assert outcome == WriteOutcome(done, self.room() <= WARNING)

    @rule(count=st.integers(0, 3))
    def write_filemarks(self, count: int) -> None:
        if count:
            self.tape[self.at :] = [MARK] * count
        self.at += count
        assert self.drive.write_filemarks(count) == WriteOutcome(count, self.room() <= WARNING)

    @rule(block_bytes=st.sampled_from([1, 8, 40, 100]), extra=st.integers(0, 250))
    def read(self, block_bytes: int, extra: int) -> None:
        room, got, stop, truncated, blocks = block_bytes + extra, b"", None, False, 0
        while room - len(got) >= block_bytes and stop is None and not truncated:
            if self.at == len(self.tape):
                stop = Stop.END_OF_DATA
                continue
            item = self.tape[self.at]
            self.at += 1
            if item is MARK:
                stop = Stop.FILEMARK
            else:
                got, truncated, blocks = got + item[:block_bytes], len(item) > block_bytes, blocks + 1
        buffer = memoryview(bytearray(room))
        assert self.drive.read_blocks(buffer, block_bytes) == ReadOutcome(blocks, len(got), stop, truncated)
        assert bytes(buffer[: len(got)]) == got

    @rule(count=st.integers(-15, 15))
    def space_blocks(self, count: int) -> None:
        moved, stop = 0, None
        step = 1 if count > 0 else -1
        while moved < abs(count) and stop is None:
            beside = self.at if step > 0 else self.at - 1
            if not 0 <= beside < len(self.tape):
                stop = Stop.END_OF_DATA if step > 0 else Stop.BEGINNING
                continue
            self.at += step
            if self.tape[beside] is MARK:
                stop = Stop.FILEMARK
            else:
                moved += 1
        assert self.drive.space_blocks(count) == SpaceOutcome(moved, stop)

    @rule(count=st.integers(-4, 4))
    def space_filemarks(self, count: int) -> None:
        moved, stop = 0, None
        step = 1 if count > 0 else -1
        while moved < abs(count) and stop is None:
            beside = self.at if step > 0 else self.at - 1
            if not 0 <= beside < len(self.tape):
                stop = Stop.END_OF_DATA if step > 0 else Stop.BEGINNING
                continue
            self.at += step
            moved += self.tape[beside] is MARK
        assert self.drive.space_filemarks(count) == SpaceOutcome(moved, stop)

    @rule(percent=st.integers(0, 110))
    def locate(self, percent: int) -> None:
        number = (len(self.tape) * percent + 99) // 100
        self.at = min(number, len(self.tape))
        if number > len(self.tape):
            with pytest.raises(BlankCheck):
                self.drive.locate(number)
        else:
            self.drive.locate(number)

    @rule()
    def end_of_data(self) -> None:
        self.at = len(self.tape)
        self.drive.space_end_of_data()

    @rule()
    def open_again(self) -> None:
        self.drive.unload()
        self.drive = open_cartridge(self.path, sync=self.sync)
        self.at = 0

    @invariant()
    def stands_where_the_model_does(self) -> None:
        before = self.tape[: self.at]
        marks = sum(item is MARK for item in before)
        last_mark = max((n for n, item in enumerate(before) if item is MARK), default=-1)
        expected = Position(self.at, marks, self.at - last_mark - 1, self.at == 0, self.at == len(self.tape))
        assert self.drive.position() == expected
        assert self.drive.capacity() == Capacity(CAPACITY, self.room())


TapeModel.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
TestTapeModel = TapeModel.TestCase


class SyncedTapeModel(TapeModel):
    """The same for a drive as users have it."""

    sync = True


SyncedTapeModel.TestCase.settings = settings(TapeModel.TestCase.settings, max_examples=40)
TestSyncedTapeModel = SyncedTapeModel.TestCase
