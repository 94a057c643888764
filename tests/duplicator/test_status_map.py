"""Every error, notification and step has a status: what fails, and which number it gives."""

from __future__ import annotations

import pytest

from duplicator import status_map
from duplicator.catalog import CatalogError
from duplicator.failures import TapePositionError, failing_as
from duplicator.labels import LabelError
from duplicator.plan import Step
from duplicator.status import JobError, Status
from duplicator.status_map import NOTIFICATIONS, REASONS, REFUSALS, STEPS, Rule, ended_by, meaning, refused
from ndmp import wire
from ndmp.enums import DigestAlgorithm, Error, LogAssociation, LogType, MoverHaltReason, MoverPauseReason
from ndmp.errors import ConnectionLost, NdmpError, ReplyError, TlsError
from ndmp.messages.extensions.fse import FseNotifyTapeDigest
from ndmp.messages.notify import LogMessage, NotifyDataRead, NotifyMoverHalted, NotifyMoverPaused

TROUBLE = Status.MEDIA_READ_ERROR


def test_nothing_is_unmapped() -> None:
    assert set(REFUSALS) == set(Error)
    assert set(STEPS) == set(Step)
    assert set(NOTIFICATIONS) == set(wire.POSTS.values())
    for kind, reasons in NOTIFICATIONS.items():
        if kind in REASONS:
            enum = wire._hints(kind)[REASONS[kind]]
            assert set(reasons) == set(enum), kind
        else:
            assert not reasons, kind


def test_every_status_of_the_tables_has_words() -> None:
    found = [
        *REFUSALS.values(),
        *STEPS.values(),
        *(each.status for row in NOTIFICATIONS.values() for each in row.values()),
    ]
    for status in found:
        assert isinstance(status, Rule) or status in set(Status)


def test_refusals() -> None:
    for error, step, number in (
        (Error.IO, Step.WRITE_TRAILER, 84),
        (Error.IO, Step.VALIDATE, 85),
        (Error.IO, Step.WRITE_POSITION, 86),
        (Error.IO, Step.CLOSE, 87),
        (Error.IO, Step.READ_OPEN, 13),
        (Error.IO, Step.COMMIT, 14),
        (Error.EOM, Step.WRITE_HEADER, 84),
        (Error.WRITE_PROTECT, Step.WRITE_HEADER, 168),
        (Error.NO_TAPE_LOADED, Step.VALIDATE, 83),
        (Error.NOT_AUTHORIZED, Step.CHECK_IMAGE, 99),
        (Error.CONNECT, Step.READ_MOVER, 40),
        (Error.FILE_NOT_FOUND, Step.CHECK_IMAGE, 190),
        (Error.FSE_NO_SPACE, Step.MOVE, 129),
        (Error(0x7FE000FF), Step.WRITE_HEADER, 84),
        (Error(31), Step.MOVE, 99),
    ):
        assert refused(error, step) == number, (error, step)
        with pytest.raises(JobError) as raised, failing_as(step, "host h"):
            raise ReplyError(error, "TapeWrite")
        assert (raised.value.status, raised.value.step) == (number, step.value)
        assert raised.value.reason == f"host h answers {error.name} to TapeWrite"


def test_failures() -> None:
    for failure, step, number in (
        (TlsError("x"), Step.READ_SESSION, 7625),
        (ConnectionLost("x"), Step.MOVE, 40),
        (TimeoutError("x"), Step.MOVE, 41),
        (NdmpError("x"), Step.MOVE, 99),
        (LabelError("x"), Step.VALIDATE, 173),
        (LabelError("x"), Step.WRITE_MOUNT, 172),
        (TapePositionError("x"), Step.WRITE_POSITION, 86),
        (CatalogError("x"), Step.CLOSE, 220),
    ):
        with pytest.raises(JobError) as raised, failing_as(step, "host h"):
            raise failure
        assert raised.value.status == number, failure
    with pytest.raises(KeyError), failing_as(Step.MOVE, "host h"):
        raise KeyError("a bug")


def test_notifications() -> None:
    digest = DigestAlgorithm.SHA256
    for post, number, reason in (
        (
            NotifyMoverPaused(MoverPauseReason.EOM, 0),
            166,
            "the tape is full, and the image does not fit the rest of it",
        ),
        (NotifyMoverPaused(MoverPauseReason.SEEK, 5), 86, "{told}, which was not expected"),
        (NotifyMoverPaused(MoverPauseReason(77), 0), 86, "{told}, which was not expected"),
        (NotifyMoverHalted(MoverHaltReason.MEDIA_ERROR), 85, "reading or writing failed on the device{said}"),
        (NotifyMoverHalted(MoverHaltReason.CONNECT_ERROR), 40, "the data connection broke ({told})"),
        (NotifyMoverHalted(MoverHaltReason.INTERNAL_ERROR), 99, "{told}, which was not expected"),
        (NotifyMoverHalted(MoverHaltReason(77)), 99, "{told}, which was not expected"),
        (NotifyDataRead(0, 1), 99, "{told}, which was not expected"),
        (FseNotifyTapeDigest(Error.IO, 0, 0, False, digest, b""), 85, "the tape could not be read back: {told}"),
        (FseNotifyTapeDigest(Error(99), 0, 0, False, digest, b""), 85, "the tape could not be read back: {told}"),
    ):
        assert ended_by(post, trouble=TROUBLE) == (number, reason), post
    assert meaning(LogMessage(LogType(9), 0, "", LogAssociation.NONE, 0)).status is Rule.GOES_ON


def test_the_module_says_what_it_has() -> None:
    assert all(hasattr(status_map, name) for name in status_map.__all__)
