"""Where the volumes of one job come from, in the one drive that it has."""

from __future__ import annotations

from typing import Protocol

from duplicator.drives import DriveSpec
from duplicator.mounts.protocol import Mounts, Note
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["ByHand", "TapeInDrive", "VolumeSupply"]


class VolumeSupply(Protocol):
    """Puts volumes into a drive, while the job has the tape closed. What really is there, the labels tell."""

    async def first(self, note: Note) -> str | None:
        """Have a volume to write in the drive: its label, None for what lies there, blank or ours; JobError."""
        ...

    async def another(self, full: str, note: Note) -> str | None:
        """Choose what follows volume ``full``, which lies open in the drive; as in ``first``. JobError: nothing can."""
        ...

    async def next(self, volume: str | None, note: Note) -> None:
        """Have what was chosen in the drive, in place of the full volume."""
        ...

    def holds(self, volume: str) -> None:
        """The volume in the drive turned out to be this one; JobError if this job may not have it."""
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

    async def another(self, full: str, note: Note) -> str | None:
        """See VolumeSupply."""
        reason = f"the tape is full: the image does not fit the rest of volume {full}, and no other one is to come"
        raise JobError(Status.SPANNING_NOT_ALLOWED, step=Step.MOVE.value, reason=reason)

    async def next(self, volume: str | None, note: Note) -> None:
        """See VolumeSupply; nothing was chosen."""

    def holds(self, volume: str) -> None:
        """See VolumeSupply; nobody else is asked."""

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

    async def another(self, full: str, note: Note) -> str | None:
        """See VolumeSupply: what an operator brings."""
        return None

    async def next(self, volume: str | None, note: Note) -> None:
        """See VolumeSupply."""
        await self._mounts.dismount(self._drive, note=note)
        await self._mounts.mount(self._drive, volume, note=note)

    def holds(self, volume: str) -> None:
        """See VolumeSupply; nobody else is asked."""

    async def find(self, volume: str, note: Note) -> None:
        """See VolumeSupply."""
        await self._mounts.mount(self._drive, volume, note=note)
