"""Status numbers, their words, and the exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import duplicator
from duplicator.status import ELSEWHERE, ExitCode, JobError, Status, exit_code, status_of_all

FIELD_NUMBERS = """0 1 13 14 40 41 42 44 54 83 84 85 86 87 92 93 94 95 96 99 114 129 147 150 163 164 165 166 168 172
173 174 190 191 213 800 830 2000 2001 2005 2006 2008 2009 2096 2108"""


def test_the_numbers_of_the_field_have_names_and_words() -> None:
    for number in map(int, FIELD_NUMBERS.split()):
        assert not Status(number).name.startswith("UNKNOWN"), number


def test_every_status_has_words_and_every_failure_a_hint() -> None:
    texts = [status.text for status in Status]
    assert len(set(texts)) == len(texts)
    for status in Status:
        assert status.text
        assert "no text here" not in status.text
        assert bool(status.hint) == (status is not Status.SUCCESS), status


def test_a_stranger_is_kept() -> None:
    stranger = Status(2816)
    assert stranger == 2816
    assert "2816" in stranger.text
    assert stranger.hint


def test_job_error_says_number_step_and_reason() -> None:
    error = JobError(Status(84), step="write data", reason="drive nst0 reports IO_ERR")
    assert str(error) == "status 84 (writing to the tape failed) at step 'write data': drive nst0 reports IO_ERR"
    assert (error.status, error.step, error.reason) == (Status.MEDIA_WRITE_ERROR, "write data", error.reason)


def test_exit_codes() -> None:
    cases = [(Status.SUCCESS, 0), (Status.PARTLY_SUCCESSFUL, 1), (Status.NDMP_FAILURE, 1), (Status(5000), 1)]
    for status, code in cases:
        assert exit_code(status) == code
    assert ExitCode.USAGE == 2


def test_numbers_that_no_job_ends_with_are_said_to_be_such() -> None:
    folder = Path(duplicator.__file__).parent
    used = set[str]()
    for file in folder.rglob("*.py"):
        text = file.read_text()
        if file == folder / "status.py":
            text = text[text.index("class JobError") :]
        used |= set(re.findall(r"\bStatus\.([A-Z_]+)", text))
    assert {status for status in Status if status.name not in used} == ELSEWHERE


def test_2005_is_no_matter_of_drives() -> None:
    assert Status(2005) is Status.BAD_MESSAGE
    assert "sent another" in Status(2005).text
    assert Status.NO_DRIVES == 2001


def test_the_status_of_several_jobs() -> None:
    good, bad, cancelled = Status.SUCCESS, Status.MEDIA_WRITE_ERROR, Status.CANCELLED
    for statuses, together in (
        ([], 0),
        ([good], 0),
        ([bad], 84),
        ([good, good], 0),
        ([good, bad], 1),
        ([cancelled, good, bad], 1),
        ([bad, cancelled], 191),
        ([bad, bad], 191),
    ):
        assert status_of_all(statuses) == together, statuses
