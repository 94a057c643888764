"""The frame of every job: recorded from its first moment, ended with a status whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from duplicator.catalog import CatalogError, JobState
from duplicator.dataconn import Stopped
from duplicator.plan import JobResult
from duplicator.recorder import Recorder, SideRecorder
from duplicator.status import JobError, Status
from ndmp.errors import ConnectionLost, NdmpError

__all__ = ["Outcome", "recorded", "result", "tidy"]


@dataclass(slots=True)
class Outcome:
    """How the job ended, filled in by :func:`recorded`."""

    status: Status = Status.SUCCESS
    reason: str = ""


@asynccontextmanager
async def recorded(recorder: Recorder) -> AsyncIterator[Outcome]:
    """Run the block as a job: JobError and CatalogError become its outcome; cancellation and bugs go on.

    All are recorded. A job that cannot be recorded has failed, as the record is part of it.
    """
    outcome = Outcome()
    try:
        yield outcome
        recorder.check()
    except JobError as error:
        _fail(recorder, outcome, status=error.status, reason=error.reason)
    except CatalogError as error:
        _fail(recorder, outcome, status=Status.CATALOG_FAILED, reason=str(error))
    except asyncio.CancelledError:
        recorder.stopped()
        raise
    except BaseException as error:
        recorder.finish(JobState.FAILED, Status.NDMP_FAILURE, f"bug: {type(error).__name__}: {error}")
        raise
    else:
        recorder.finish(JobState.DONE, Status.SUCCESS, "")
        try:
            recorder.check()
        except JobError as error:
            outcome.status, outcome.reason = error.status, error.reason


def _fail(recorder: Recorder, outcome: Outcome, *, status: Status, reason: str) -> None:
    outcome.status, outcome.reason = status, reason
    recorder.finish(JobState.FAILED, status, reason)


def result(
    recorder: Recorder,
    outcome: Outcome,
    *,
    image: str,
    copy_id: str | None,
    volumes: Iterable[str],
    size: int,
    move_seconds: float = 0.0,
    validated: bool = True,
) -> JobResult:
    """What the caller of a job gets."""
    return JobResult(
        job_id=recorder.job_id,
        status=outcome.status,
        step=recorder.current.value,
        reason=outcome.reason,
        image=image,
        copy_id=copy_id,
        volume=", ".join(dict.fromkeys(volumes)) or None,
        size=size,
        move_seconds=move_seconds,
        validated=validated and outcome.status == Status.SUCCESS,
    )


async def tidy(recorder: SideRecorder, what: str, act: Awaitable[None]) -> bool:
    """Do one act of cleaning up, whose calls have deadlines of their own; a failure is told, not raised.

    False: the host does not answer, so ask no more.
    """
    try:
        await act
    except (NdmpError, JobError, OSError, Stopped) as error:
        recorder.note(f"cleaning up: {what} failed: {str(error) or 'it took too long'}")
        return not isinstance(error, ConnectionLost | TimeoutError)
    recorder.note(f"cleaning up: {what} done")
    return True
