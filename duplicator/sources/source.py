"""The read side of a copy as the engine sees it, whoever moves the bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from duplicator.plan import Route
from duplicator.recorder import Recorder
from ndmp.enums import DigestAlgorithm
from ndmp.messages.mover import TcpAddresses

__all__ = ["OpenSource", "Sent", "Source", "SourceFragment", "SourceImage"]


@dataclass(frozen=True, slots=True)
class SourceFragment:
    """One fragment of an image; ``size`` in bytes, None where only the end tells. An empty name: a plain file."""

    name: str
    size: int | None


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image as its source describes it; ``algorithm`` is the digest that its source computes of what it sends."""

    host: str
    unit: str
    name: str
    modified: int
    fragments: tuple[SourceFragment, ...]
    algorithm: DigestAlgorithm
    record_bytes: int | None = None
    """The size of the records that a copy must have; None: any."""

    @property
    def is_size_known(self) -> bool:
        """Whether nothing waits for the end to tell how long it is."""
        return all(fragment.size is not None for fragment in self.fragments)

    @property
    def size(self) -> int:
        """Bytes of all fragments whose size is known."""
        return sum(fragment.size or 0 for fragment in self.fragments)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a source has sent of one fragment, and its digest; empty where there is none."""

    size: int
    digest: bytes


class OpenSource(Protocol):
    """A source that is ready to send; one fragment at a time."""

    @property
    def name(self) -> str:
        """Who sends, for a job's reason."""
        ...

    @property
    def is_changing(self) -> bool:
        """Whether it changes volumes now: no data moves, and that is no standstill."""
        ...

    async def prepare(self, index: int, *, size: int | None) -> None:
        """Have a fragment, which must still have ``size`` bytes, ready to be sent; it may take a tape's time."""
        ...

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """Connect to the mover that listens there. JobError(CONNECTION_BROKEN) at READ_MOVER: it is not reached."""
        ...

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """Send the whole fragment and end the stream; ``taken_up`` waits until the other mover has the connection.

        However long the other side takes to change volumes, this waits.
        """
        ...

    async def finish(self) -> None:
        """Close the fragment."""
        ...


class Source(Protocol):
    """An image that can be copied."""

    @property
    def route(self) -> Route:
        """Which way its bytes go."""
        ...

    async def describe(self, recorder: Recorder) -> SourceImage:
        """Look whether the image is there and can be sent; JobError. Nothing is mounted or opened for it."""
        ...

    def opened(self, image: SourceImage, recorder: Recorder) -> AbstractAsyncContextManager[OpenSource]:
        """Ready to send for the duration of the block; nothing of it is left open, whatever happens."""
        ...
