"""The job that reads an existing copy back and says again whether it is valid."""

from __future__ import annotations

from duplicator.catalog import Catalog, Copy, CopyState, JobKind
from duplicator.failures import CopyBroken
from duplicator.job import recorded, result
from duplicator.plan import JobResult, Step, VerifyRequest
from duplicator.readback import can_be_compared, check_copy
from duplicator.recorder import Recorder, Watcher
from duplicator.status import JobError, Status
from duplicator.supply import TapeInDrive, VolumeSupply

__all__ = ["require_complete", "verify"]


async def verify(
    request: VerifyRequest,
    catalog: Catalog,
    watcher: Watcher,
    *,
    supply: VolumeSupply | None = None,
    job_id: int | None = None,
) -> JobResult:
    """Read a copy back and mark it valid, or failed when its tape says so. CatalogError for an unknown copy.

    Without a ``supply`` the volume must lie in the drive. ``job_id``: a job that the catalog has already.
    """
    copy = catalog.copy(request.copy_id)
    place = request.tape.url
    if job_id is None:
        job_id = catalog.start_job(JobKind.VERIFY, image=copy.image.name, source=str(place), target="")
    recorder = Recorder(catalog, job_id, watcher, image=copy.image.name)
    async with recorded(recorder) as outcome:
        catalog.use_copy(job_id, copy.id)
        require_complete(copy)
        recorder.expect(copy.image.size)
        recorder.step(Step.VALIDATE, f"read {len(copy.fragments)} fragments of copy {copy.id} from {place}")
        await _check(copy, request, catalog, recorder, supply or TapeInDrive())
        found = "valid" if can_be_compared(copy) else f"still {copy.state.value}: its source gave no digest to compare"
        recorder.step(Step.DONE, f"copy {copy.id} is {found}")
    return result(
        recorder,
        outcome,
        image=copy.image.name,
        copy_id=copy.id,
        volumes=copy.volumes,
        size=copy.image.size,
        validated=can_be_compared(copy),
    )


async def _check(
    copy: Copy, request: VerifyRequest, catalog: Catalog, recorder: Recorder, supply: VolumeSupply
) -> None:
    """A difference on tape spoils the copy; a host that cannot be reached, or another tape, says nothing of it."""
    try:
        await check_copy(copy, request.tape, request.deadlines, recorder, supply=supply)
    except CopyBroken:
        recorder.copy_failed(copy.id)
        raise
    if can_be_compared(copy):
        catalog.set_copy_state(copy.id, CopyState.VALID)


def require_complete(copy: Copy) -> None:
    """JobError unless all of the copy is on tape, and is to stay there."""
    if copy.state is CopyState.EXPIRED:
        reason = f"copy {copy.id} is expired: its volumes are free for others, and may hold them already"
        raise JobError(Status.COPY_NOT_FOUND, step=Step.PREPARE.value, reason=reason)
    if copy.fragments and len(copy.fragments) == copy.image.fragments:
        return
    reason = f"copy {copy.id} is {copy.state.value}: {len(copy.fragments)} of {copy.image.fragments} fragments"
    raise JobError(Status.COPY_NOT_FOUND, step=Step.PREPARE.value, reason=reason)
