"""What a policy of the configuration still has to copy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from duplicator.catalog import LIVE_COPIES, Catalog, Copy, CopyState, Job, JobState
from duplicator.config import Config, DiskUnit, PolicySpec, local_agent, place_of
from duplicator.failures import failing_as
from duplicator.file_side import FileSide
from duplicator.hostlink import open_session
from duplicator.orders import CopyOrder, matches, order_of_policy
from duplicator.plan import Step, Validation
from duplicator.status import JobError, Status
from ndmp.enums import FseFeature
from ndmp.messages.extensions.fse import FseImage

__all__ = ["orders_of_policy"]

_PENDING = frozenset({JobState.QUEUED, JobState.WAITING, JobState.RUNNING, JobState.SUSPENDED})
_ENDED = frozenset({JobState.DIED, JobState.FAILED, JobState.CANCELLED})


def orders_of_policy(catalog: Catalog, config: Config, policy: PolicySpec) -> Iterator[CopyOrder | Job]:
    """What makes each copy that is missing of an image of the policy's disk unit, and that no job will make.

    It is a job of the policy that ended before its copy was done, to be queued again, or else an order for a new copy.
    JobError if the images cannot be listed.
    """
    unit = config.storage.disk.get(policy.source)
    if unit is None:
        reason = f"policy {policy.name}: {policy.source!r} is no disk unit, whose images could be listed"
        raise JobError(Status.NO_STORAGE_UNIT, step=Step.PREPARE.value, reason=reason)
    images = asyncio.run(_images(config, unit, policy))
    jobs = [job for job in catalog.jobs() if job.policy == policy.name]
    pending = [job for job in jobs if job.state in _PENDING]
    copies = {copy.id: copy for copy in catalog.copies() if copy.state in LIVE_COPIES}
    begun = _begun(jobs, copies, policy)
    taken_up = {job.copy_id for job in (*pending, *begun.values())}
    there = Counter(_key(copy) for copy in copies.values() if copy.id not in taken_up and _counts(copy))
    coming = Counter(job.image for job in pending)
    place = _host(config, unit)
    wanted = set(matches(policy, [image.name for image in images]))
    for image in images:
        if image.name in wanted:
            key = place, unit.unit, image.name, image.modified, image.size
            have = there[key] + coming[image.name]
            again = [job for copy_id, job in begun.items() if _key(copies[copy_id]) == key][
                : max(policy.copies - have, 0)
            ]
            yield from again
            numbers = range(have + len(again), policy.copies)
            yield from (order_of_policy(config, policy, image.name, number=n) for n in numbers)


def _begun(jobs: Sequence[Job], copies: Mapping[str, Copy], policy: PolicySpec) -> dict[str, Job]:
    """The last job of each copy that a job of the policy left half done."""
    left = {CopyState.INCOMPLETE} | ({CopyState.WRITTEN} if policy.validation is Validation.DIGEST else set())
    ended = [job for job in jobs if job.state in _ENDED and job.request and job.copy_id in copies]
    return {job.copy_id: job for job in reversed(ended) if job.copy_id and copies[job.copy_id].state in left}


def _counts(copy: Copy) -> bool:
    """Whether nobody has to do anything more for it, or somebody does."""
    return copy.state is not CopyState.INCOMPLETE


def _host(config: Config, unit: DiskUnit) -> str:
    host = config.hosts[unit.file_service]
    return f"{host.address}:{host.port}"


def _key(copy: Copy) -> tuple[str, str, str, int, int]:
    """The version of an image of which it is a copy."""
    image = copy.image
    return image.host, image.unit, image.name, image.modified, image.size


async def _images(config: Config, unit: DiskUnit, policy: PolicySpec) -> Sequence[FseImage]:
    agent = local_agent(config)
    if agent is None:
        reason = "the configuration has no agent that is this machine"
        raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
    place = place_of(config, unit.file_service, path=unit.unit, agent=agent)
    async with open_session(place, policy.deadlines, step=Step.CHECK_IMAGE) as session:
        with failing_as(Step.CHECK_IMAGE, session.name):
            files = FileSide(session)
            await files.require(FseFeature.FILES_READ, Step.CHECK_EXTENSION)
            await files.check_unit(Step.CHECK_IMAGE)
            return [image async for image in files.images()]
