"""Where the volumes of one job come from, in the one drive that it has."""

from __future__ import annotations

from typing import Protocol

from duplicator.drives import DriveSpec
from duplicator.mounts.protocol import Mounts, Note
from duplicator.status import JobError, Status

__all__ = ["ByHand", "TapeInDrive", "VolumeSupply"]


class VolumeSupply(Protocol):
    """Puts volumes into a drive, while the job has the tape closed. What really is there, the labels tell."""

    async def first(self, note: Note) -> str | None:
        """Have a volume to write in the drive: its label, None for what lies there, blank or ours; JobError."""
        ...

    async def next(self, full: str, note: Note) -> str | None:
        """The same when volume ``full`` has ended in the middle of a fragment."""
        ...

    async def find(self, volume: str, note: Note) -> None:
        """Have this volume in the drive, to read it; JobError."""
        ...


class TapeInDrive:
    """Implements :class:`VolumeSupply` where nobody changes tapes: there is what lies in the drive.

    ``volume``: the label that it must have, or that a blank tape gets.
    """

    def __init__(self, volume: str | None = None) -> None:
        self._volume = volume

    async def first(self, note: Note) -> str | None:
        """See VolumeSupply."""
        return self._volume

    async def next(self, full: str, note: Note) -> str | None:
        """See VolumeSupply."""
        reason = f"volume {full} is full, the image does not fit the rest of it, and no other volume can come"
        raise JobError(Status.SPANNING_NOT_ALLOWED, step="write side: next volume", reason=reason)

    async def find(self, volume: str, note: Note) -> None:
        """See VolumeSupply."""


class ByHand:
    """Implements :class:`VolumeSupply` for one drive into which an operator puts what is asked for.

    ``volume``: the first one, as in :class:`TapeInDrive`; nobody is asked for it.
    """

    def __init__(self, drive: DriveSpec, mounts: Mounts, volume: str | None = None) -> None:
        self._drive = drive
        self._mounts = mounts
        self._volume = volume

    async def first(self, note: Note) -> str | None:
        """See VolumeSupply."""
        return self._volume

    async def next(self, full: str, note: Note) -> str | None:
        """See VolumeSupply."""
        await self._mounts.dismount(self._drive, note=note)
        await self._mounts.mount(self._drive, None, note=note)
        return None

    async def find(self, volume: str, note: Note) -> None:
        """See VolumeSupply."""
        await self._mounts.mount(self._drive, volume, note=note)
