"""One border where failures of hosts and networks become the job's: a status, a step and a reason in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from duplicator.catalog import CatalogError
from duplicator.labels import LabelError
from duplicator.plan import Step
from duplicator.status import JobError, Status
from ndmp.enums import Error
from ndmp.errors import ConnectionLost, NdmpError, ReplyError, TlsError

__all__ = ["CopyBroken", "TapePositionError", "failing_as"]


class CopyBroken(JobError):  # noqa: N818  (what is found)
    """The tape does not give back what was sent to it: the copy is not valid, whatever was thought of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(Status.MEDIA_READ_ERROR, step=Step.VALIDATE.value, reason=reason)


class TapePositionError(Exception):
    """The tape does not hold what should be at a position."""


_BY_ERROR: Final[Mapping[Error, Status]] = {
    Error.NOT_AUTHORIZED: Status.NDMP_FAILURE,
    Error.CONNECT: Status.CONNECTION_BROKEN,
    Error.FILE_NOT_FOUND: Status.NOTHING_MATCHES,
    Error.BAD_FILE: Status.FILE_READ_FAILED,
    Error.FSE_NO_SPACE: Status.DISK_FULL,
    Error.FSE_IMAGE_EXISTS: Status.FILE_WRITE_FAILED,
    Error.WRITE_PROTECT: Status.MEDIA_PROTECTED,
    Error.NO_DEVICE: Status.MEDIA_OPEN_ERROR,
    Error.DEVICE_BUSY: Status.MEDIA_OPEN_ERROR,
    Error.NO_TAPE_LOADED: Status.MEDIA_OPEN_ERROR,
    Error.NOT_SUPPORTED: Status.NDMP_FAILURE,
    Error.ILLEGAL_STATE: Status.NDMP_FAILURE,
    Error.PRECONDITION: Status.NDMP_FAILURE,
}
"""Refusals that mean the same in every step."""
_BY_STEP: Final[Mapping[Step, Status]] = {
    Step.CHECK_IMAGE: Status.FILE_READ_FAILED,
    Step.WRITE_MOUNT: Status.MEDIA_OPEN_ERROR,
    Step.WRITE_OPEN: Status.MEDIA_OPEN_ERROR,
    Step.WRITE_POSITION: Status.MEDIA_POSITION_ERROR,
    Step.WRITE_HEADER: Status.MEDIA_WRITE_ERROR,
    Step.WRITE_TRAILER: Status.MEDIA_WRITE_ERROR,
    Step.READ_OPEN: Status.FILE_READ_FAILED,
    Step.CLOSE: Status.MEDIA_CLOSE_ERROR,
    Step.VALIDATE: Status.MEDIA_READ_ERROR,
    Step.COMMIT: Status.FILE_WRITE_FAILED,
}
"""What any other refusal means in a step."""


@contextmanager
def failing_as(step: Step, who: str) -> Iterator[None]:
    """Turn what fails inside into JobError; ``who`` names the host in the reason."""
    try:
        yield
    except ReplyError as error:
        status = _BY_ERROR.get(error.error) or _BY_STEP.get(step, Status.NDMP_FAILURE)
        raise JobError(status, step=step.value, reason=f"{who} answers {error.error.name} to {error.text}") from error
    except TlsError as error:
        raise JobError(Status.TLS_FAILED, step=step.value, reason=f"{who}: {error}") from error
    except ConnectionLost as error:
        raise JobError(Status.CONNECTION_BROKEN, step=step.value, reason=f"{who}: {error}") from error
    except TimeoutError as error:
        raise JobError(Status.CONNECTION_TIMED_OUT, step=step.value, reason=f"{who}: {error}") from error
    except NdmpError as error:
        raise JobError(Status.NDMP_FAILURE, step=step.value, reason=f"{who}: {error}") from error
    except LabelError as error:
        raise JobError(Status.HEADER_UNREADABLE, step=step.value, reason=f"{who}: {error}") from error
    except TapePositionError as error:
        raise JobError(Status.MEDIA_POSITION_ERROR, step=step.value, reason=f"{who}: {error}") from error
    except CatalogError as error:
        raise JobError(Status.CATALOG_FAILED, step=step.value, reason=str(error)) from error
