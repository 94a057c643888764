"""What a disk reader, a tape reader and a disk writer do, whatever they read from or write to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from duplicator.xbsa.channel import ReceivingEnd, SendingEnd

__all__ = ["Kept", "ObjectReader", "ObjectWriter"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was staged of an object: bytes, and their digest."""

    size: int
    digest: bytes


class ObjectReader(Protocol):
    """Brings the bytes of one object from one of its copies; one use."""

    async def ready(self, told: Callable[[str], None]) -> int:
        """Have everything that takes time (drive, volume, position, open file); the object's size. JobError."""
        ...

    async def feed(self, target: SendingEnd) -> int:
        """Send all bytes, compared with what is known of them, and the end marker only if all is well; how many."""
        ...

    async def close(self) -> None:
        """Let go of everything, however it went; a second time does nothing."""
        ...


class ObjectWriter(Protocol):
    """Stages the objects of one transaction, and shows them all or none."""

    async def take(self, image: str, source: ReceivingEnd) -> Kept:
        """Stage the data of an image until the end marker, on stable storage; JobError, ChannelBroken."""
        ...

    async def describe(self, image: str, document: bytes) -> None:
        """Stage its descriptor, the image's second fragment."""
        ...

    async def commit(self) -> None:
        """Show all staged images; if one cannot be shown, none is. JobError."""
        ...

    async def abandon(self) -> None:
        """Leave nothing of the transaction; after commit too, then the shown images are removed."""
        ...
