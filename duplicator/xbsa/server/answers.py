"""What the request daemon answers from the catalog: find, delete, history."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, Literal, cast

from duplicator.catalog import Catalog, CatalogError, Copy, ObjectQuery, ObjectState, StoredObject
from duplicator.config import Config
from duplicator.status import JobError
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.server.choosing import image_is_there, remove_image, tape_copies
from duplicator.xbsa.wire import (
    PAGE,
    Answer,
    Deleted,
    DeleteObjects,
    Descriptor,
    Fault,
    FindObjects,
    History,
    HistoryFound,
    ObjectFound,
    ObjectsFound,
    Place,
)

__all__ = ["Answers", "may_see"]

_log: Final = logging.getLogger(__name__)
_ANY: Final = 1
_MOST_RECENT: Final = {1: None, 2: True, 3: False}
_JOBS: Final = 10_000
"""Of the newest jobs, in which those of an object are looked for."""


@dataclass(frozen=True, slots=True)
class Answers:
    """``user``: who asks; None for root, who sees all objects."""

    catalog: Catalog
    config: Config
    user: str | None

    async def find(self, query: FindObjects) -> Answer:
        """One page."""
        wanted = ObjectQuery(
            user=self.user,
            host=query.host,
            bsa_owner=query.bsa_owner,
            app_owner=query.app_owner,
            space=query.space,
            path=query.path,
            resource_type=query.resource_type,
            description=query.description,
            copy_type=None if query.copy_type == _ANY else query.copy_type,
            object_type=None if query.object_type == _ANY else query.object_type,
            most_recent=_MOST_RECENT.get(query.status),
            created_from=query.created_from,
            created_to=query.created_to,
        )
        found = await self._page(wanted, after=query.after, limit=query.limit)
        return ObjectsFound(tuple(_shown(each) for each in found[: query.limit]), len(found) > query.limit)

    async def _page(self, wanted: ObjectQuery, *, after: int, limit: int) -> list[StoredObject]:
        # One more than is shown tells whether there are more.
        return await asyncio.to_thread(lambda: self.catalog.find_objects(wanted, after=after, limit=limit + 1))

    async def object(self, copy_id: int) -> StoredObject | None:
        """An object that this user may see."""
        try:
            found = await asyncio.to_thread(self.catalog.object, copy_id)
        except CatalogError:
            return None
        return found if found.state is ObjectState.STORED and may_see(self.user, found) else None

    async def delete(self, request: DeleteObjects) -> Answer:
        """All, or none."""
        found = [await self.object(copy_id) for copy_id in request.copy_ids]
        if None in found:
            missing = request.copy_ids[found.index(None)]
            return Fault(ReturnCode.OBJECT_NOT_FOUND, 0, f"there is no object {missing}; nothing was deleted")
        objects = [each for each in found if each is not None]
        copies = [copy.id for each in objects for copy in await asyncio.to_thread(self._copies, each)]
        if copies:
            await asyncio.to_thread(self.catalog.expire, copies)
        await asyncio.to_thread(self.catalog.drop_objects, [each.copy_id for each in objects])
        for each in objects:
            await self._remove(each)
        return Deleted(len(objects))

    async def _remove(self, each: StoredObject) -> None:
        try:
            await remove_image(self.config, each.unit, each.image)
        except JobError as error:
            # Nobody finds it any more; it only takes room.
            _log.warning("image %s stays on unit %s: %s; remove it by hand", each.image, each.unit, error)

    async def history(self, request: History) -> Answer:
        """One page."""
        found = await self._page(ObjectQuery(user=self.user, path=request.path), after=request.after, limit=PAGE)
        jobs = await asyncio.to_thread(lambda: self.catalog.jobs(limit=_JOBS))
        entries = []
        for each in found[:PAGE]:
            numbers = sorted(job.id for job in jobs if job.image == each.image)
            entries.append((_shown(each), await self._places(each), tuple(numbers)))
        return HistoryFound(tuple(entries), len(found) > PAGE)

    async def _places(self, each: StoredObject) -> tuple[Place, ...]:
        places = []
        try:
            if await image_is_there(self.config, each.unit, each.image):
                places.append(Place("disk", f"unit {each.unit}", "stored"))
        except JobError as error:
            places.append(Place("disk", f"unit {each.unit}", f"not reached: {error}"))
        copies = await asyncio.to_thread(self._copies, each)
        return (*places, *(Place("tape", ", ".join(one.volumes), one.state.value, one.id) for one in copies))

    def _copies(self, each: StoredObject) -> list[Copy]:
        return tape_copies(self.catalog, self.config, each)


def may_see(user: str | None, found: StoredObject) -> bool:
    """Whether a user is to know of an object; None: root."""
    return user is None or found.user == user


def _shown(each: StoredObject) -> ObjectFound:
    descriptor = Descriptor(
        bsa_owner=each.bsa_owner,
        app_owner=each.app_owner,
        space=each.space,
        path=each.path,
        copy_type=cast(Literal[2, 3], each.copy_type),
        object_type=cast(Literal[2, 3, 4], each.object_type),
        resource_type=each.resource_type,
        description=each.description,
        info=each.info.hex(),
        estimated_size=each.estimated_size,
    )
    return ObjectFound(
        copy_id=each.copy_id,
        created=each.created,
        descriptor=descriptor,
        most_recent=each.most_recent,
        size=each.size,
        restore_order=each.restore_order,
        user=each.user,
        host=each.host,
    )
