"""What has to go when a stream ended without its own doing, or aborted."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

from duplicator.catalog import Catalog, CatalogError, StoredObject
from duplicator.config import Config
from duplicator.status import JobError
from duplicator.xbsa.server.choosing import remove_image, sweep_staging

__all__ = ["clean", "clean_abandoned", "remove_deleted"]

_log: Final = logging.getLogger(__name__)
_MOST_FAILURES: Final = 3
"""Of a unit in one round: it may be one that does not answer."""


async def clean(catalog: Catalog, config: Config, pending: Sequence[StoredObject], *, unit: str) -> None:
    """Remove the images of these objects, what was staged on the unit by processes that are gone, and the objects.

    What cannot be removed now stays in the catalog as pending, and is tried again when the daemon starts.
    """
    gone = [each.copy_id for each in pending if await _remove(config, each)]
    if unit:
        try:
            await asyncio.to_thread(sweep_staging, config, unit)
        except JobError as error:
            _log.warning("unit %s is not swept: %s", unit, error)
    if gone:
        await asyncio.to_thread(catalog.drop_objects, gone)


async def _remove(config: Config, each: StoredObject) -> bool:
    try:
        if await remove_image(config, each.unit, each.image):
            _log.info("removed image %s of unit %s, whose transaction was not committed", each.image, each.unit)
    except JobError as error:
        _log.warning("image %s of unit %s, if it is there, is not removed: %s", each.image, each.unit, error)
        return False
    return True


async def remove_deleted(catalog: Catalog, config: Config, deleted: Sequence[StoredObject]) -> list[str]:
    """Remove the images of deleted objects, and forget these; in words, what stays for the next time."""
    stays: list[str] = []
    failures = Counter[str]()
    gone: list[int] = []
    for each in deleted:
        try:
            if failures[each.unit] < _MOST_FAILURES:
                await remove_image(config, each.unit, each.image)
                gone.append(each.copy_id)
        except JobError as error:
            failures[each.unit] += 1
            stays.append(f"image {each.image} stays on unit {each.unit}, and is removed later: {error}")
            _log.warning("%s", stays[-1])
    try:
        await asyncio.to_thread(catalog.drop_objects, gone)
    except CatalogError as error:
        _log.warning("deleted objects are not forgotten yet: %s", error)
    return stays


async def clean_abandoned(catalog: Catalog, config: Config, *, unit: str) -> None:
    """The same for what dead managers left, whose jobs are marked as died; and what is left of deleted objects."""
    for job in await asyncio.to_thread(catalog.mark_dead_jobs):
        _log.warning("job %d died: %s", job.id, job.reason)
    pending = [each.object for each in await asyncio.to_thread(catalog.pending_objects) if each.abandoned]
    await clean(catalog, config, pending, unit=unit)
    await remove_deleted(catalog, config, await asyncio.to_thread(catalog.deleted_objects))
