"""The file service of an appliance, through NDMP (docs/fse.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from duplicator.hostlink import HostSession
from duplicator.plan import Step
from duplicator.status import JobError, Status
from ndmp.enums import DigestAlgorithm, FileDisposition, FseFeature
from ndmp.messages.extensions.fse import (
    FSE_CLASS,
    FseClose,
    FseCommitImage,
    FseDiscardImage,
    FseGetImage,
    FseGetImageReply,
    FseGetState,
    FseGetStateReply,
    FseImage,
    FseListImages,
    FseListUnits,
    FseOpenRead,
    FseOpenWrite,
    FseRemoveImage,
)
from ndmp.types import ALL_ONES_64

__all__ = ["FileSide"]

_PAGE = 500


class FileSide:
    """One storage unit of one session."""

    def __init__(self, session: HostSession) -> None:
        self.session = session
        self.unit = session.url.path

    async def require(self, feature: FseFeature, step: Step) -> tuple[DigestAlgorithm, ...]:
        """The host's digests; JobError when it does not offer the extension or not this feature of it."""
        info = await self.session.fse_info()
        if info is None:
            reason = f"{self.session.name} does not offer the file service extension (class {FSE_CLASS:#x})"
            raise JobError(Status.NO_STORAGE_UNIT, step=step.value, reason=reason)
        if feature not in info.features:
            reason = f"the file service of {self.session.name} does not offer {feature.name}"
            raise JobError(Status.NO_STORAGE_UNIT, step=step.value, reason=reason)
        return info.algorithms

    async def check_unit(self, step: Step) -> None:
        """JobError when the unit is not there."""
        units = [unit.name for unit in (await self.session.call(FseListUnits())).units]
        if self.unit not in units:
            reason = f"{self.session.name} has no storage unit {self.unit!r}; it has {', '.join(units) or 'none'}"
            raise JobError(Status.NO_STORAGE_UNIT, step=step.value, reason=reason)

    async def images(self) -> AsyncIterator[FseImage]:
        """All images of the unit, by name."""
        after, more = "", True
        while more:
            page = await self.session.call(FseListImages(self.unit, after, _PAGE))
            for image in page.images:
                yield image
                after = image.name
            more = page.more and bool(page.images)

    async def image(self, name: str) -> FseGetImageReply:
        """One image and its fragments."""
        return await self.session.call(FseGetImage(self.unit, name))

    async def open_read(self, image: str, fragment: int, algorithm: DigestAlgorithm) -> int:
        """Open a fragment for the mover; its size in bytes."""
        return (await self.session.call(FseOpenRead(self.unit, image, fragment, algorithm))).size

    async def open_write(
        self, image: str, fragment: int, *, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> None:
        """Open a fragment of a new image for the mover; without a size it is what came until it is closed."""
        announced = ALL_ONES_64 if size is None else size
        await self.session.call(FseOpenWrite(self.unit, image, fragment, name, announced, algorithm))

    async def state(self) -> FseGetStateReply:
        """What the open fragment has carried."""
        return await self.session.call(FseGetState())

    async def close(self, disposition: FileDisposition = FileDisposition.KEEP) -> None:
        """Close the fragment."""
        await self.session.call(FseClose(disposition), deadline=self.session.deadlines.tape)

    async def commit(self, image: str, fragments: int) -> None:
        """Show the written image."""
        request = FseCommitImage(self.unit, image, fragments)
        await self.session.call(request, deadline=self.session.deadlines.tape)

    async def discard(self, image: str) -> None:
        """Remove what was written of an image."""
        await self.session.call(FseDiscardImage(self.unit, image))

    async def remove(self, image: str) -> None:
        """Remove an image that is there."""
        await self.session.call(FseRemoveImage(self.unit, image), deadline=self.session.deadlines.tape)
