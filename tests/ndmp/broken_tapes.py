"""Tape drives and changers, each broken in one way."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from ndmp.backends import CdbOutcome, ReadEnd, RecordsRead, RecordsWritten, ScsiAddress, TapeStatus
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from tests.ndmp.fakes import MARK, MemoryTape
from tests.ndmp.fakes_scsi import INQUIRY, MemoryChanger

__all__ = ["BROKEN_CHANGERS", "BROKEN_TAPES"]


class Nameless(MemoryTape):
    def __init__(self) -> None:
        super().__init__(model="")


class ForEverybody(MemoryTape):
    def open(self, mode: TapeOpenMode) -> MemoryTape:
        self.taken = False
        return super().open(mode)


class ClosesOnce(MemoryTape):
    def close(self) -> None:
        if not self.taken:
            raise ReplyError(Error.IO)
        super().close()


class Forgets(MemoryTape):
    def close(self) -> None:
        super().close()
        self.tape.clear()


class MarksAtClose(MemoryTape):
    def close(self) -> None:
        self.tape.append(MARK)
        super().close()


class LosesTheLast(MemoryTape):
    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        outcome = super().write_records(records, record_bytes)
        if outcome.records > 1:
            self.tape.pop()
            self.at -= 1
        return outcome


class ReadsOne(MemoryTape):
    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        return super().read_records(into[:record_bytes], record_bytes)


class HidesMarks(MemoryTape):
    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        outcome = super().read_records(into, record_bytes)
        return replace(outcome, end=None) if outcome.records else outcome


class CrossesMarks(MemoryTape):
    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        outcome = super().read_records(into, record_bytes)
        self.at += outcome.end is ReadEnd.FILEMARK
        return outcome


class EndsWithMarks(MemoryTape):
    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        outcome = super().read_records(into, record_bytes)
        return replace(outcome, end=ReadEnd.FILEMARK) if outcome.end else outcome


class Pads(MemoryTape):
    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        outcome = super().read_records(into, record_bytes)
        return replace(outcome, bytes_read=outcome.records * record_bytes)


class CutsInSilence(MemoryTape):
    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        return replace(super().read_records(into, record_bytes), truncated=False)


class MarksOverRecords(MemoryTape):
    def write_filemarks(self, count: int) -> None:
        behind = self.tape[self.at + count :]
        super().write_filemarks(count)
        self.tape += behind


class KeepsWhatWasThere(MarksOverRecords):
    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        behind = self.tape[self.at + len(records) // record_bytes :]
        outcome = super().write_records(records, record_bytes)
        self.tape += behind
        return outcome


class OneMark(MemoryTape):
    def write_filemarks(self, count: int) -> None:
        super().write_filemarks(1)


class CountsWhatWasPassed(MemoryTape):
    def space_records(self, count: int) -> int:
        return abs(count) - super().space_records(count)


class SpacesOverMarks(MemoryTape):
    def space_records(self, count: int) -> int:
        left = super().space_records(count)
        if left and count > 0 and self.at < len(self.tape):
            self.at += 1
        return left


class RefusesAtTheEnds(MemoryTape):
    def space_records(self, count: int) -> int:
        left = super().space_records(count)
        if left and self.at in (0, len(self.tape)):
            raise ReplyError(Error.IO)
        return left


class StaysBehindMarks(MemoryTape):
    def space_filemarks(self, count: int) -> int:
        left = super().space_filemarks(count)
        self.at += count < 0 and not left
        return left


class NeverShort(MemoryTape):
    def space_filemarks(self, count: int) -> int:
        super().space_filemarks(count)
        return 0


class CountsFromTheBeginning(MemoryTape):
    def status(self) -> TapeStatus:
        return replace(super().status(), block_num=self.at)


class ForgetsTheBeginning(MemoryTape):
    def status(self) -> TapeStatus:
        return replace(super().status(), block_num=None)


class TooRoomy(MemoryTape):
    def status(self) -> TapeStatus:
        return replace(super().status(), total_bytes=10, remaining_bytes=11)


class OneThread(MemoryTape):
    def __init__(self) -> None:
        super().__init__()
        self.owner = threading.get_ident()

    def status(self) -> TapeStatus:
        if threading.get_ident() != self.owner:
            raise RuntimeError("made in another thread")
        return super().status()


class AlwaysReady(MemoryTape):
    def test_ready(self) -> None:
        return


class NeverWarns(MemoryTape):
    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        return replace(super().write_records(records, record_bytes), early_warning=False)


class WarnsTooEarlyInTheCount(MemoryTape):
    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        outcome = super().write_records(records, record_bytes)
        return replace(outcome, records=outcome.records - 1) if outcome.records > 1 else outcome


class GivesMore(MemoryTape):
    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        return CdbOutcome(0, bytes(255))


class CommandsFail(MemoryTape):
    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        raise ReplyError(Error.IO)


BROKEN_TAPES: Sequence[tuple[type[MemoryTape], str]] = (
    (Nameless, "it_has_a_model_and_capabilities_in_pairs"),
    (ForEverybody, "a_drive_in_use_is_busy"),
    (ClosesOnce, "closing_twice_does_no_harm"),
    (Forgets, "what_is_on_tape_is_there_after_close"),
    (MarksAtClose, "closing_writes_no_filemark"),
    (LosesTheLast, "records_are_read_as_they_were_written"),
    (ReadsOne, "a_read_takes_as_many_records_as_fit"),
    (HidesMarks, "a_read_gives_what_is_before_a_filemark"),
    (CrossesMarks, "a_filemark_is_met_again_and_again"),
    (EndsWithMarks, "blank_tape_is_met_again_and_again"),
    (Pads, "a_short_record_comes_as_it_is"),
    (CutsInSilence, "a_long_record_is_cut_and_its_rest_is_gone"),
    (KeepsWhatWasThere, "writing_ends_the_tape_there"),
    (MarksOverRecords, "a_filemark_ends_the_tape_there"),
    (OneMark, "several_filemarks"),
    (CountsWhatWasPassed, "space_over_records"),
    (SpacesOverMarks, "space_over_records_stops_at_a_filemark"),
    (RefusesAtTheEnds, "space_over_records_stops_at_the_ends"),
    (StaysBehindMarks, "space_over_filemarks"),
    (NeverShort, "space_over_filemarks_stops_at_the_ends"),
    (CountsFromTheBeginning, "positions_are_right_or_unknown"),
    (ForgetsTheBeginning, "positions_are_right_or_unknown"),
    (TooRoomy, "sizes_make_sense"),
    (OneThread, "status_may_be_asked_by_another_thread"),
    (AlwaysReady, "a_tape_is_ready_until_it_is_unloaded"),
    (NeverWarns, "early_warning_is_told_and_leaves_room"),
    (WarnsTooEarlyInTheCount, "early_warning_is_told_and_leaves_room"),
    (GivesMore, "a_command_passes_or_is_not_supported"),
    (CommandsFail, "a_command_passes_or_is_not_supported"),
)
"""Each with the test of TapeContract that finds it."""


class NamelessChanger(MemoryChanger):
    def __init__(self) -> None:
        super().__init__(model="")


class BusyIsBroken(MemoryChanger):
    def open(self) -> MemoryChanger:
        if self.taken:
            raise ReplyError(Error.IO)
        return super().open()


class ClosesOnceChanger(MemoryChanger):
    def close(self) -> None:
        if not self.taken:
            raise ReplyError(Error.DEV_NOT_OPEN)
        super().close()


class Answers(MemoryChanger):
    """One answer is another."""

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        honest = super().execute(cdb, data_out=data_out, data_in_bytes=data_in_bytes, timeout=timeout)
        return self.altered(cdb, honest, data_in_bytes)

    def altered(self, cdb: bytes, honest: CdbOutcome, data_in_bytes: int) -> CdbOutcome:
        raise NotImplementedError


class NeverReady(Answers):
    def altered(self, cdb: bytes, honest: CdbOutcome, data_in_bytes: int) -> CdbOutcome:
        return replace(honest, status=2, sense=b"\x70") if cdb == bytes(6) else honest


class IsATape(Answers):
    def altered(self, cdb: bytes, honest: CdbOutcome, data_in_bytes: int) -> CdbOutcome:
        return replace(honest, data_in=b"\x01" + honest.data_in[1:]) if cdb[0] == INQUIRY[0] else honest


class FillsUp(Answers):
    def altered(self, cdb: bytes, honest: CdbOutcome, data_in_bytes: int) -> CdbOutcome:
        return replace(honest, data_in=honest.data_in.ljust(data_in_bytes, b"\0"))


class Senseless(Answers):
    def altered(self, cdb: bytes, honest: CdbOutcome, data_in_bytes: int) -> CdbOutcome:
        return replace(honest, sense=b"")


class ChecksFail(Answers):
    def altered(self, cdb: bytes, honest: CdbOutcome, data_in_bytes: int) -> CdbOutcome:
        if honest.status:
            raise ReplyError(Error.IO)
        return honest


class Interprets(MemoryChanger):
    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        assert cdb[4] >= 0
        return super().execute(cdb, data_out=data_out, data_in_bytes=data_in_bytes, timeout=timeout)


class FarAway(MemoryChanger):
    def address(self) -> ScsiAddress:
        return ScsiAddress(0, 1 << 16, 0)


class ResetFails(MemoryChanger):
    def reset(self) -> None:
        raise ReplyError(Error.IO)


BROKEN_CHANGERS: Sequence[tuple[type[MemoryChanger], str]] = (
    (NamelessChanger, "it_has_a_model_and_capabilities_in_pairs"),
    (BusyIsBroken, "a_changer_in_use_is_busy_or_shared"),
    (ClosesOnceChanger, "closing_twice_does_no_harm"),
    (NeverReady, "it_becomes_ready"),
    (IsATape, "it_says_what_it_is"),
    (FillsUp, "no_more_comes_back_than_asked_for"),
    (Senseless, "a_check_condition_is_no_failure"),
    (ChecksFail, "a_check_condition_is_no_failure"),
    (Interprets, "a_command_that_is_too_short_harms_nobody"),
    (FarAway, "where_it_sits_is_told_or_not_supported"),
    (ResetFails, "a_reset_leaves_it_usable_or_is_not_supported"),
)
"""Each with the test of ScsiContract that finds it."""
