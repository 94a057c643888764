"""How a mount ends that cannot be."""

from __future__ import annotations

from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["refusal"]


def refusal(status: Status, reason: str) -> JobError:
    """What ends a mount."""
    return JobError(status, step=Step.WRITE_MOUNT.value, reason=reason)
