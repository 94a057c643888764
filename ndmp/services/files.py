"""File service: storage units, images and their fragments (docs/fse.md)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from ndmp.backends import FileServiceBackend
from ndmp.enums import DigestAlgorithm, Error, FileDisposition, FileMode
from ndmp.errors import ReplyError
from ndmp.messages.extensions.fse import (
    FseClose,
    FseCloseReply,
    FseCommitImage,
    FseCommitImageReply,
    FseDiscardImage,
    FseDiscardImageReply,
    FseFragment,
    FseGetImage,
    FseGetImageReply,
    FseGetState,
    FseGetStateReply,
    FseImage,
    FseListImages,
    FseListImagesReply,
    FseListUnits,
    FseListUnitsReply,
    FseOpenRead,
    FseOpenReadReply,
    FseOpenWrite,
    FseOpenWriteReply,
    FseRemoveImage,
    FseRemoveImageReply,
    FseUnit,
)
from ndmp.services.routes import Route, Routes
from ndmp.services.slot import OpenFile, Slot
from ndmp.types import ALL_ONES_64

__all__ = ["MAX_LISTED", "FileService", "audit_name"]

MAX_LISTED: Final = 1000
"""Images of one listing page at most."""
_MAX_NAME: Final = 255


def audit_name(name: str) -> None:
    """Refuse what is not one plain path component: ILLEGAL_ARGS (docs/fse.md rule 2)."""
    length = len(name.encode("utf-8", "surrogateescape"))
    if not 0 < length <= _MAX_NAME or name.startswith(".") or "/" in name or "\0" in name:
        raise ReplyError(Error.ILLEGAL_ARGS, f"{name!r} is no name")


class FileService:
    """Audits and acts for one session; ``busy`` says whether a transfer uses the open fragment."""

    def __init__(self, files: FileServiceBackend, slot: Slot, *, busy: Callable[[], bool]) -> None:
        self._files = files
        self._slot = slot
        self._busy = busy
        self._uncommitted: set[tuple[str, str]] = set()
        self.routes: Routes = {
            FseListUnits: Route(self._list_units, blocking=True),
            FseListImages: Route(self._list_images, blocking=True),
            FseGetImage: Route(self._get_image, blocking=True),
            FseOpenRead: Route(self._open_read, blocking=True),
            FseOpenWrite: Route(self._open_write, blocking=True),
            FseClose: Route(self._close, blocking=True),
            FseGetState: Route(self._get_state),
            FseCommitImage: Route(self._commit, blocking=True),
            FseDiscardImage: Route(self._discard, blocking=True),
            FseRemoveImage: Route(self._remove, blocking=True),
        }

    def shut_down(self) -> None:
        """The session ends: close what is open, remove what was not committed."""
        opened, self._slot.file = self._slot.file, None
        with ExitStack() as steps:  # last in, first out; one that fails does not keep the others
            for unit, image in self._uncommitted:
                steps.callback(self._files.discard, unit, image)
            if opened:
                steps.callback(opened.handle.close, keep=False)

    def _list_units(self, request: FseListUnits) -> FseListUnitsReply:
        units = (FseUnit(u.name, u.total_bytes, u.free_bytes, u.writable) for u in self._files.units())
        return FseListUnitsReply(Error.NO_ERR, tuple(units))

    def _list_images(self, request: FseListImages) -> FseListImagesReply:
        audit_name(request.unit)
        if not request.limit:
            raise ReplyError(Error.ILLEGAL_ARGS, "a page of 0 images")
        limit = min(request.limit, MAX_LISTED)
        found = self._files.images(request.unit, request.after, limit + 1)
        images = (FseImage(i.name, i.modified, i.size, len(i.fragments)) for i in found[:limit])
        return FseListImagesReply(Error.NO_ERR, tuple(images), more=len(found) > limit)

    def _get_image(self, request: FseGetImage) -> FseGetImageReply:
        audit_name(request.unit)
        audit_name(request.image)
        image = self._files.image(request.unit, request.image)
        return FseGetImageReply(
            Error.NO_ERR, image.modified, tuple(FseFragment(f.name, f.size) for f in image.fragments)
        )

    def _audit_open(self, request: FseOpenRead | FseOpenWrite) -> None:
        self._slot.audit_empty()
        if self._busy():
            raise ReplyError(Error.DEVICE_BUSY, "the mover is in use")
        audit_name(request.unit)
        audit_name(request.image)
        if request.algorithm != DigestAlgorithm.NONE and request.algorithm not in self._files.algorithms:
            raise ReplyError(Error.FSE_ALGORITHM, f"digest {request.algorithm.name}")

    def _open_read(self, request: FseOpenRead) -> FseOpenReadReply:
        self._audit_open(request)
        handle = self._files.open_read(request.unit, request.image, request.fragment, request.algorithm)
        self._slot.file = OpenFile(handle, FileMode.READ, request.algorithm)
        return FseOpenReadReply(Error.NO_ERR, handle.status().size)

    def _open_write(self, request: FseOpenWrite) -> FseOpenWriteReply:
        self._audit_open(request)
        if request.name:
            audit_name(request.name)
        if request.fragment and (request.unit, request.image) not in self._uncommitted:
            raise ReplyError(Error.ILLEGAL_ARGS, "a session begins an image with fragment 0")
        size = None if request.size == ALL_ONES_64 else request.size
        handle = self._files.open_write(
            request.unit, request.image, request.fragment, request.name, size, request.algorithm
        )
        self._uncommitted.add((request.unit, request.image))
        self._slot.file = OpenFile(handle, FileMode.WRITE, request.algorithm)
        return FseOpenWriteReply(Error.NO_ERR)

    def _close(self, request: FseClose) -> FseCloseReply:
        opened = self._slot.require_file()
        if self._busy():
            raise ReplyError(Error.DEVICE_BUSY, "a transfer uses the fragment")
        if request.disposition not in (FileDisposition.KEEP, FileDisposition.DISCARD):
            raise ReplyError(Error.ILLEGAL_ARGS, f"disposition {request.disposition}")
        self._slot.file = None
        opened.handle.close(keep=request.disposition == FileDisposition.KEEP)
        return FseCloseReply(Error.NO_ERR)

    def _get_state(self, request: FseGetState) -> FseGetStateReply:
        opened = self._slot.require_file()
        status = opened.handle.status()
        return FseGetStateReply(
            Error.NO_ERR, status.size, status.bytes_moved, status.changed, opened.algorithm, status.digest
        )

    def _audit_image(self, request: FseCommitImage | FseDiscardImage | FseRemoveImage) -> None:
        if self._slot.file:
            raise ReplyError(Error.DEVICE_OPENED, "close the fragment first")
        audit_name(request.unit)
        audit_name(request.image)

    def _commit(self, request: FseCommitImage) -> FseCommitImageReply:
        self._audit_image(request)
        if (request.unit, request.image) not in self._uncommitted:
            raise ReplyError(Error.FILE_NOT_FOUND, "this session has written nothing of that image")
        self._files.commit(request.unit, request.image, request.fragments)
        self._uncommitted.discard((request.unit, request.image))
        return FseCommitImageReply(Error.NO_ERR)

    def _discard(self, request: FseDiscardImage) -> FseDiscardImageReply:
        self._audit_image(request)
        if (request.unit, request.image) in self._uncommitted:
            self._files.discard(request.unit, request.image)
            self._uncommitted.discard((request.unit, request.image))
        return FseDiscardImageReply(Error.NO_ERR)

    def _remove(self, request: FseRemoveImage) -> FseRemoveImageReply:
        self._audit_image(request)
        self._files.remove(request.unit, request.image)
        return FseRemoveImageReply(Error.NO_ERR)
