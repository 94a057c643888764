"""The end of a job as its caller sees it, whatever escaped the job."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Final

from duplicator.catalog import CatalogError
from duplicator.plan import JobResult, Step
from duplicator.status import JobError, Status
from ndmp.errors import NdmpError

__all__ = ["NO_JOB", "outlived"]

_log: Final = logging.getLogger(__name__)
NO_JOB: Final = 0
"""Number in the result of a job that the catalog did not number, or that did not live to tell."""


async def outlived(title: str, work: Awaitable[JobResult]) -> JobResult:
    """How the job ended; an error that escapes it is a failure like any other, so that the next job runs."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001
        if not isinstance(error, JobError | CatalogError | NdmpError | OSError):
            _log.exception("the job of %s stopped at a bug", title)
        return _escaped(title, error)


def _escaped(title: str, error: Exception) -> JobResult:
    """The result of a job that gave none; its number is not known here."""
    status, step, reason = Status.NDMP_FAILURE, Step.PREPARE.value, f"{type(error).__name__}: {error}"
    if isinstance(error, JobError):
        status, step, reason = error.status, error.step, error.reason
    elif isinstance(error, CatalogError):
        status, reason = Status.CATALOG_FAILED, str(error)
    return JobResult(
        job_id=NO_JOB,
        status=status,
        step=step,
        reason=reason,
        image=title,
        copy_id=None,
        volume=None,
        size=0,
        move_seconds=0.0,
        validated=False,
    )
