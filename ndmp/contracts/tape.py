"""The contract of a tape drive: ndmp.backends.TapeBackend and TapeHandle (draft 3.4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import Final
from unittest import SkipTest

from ndmp.backends import ReadEnd, RecordsRead, TapeBackend, TapeHandle, TapeStatus
from ndmp.contracts.asking import may_refuse, refused
from ndmp.enums import Error, TapeOpenMode

__all__ = ["TapeContract"]

_INQUIRY: Final = bytes.fromhex("12 00 00 00 24 00")
_TEST_UNIT_READY: Final = bytes(6)
_DEADLINE: Final = 30.0
"""Seconds for what must not wait."""


@contextmanager
def _opened(tape: TapeBackend, mode: TapeOpenMode = TapeOpenMode.RDWR) -> Iterator[TapeHandle]:
    handle = tape.open(mode)
    try:
        yield handle
    finally:
        handle.close()


def _answer(handle: TapeHandle, answer: Future[TapeStatus]) -> None:
    try:
        answer.set_result(handle.status())
    except Exception as problem:  # noqa: BLE001  (raised where the answer is awaited)
        answer.set_exception(problem)


class TapeContract(ABC):
    """Subclass it and give :meth:`tape`; docs/hosts.md says how to run it."""

    record_bytes: int = 512
    """Bytes of the records that are written; where blocks are fixed, a multiple of theirs."""
    warns_within: int | None = None
    """Early warning comes after four records, and within so many, on the tape of :meth:`tape`; None: not tried."""

    @abstractmethod
    def tape(self) -> TapeBackend:
        """A free drive with a blank tape in it. Each test asks once."""

    # -- opening -------------------------------------------------------------------------------------------------

    def test_it_has_a_model_and_capabilities_in_pairs(self) -> None:
        tape = self.tape()
        assert tape.model, "the model is shown by CONFIG_GET_TAPE_INFO"
        assert all(isinstance(text, str) for pair in tape.capabilities for text in pair)
        assert all(len(pair) == 2 for pair in tape.capabilities)

    def test_a_drive_in_use_is_busy(self) -> None:
        tape = self.tape()
        with _opened(tape):
            for mode in (TapeOpenMode.READ, TapeOpenMode.RDWR, TapeOpenMode.RAW):
                with refused(Error.DEVICE_BUSY):
                    tape.open(mode)
        for mode in (TapeOpenMode.READ, TapeOpenMode.RDWR, TapeOpenMode.RAW):
            with _opened(tape, mode):
                pass

    def test_closing_twice_does_no_harm(self) -> None:
        tape = self.tape()
        first = tape.open(TapeOpenMode.RDWR)
        first.close()
        first.close()
        with _opened(tape):
            pass

    def test_what_is_on_tape_is_there_after_close(self) -> None:
        tape = self.tape()
        with _opened(tape) as handle:
            self._write(handle, b"ab")
        with _opened(tape, TapeOpenMode.READ) as handle:
            handle.rewind()
            assert self._contents(handle, 3) == b"ab", "after close and open"

    def test_closing_writes_no_filemark(self) -> None:
        tape = self.tape()
        with _opened(tape) as handle:
            handle.write_records(memoryview(self._record(b"a")), self.record_bytes)
        with _opened(tape, TapeOpenMode.READ) as handle:
            handle.rewind()
            assert handle.space_filemarks(1) == 1, "the implicit filemark is the host's affair"

    # -- reading and writing -------------------------------------------------------------------------------------

    def test_records_are_read_as_they_were_written(self) -> None:
        with _opened(self.tape()) as handle:
            written = handle.write_records(memoryview(self._record(b"abcd")), self.record_bytes)
            assert written.records == 4, "every record of the run, away from the medium's end"
            self._write(handle, b"ef")
            handle.rewind()
            assert [self._contents(handle, 1) for _ in range(4)] == [b"a", b"b", b"c", b"d"]
            assert self._contents(handle, 2) == b"ef"

    def test_a_read_takes_as_many_records_as_fit(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"abcdef")
            handle.rewind()
            room = memoryview(bytearray(3 * self.record_bytes))
            outcome = handle.read_records(room, self.record_bytes)
            assert (outcome.records, outcome.bytes_read) == (3, len(room)), "the buffer has room for three"
            assert not outcome.truncated
            assert bytes(room) == self._record(b"abc"), "one after the other, without gaps"
            assert self._contents(handle, 1) == b"d", "and no record is passed that was not given"

    def test_a_read_gives_what_is_before_a_filemark(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"ab")
            handle.rewind()
            outcome = self._read(handle, 5)
            assert (outcome.records, outcome.bytes_read) == (2, 2 * self.record_bytes)
            assert outcome.end is ReadEnd.FILEMARK

    def test_a_filemark_is_met_again_and_again(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"a")
            self._write(handle, b"b")
            handle.rewind()
            assert self._contents(handle, 1) == b"a"
            for _ in range(3):
                outcome = self._read(handle, 1)
                assert (outcome.records, outcome.end) == (0, ReadEnd.FILEMARK), "the tape stays on the BOT side"
            assert handle.space_filemarks(1) == 0
            assert self._contents(handle, 1) == b"b"

    def test_blank_tape_is_met_again_and_again(self) -> None:
        with _opened(self.tape()) as handle:
            for _ in range(2):
                assert self._read(handle, 1).end is ReadEnd.BLANK, "on a tape that was never written"
            self._write(handle, b"a")
            for _ in range(3):
                outcome = self._read(handle, 1)
                assert (outcome.records, outcome.end) == (0, ReadEnd.BLANK), "after the last mark"
            self._write(handle, b"b")
            handle.rewind()
            handle.space_filemarks(1)
            assert self._contents(handle, 1) == b"b", "written where the blank tape began"

    def test_a_short_record_comes_as_it_is(self) -> None:
        with self._variable() as handle:
            handle.write_records(memoryview(b"short"), 5)
            handle.write_records(memoryview(b"1"), 1)
            handle.write_filemarks(1)
            handle.rewind()
            room = memoryview(bytearray(self.record_bytes))
            for record in (b"short", b"1"):
                outcome = handle.read_records(room, self.record_bytes)
                assert (outcome.records, outcome.bytes_read, outcome.truncated) == (1, len(record), False)
                assert bytes(room[: len(record)]) == record

    def test_a_long_record_is_cut_and_its_rest_is_gone(self) -> None:
        with self._variable() as handle:
            self._write(handle, b"ab")
            handle.rewind()
            room = memoryview(bytearray(self.record_bytes - 1))
            outcome = handle.read_records(room, len(room))
            assert (outcome.records, outcome.bytes_read, outcome.truncated) == (1, len(room), True)
            assert bytes(room) == self._record(b"a")[:-1]
            assert self._contents(handle, 1) == b"b"

    def test_writing_ends_the_tape_there(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"abc")
            self._write(handle, b"d")
            handle.rewind()
            handle.space_records(1)
            self._write(handle, b"x")
            handle.rewind()
            assert self._contents(handle, 2) == b"ax"
            assert handle.space_filemarks(2) == 1, "the mark just written, and nothing behind it"
            assert self._read(handle, 1).end is ReadEnd.BLANK

    def test_a_filemark_ends_the_tape_there(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"abc")
            handle.rewind()
            handle.space_records(1)
            handle.write_filemarks(1)
            assert self._read(handle, 1).end is ReadEnd.BLANK

    # -- motion --------------------------------------------------------------------------------------------------

    def test_several_filemarks(self) -> None:
        with _opened(self.tape()) as handle:
            handle.write_filemarks(3)
            handle.rewind()
            assert handle.space_filemarks(5) == 2, "three of five"

    def test_space_over_records(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"abcd")
            handle.rewind()
            assert handle.space_records(2) == 0
            assert self._contents(handle, 1) == b"c"
            assert handle.space_records(-2) == 0
            assert self._contents(handle, 1) == b"b"

    def test_space_over_records_stops_at_a_filemark(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"abc")
            self._write(handle, b"de")
            handle.rewind()
            assert handle.space_records(5) == 2, "three of five"
            assert handle.space_records(1) == 1, "the mark is still ahead"
            assert self._read(handle, 1).end is ReadEnd.FILEMARK, "on the mark's BOT side"
            assert handle.space_filemarks(1) == 0
            handle.space_records(2)
            assert handle.space_records(-5) == 3, "two of five"
            assert handle.space_records(-1) == 1, "the mark is still behind"
            assert self._contents(handle, 1) == b"d", "on the mark's EOT side"

    def test_space_over_records_stops_at_the_ends(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"a")
            assert handle.space_records(3) == 3, "nothing is behind the last mark"
            assert self._read(handle, 1).end is ReadEnd.BLANK
            handle.rewind()
            assert handle.space_records(-3) == 3, "nothing is before BOT"
            assert self._contents(handle, 1) == b"a"

    def test_space_over_filemarks(self) -> None:
        with _opened(self.tape()) as handle:
            for record in (b"a", b"b", b"c"):
                self._write(handle, record)
            handle.rewind()
            assert handle.space_filemarks(2) == 0
            assert self._contents(handle, 1) == b"c", "forwards, on the last mark's EOT side"
            assert handle.space_filemarks(-1) == 0
            assert self._read(handle, 1).end is ReadEnd.FILEMARK, "backwards, on its BOT side"
            assert handle.space_records(-1) == 0
            assert self._contents(handle, 1) == b"b"

    def test_space_over_filemarks_stops_at_the_ends(self) -> None:
        with _opened(self.tape()) as handle:
            self._write(handle, b"a")
            self._write(handle, b"b")
            handle.rewind()
            assert handle.space_filemarks(5) == 3, "two of five"
            assert self._read(handle, 1).end is ReadEnd.BLANK
            assert handle.space_filemarks(-5) == 3
            assert self._contents(handle, 1) == b"a", "at BOT"

    # -- what it tells -------------------------------------------------------------------------------------------

    def test_positions_are_right_or_unknown(self) -> None:
        with _opened(self.tape()) as handle:
            handle.rewind()
            self._stands(handle, 0, 0)
            handle.write_records(memoryview(self._record(b"ab")), self.record_bytes)
            self._stands(handle, 0, 2)
            handle.write_filemarks(2)
            self._stands(handle, 2, 0)
            self._write(handle, b"cde")
            handle.space_filemarks(-1)
            self._stands(handle, 2, 3)
            handle.space_records(-2)
            self._stands(handle, 2, 1)
            self._read(handle, 1)
            self._stands(handle, 2, 2)
            handle.space_filemarks(-9)
            self._stands(handle, 0, 0)
            assert self._status_is_known(handle.status()), "BOT is always known (draft 3.4.4)"
            self._read(handle, 1)
            self._stands(handle, 0, 1)
            handle.space_filemarks(1)
            self._stands(handle, 1, 0)
            handle.rewind()
            self._stands(handle, 0, 0)

    def test_sizes_make_sense(self) -> None:
        with _opened(self.tape()) as handle:
            status = handle.status()
            assert status.block_bytes >= 0
            assert not status.block_bytes or self.record_bytes % status.block_bytes == 0, "see record_bytes"
            assert not status.write_protected, "these tests write"
            if status.total_bytes is not None and status.remaining_bytes is not None:
                assert 0 <= status.remaining_bytes <= status.total_bytes

    def test_status_may_be_asked_by_another_thread(self) -> None:
        """TAPE_GET_STATE is answered while a mover's thread uses the drive."""
        answer: Future[TapeStatus] = Future()
        with _opened(self.tape()) as handle:
            self._write(handle, b"a")
            Thread(target=_answer, args=(handle, answer), daemon=True).start()
            answer.result(_DEADLINE)

    def test_a_tape_is_ready_until_it_is_unloaded(self) -> None:
        with _opened(self.tape()) as handle:
            handle.test_ready()
            handle.unload()
            with refused(Error.NO_TAPE_LOADED):
                handle.test_ready()

    def test_early_warning_is_told_and_leaves_room(self) -> None:
        """The record that reaches it is written, and trailer labels fit behind it (draft 3.4.6)."""
        if self.warns_within is None:
            raise SkipTest("warns_within is not set")
        with _opened(self.tape()) as handle:
            run = memoryview(self._record(b"r" * (self.warns_within + 3)))
            outcome = handle.write_records(run, self.record_bytes)
            assert outcome.early_warning, f"no warning after {outcome.records} records"
            assert outcome.records <= self.warns_within, "a run stops after the record that reaches it"
            assert handle.write_records(run[: self.record_bytes], self.record_bytes).records == 1, "room for labels"
            handle.write_filemarks(2)
            handle.rewind()
            assert self._read(handle, outcome.records + 2).records == outcome.records + 1, "all that was told is there"

    def test_a_command_passes_or_is_not_supported(self) -> None:
        with _opened(self.tape()) as handle, may_refuse(Error.NOT_SUPPORTED):
            answer = handle.execute(_INQUIRY, data_out=b"", data_in_bytes=36, timeout=60.0)
            ready = handle.execute(_TEST_UNIT_READY, data_out=b"", data_in_bytes=0, timeout=None)
            assert len(answer.data_in) <= 36
            assert ready.data_in == b""
            assert 0 <= answer.status <= 0xFF

    # -- in other words ------------------------------------------------------------------------------------------

    def _record(self, letters: bytes) -> bytes:
        """A record for each letter."""
        return b"".join(bytes([letter]) * self.record_bytes for letter in letters)

    def _write(self, handle: TapeHandle, letters: bytes) -> None:
        """A file of a record for each letter; a drive may stop at early warning, and goes on when asked to."""
        left = memoryview(self._record(letters))
        while left:
            written = handle.write_records(left, self.record_bytes)
            assert 0 < written.records <= len(left) // self.record_bytes, f"{written.records} records written"
            left = left[written.records * self.record_bytes :]
        handle.write_filemarks(1)

    def _read(self, handle: TapeHandle, records: int) -> RecordsRead:
        return handle.read_records(memoryview(bytearray(records * self.record_bytes)), self.record_bytes)

    def _contents(self, handle: TapeHandle, records: int) -> bytes:
        """The letters of the records that come next."""
        room = bytearray(records * self.record_bytes)
        outcome = handle.read_records(memoryview(room), self.record_bytes)
        read = bytes(room[: outcome.bytes_read])
        letters = read[:: self.record_bytes]
        assert read == self._record(letters), "records are whole"
        return letters

    @contextmanager
    def _variable(self) -> Iterator[TapeHandle]:
        with _opened(self.tape()) as handle:
            if handle.status().block_bytes:
                raise SkipTest("blocks are fixed")
            yield handle

    def _stands(self, handle: TapeHandle, file_num: int, block_num: int) -> None:
        status = handle.status()
        assert status.file_num in (file_num, None), f"in file {status.file_num}, not {file_num}"
        assert status.block_num in (block_num, None), f"before block {status.block_num}, not {block_num}"

    def _status_is_known(self, status: TapeStatus) -> bool:
        return status.file_num is not None and status.block_num is not None
