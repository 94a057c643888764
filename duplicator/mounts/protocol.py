"""How a stream gets its volumes: what a robot and an operator both do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from duplicator.drives import DriveSpec

if TYPE_CHECKING:
    from scsi.changer_survey import Inventory

__all__ = ["Mounts", "Note", "volume_of"]

_LABEL_CHARACTERS: Final = 6

Note: TypeAlias = Callable[[str], None]
"""Takes a line for the job's log."""


class Mounts(Protocol):
    """Volumes into drives and out again. Each method raises JobError, and the drive may not be open meanwhile."""

    async def mount(self, drive: DriveSpec, volume: str | None, *, note: Note) -> None:
        """Have this volume in the drive, ready, whatever was in it before; None takes what is there."""
        ...

    async def dismount(self, drive: DriveSpec, *, note: Note) -> None:
        """Have the drive empty; nothing if it is."""
        ...

    async def inventory(self) -> Inventory:
        """What lies where, asked anew: slots, drives, import/export elements; :func:`volume_of` their barcodes."""
        ...


def volume_of(barcode: str) -> str:
    """The volume's label: the barcode without the media identifier behind its six characters; empty for none."""
    return barcode.strip()[:_LABEL_CHARACTERS]
