"""One border where failures of hosts and networks become the job's: a status, a step and a reason in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from duplicator.catalog import CatalogError
from duplicator.labels import LabelError
from duplicator.plan import Step
from duplicator.status import JobError, Status
from duplicator.status_map import refused
from ndmp.errors import ConnectionLost, NdmpError, ReplyError, TlsError

__all__ = ["FAILURES", "VOLUME_LABEL_STEPS", "CopyBroken", "TapePositionError", "failing_as"]


class CopyBroken(JobError):  # noqa: N818  (what is found)
    """The tape does not give back what was sent to it: the copy is not valid, whatever was thought of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(Status.MEDIA_READ_ERROR, step=Step.VALIDATE.value, reason=reason)


class TapePositionError(Exception):
    """The tape does not hold what should be at a position."""


FAILURES: Final[Sequence[tuple[type[Exception], Status, str]]] = (
    (TlsError, Status.TLS_FAILED, "no secure connection came about"),
    (ConnectionLost, Status.CONNECTION_BROKEN, "the connection ended before the work was done"),
    (TimeoutError, Status.CONNECTION_TIMED_OUT, "no answer came in time"),
    (NdmpError, Status.NDMP_FAILURE, "what came was no NDMP, or not what the draft allows there"),
    (LabelError, Status.HEADER_UNREADABLE, "the labels of a file cannot be read or written"),
    (TapePositionError, Status.MEDIA_POSITION_ERROR, "the tape does not hold what should be at its position"),
    (CatalogError, Status.CATALOG_FAILED, "the catalog cannot be used, or does not know what it should"),
)
"""What a failure means that is no refusal, and in words; the first that fits. What is not here is a bug."""
VOLUME_LABEL_STEPS: Final = frozenset({Step.WRITE_MOUNT, Step.WRITE_OPEN, Step.NEXT_VOLUME})
"""Where a label is that of the volume, not of a file: 172."""


@contextmanager
def failing_as(step: Step, who: str) -> Iterator[None]:
    """Turn what fails inside into JobError; ``who`` names the host in the reason."""
    try:
        yield
    except ReplyError as error:
        reason = f"{who} answers {error.error.name} to {error.text}"
        raise JobError(refused(error.error, step), step=step.value, reason=reason) from error
    except tuple(kind for kind, _, _ in FAILURES) as error:
        reason = str(error) if isinstance(error, CatalogError) else f"{who}: {error}"
        raise JobError(_failed(error, step), step=step.value, reason=reason) from error


def _failed(error: Exception, step: Step) -> Status:
    if isinstance(error, LabelError) and step in VOLUME_LABEL_STEPS:
        return Status.LABEL_UNREADABLE
    return next(status for kind, status, _ in FAILURES if isinstance(error, kind))
