"""What has to go when a stream ended without its own doing, or aborted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from duplicator.catalog import Catalog, StoredObject
from duplicator.config import Config
from duplicator.status import JobError
from duplicator.xbsa.server.choosing import remove_image, sweep_staging

__all__ = ["clean", "clean_abandoned"]

_log: Final = logging.getLogger(__name__)


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


async def clean_abandoned(catalog: Catalog, config: Config, *, unit: str) -> None:
    """The same for what dead managers left, whose jobs are marked as died."""
    for job in await asyncio.to_thread(catalog.mark_dead_jobs):
        _log.warning("job %d died: %s", job.id, job.reason)
    pending = [each.object for each in await asyncio.to_thread(catalog.pending_objects) if each.abandoned]
    await clean(catalog, config, pending, unit=unit)
