"""Status numbers, their words, and the exit codes."""

from __future__ import annotations

from duplicator.status import ExitCode, JobError, Status, exit_code

FIELD_NUMBERS = """0 1 13 14 40 41 83 84 85 86 87 93 94 96 99 129 147 150 164 168 172 190 191 213 2001 2006 2009"""


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
