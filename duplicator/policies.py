"""What a policy of the configuration still has to copy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

from duplicator.catalog import LIVE_COPIES, Catalog, JobState
from duplicator.config import Config, DiskUnit, PolicySpec, local_agent, place_of
from duplicator.failures import failing_as
from duplicator.file_side import FileSide
from duplicator.hostlink import open_session
from duplicator.orders import CopyOrder, matches, order_of_policy
from duplicator.plan import Step
from duplicator.status import JobError, Status
from ndmp.enums import FseFeature
from ndmp.messages.extensions.fse import FseImage

__all__ = ["orders_of_policy"]

_PENDING = frozenset({JobState.QUEUED, JobState.WAITING, JobState.RUNNING, JobState.SUSPENDED})


def orders_of_policy(catalog: Catalog, config: Config, policy: PolicySpec) -> Iterator[CopyOrder]:
    """An order for each copy that is missing of an image of the policy's disk unit, and that no job will make.

    JobError if the images cannot be listed.
    """
    unit = config.storage.disk.get(policy.source)
    if unit is None:
        reason = f"policy {policy.name}: {policy.source!r} is no disk unit, whose images could be listed"
        raise JobError(Status.NO_STORAGE_UNIT, step=Step.PREPARE.value, reason=reason)
    images = asyncio.run(_images(config, unit, policy))
    there = _copies(catalog)
    pending = Counter(job.image for job in catalog.jobs() if job.policy == policy.name and job.state in _PENDING)
    place = _host(config, unit)
    wanted = set(matches(policy, [image.name for image in images]))
    for image in images:
        if image.name in wanted:
            have = there[place, unit.unit, image.name, image.modified, image.size] + pending[image.name]
            yield from (order_of_policy(config, policy, image.name, number=n) for n in range(have, policy.copies))


def _host(config: Config, unit: DiskUnit) -> str:
    host = config.hosts[unit.file_service]
    return f"{host.address}:{host.port}"


def _copies(catalog: Catalog) -> Counter[tuple[str, str, str, int, int]]:
    """How many copies there are of each version of an image."""
    live = [copy.image for copy in catalog.copies() if copy.state in LIVE_COPIES]
    return Counter((image.host, image.unit, image.name, image.modified, image.size) for image in live)


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
