"""Volumes that are moved or dropped by hand are in no job's hands meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from duplicator.catalog import Catalog, Lease, Resource, ResourceKind

__all__ = ["VolumeInUseError", "holding"]


class VolumeInUseError(Exception):
    """A job has a volume; the text says which."""


@contextmanager
def holding(catalog: Catalog, labels: Collection[str]) -> Iterator[None]:
    """Have these volumes for this process for the duration of the block; VolumeInUseError if somebody has one."""
    owner = f"media {uuid.uuid4()}"
    if not catalog.take(owner, [Resource(ResourceKind.VOLUME, label) for label in labels]):
        raise VolumeInUseError(_who(catalog.leases(), labels))
    try:
        yield
    finally:
        catalog.release(owner)


def _who(leases: Collection[Lease], labels: Collection[str]) -> str:
    for lease in leases:
        if lease.resource.kind is ResourceKind.VOLUME and lease.resource.name in labels:
            job = f"job {lease.job_id}" if lease.job_id else "somebody"
            return f"volume {lease.resource.name} is in use by {job}, process {lease.pid} on {lease.host}"
    return f"one of {' '.join(labels)} was in use a moment ago: try again"
