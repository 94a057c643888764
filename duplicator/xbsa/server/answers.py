"""What the request daemon answers from the catalog: find, delete, history."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from duplicator.catalog import Catalog, Copy, ObjectQuery, StoredObject
from duplicator.config import Config
from duplicator.status import JobError
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.server.choosing import image_is_there, tape_copies
from duplicator.xbsa.server.cleaning import remove_deleted
from duplicator.xbsa.server.copies import is_copy_of
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

__all__ = ["Answers"]

_ANY: Final = 1
_MOST_RECENT: Final = {1: None, 2: True, 3: False}
_MOST_JOBS: Final = 100
"""Of one object in an answer: the newest."""


@dataclass(frozen=True, slots=True)
class Answers:
    """``user``: who asks; None for root, who sees all objects."""

    catalog: Catalog
    config: Config
    user: str | None
    cleaning: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while images are removed."""

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
        """An object that this user may see. CatalogError: it may well be there."""
        found = await self._page(ObjectQuery(user=self.user), after=copy_id - 1, limit=0)
        return found[0] if found and found[0].copy_id == copy_id else None

    async def delete(self, request: DeleteObjects) -> Answer:
        """All, or none. What cannot be removed from disk now is not found any more, and tried again later."""
        found = {copy_id: await self.object(copy_id) for copy_id in request.copy_ids}
        objects = [each for each in found.values() if each is not None]
        if len(objects) < len(found):
            missing = next(copy_id for copy_id, each in found.items() if each is None)
            return Fault(ReturnCode.OBJECT_NOT_FOUND, 0, f"there is no object {missing}; nothing was deleted")
        await asyncio.to_thread(self.catalog.delete_objects, list(found), is_copy_of)
        async with self.cleaning:
            stays = await remove_deleted(self.catalog, self.config, objects)
        return Deleted(len(objects), "; ".join(stays))

    async def history(self, request: History) -> Answer:
        """One page."""
        found = await self._page(ObjectQuery(user=self.user, path=request.path), after=request.after, limit=PAGE)
        shown = found[:PAGE]
        jobs = await asyncio.to_thread(self.catalog.jobs_of_objects, [each.copy_id for each in shown])
        entries = []
        for each in shown:
            numbers = jobs[each.copy_id][-_MOST_JOBS:]
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
