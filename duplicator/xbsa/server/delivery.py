"""The bytes of an object on their way from a host's mover, through this process, to the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from duplicator.digests import new_digest
from duplicator.mover_side import MoverSide, Notice
from duplicator.own_thread import in_own_thread
from duplicator.plan import Step
from duplicator.status import JobError
from duplicator.transfer import More, receive_all
from duplicator.xbsa.channel import Taker
from ndmp.enums import DigestAlgorithm

__all__ = ["Delivery", "Expected", "Fails", "Holding"]

_OTHER: Final = "what came is not the object"

Fails: TypeAlias = Callable[[str], JobError]
"""The failure of these words."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of the bytes; ``fails``: what it means when they are others, beside digests with their own."""

    size: int
    digests: Sequence[tuple[DigestAlgorithm, bytes, Fails]]
    fails: Fails
    progress: Callable[[int], None] = field(default=lambda _: None)
    """Told how many bytes are through."""


class Delivery:
    """Passes bytes on without the padding of the last record, and compares them; one use."""

    def __init__(self, target: Taker, expected: Expected) -> None:
        self._target = target
        self._expected = expected
        self._digests = [new_digest(algorithm) for algorithm, _, _ in expected.digests]
        self._left = expected.size
        self._clean = True
        self._is_waiting = False

    async def bring(
        self, mover: MoverSide, notices: asyncio.Queue[Notice], *, record_bytes: int, more: More | None = None
    ) -> int:
        """Have the mover send everything to the application, and the end marker if all is right; how many bytes.

        An application that takes its time is no standstill here: the channel has a deadline for it. JobError,
        ChannelBroken.
        """
        receiving = asyncio.ensure_future(
            receive_all(
                mover,
                notices,
                self._take,
                record_bytes=record_bytes,
                progress=lambda moved: self._expected.progress(min(moved, self._expected.size)),
                step=Step.MOVE,
                more=more,
                excused=lambda: self._is_waiting,
            )
        )
        try:
            await asyncio.wait((receiving,))
            receiving.result()
            self._check()
            await in_own_thread(self._target.finish, "end marker")
        except BaseException:
            self._target.close()  # or a thread would stay in there
            raise
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
        return self._expected.size

    def _take(self, chunk: memoryview) -> None:
        """The next bytes, in the receiving thread."""
        used = chunk[: min(len(chunk), self._left)]
        self._left -= len(used)
        self._clean = self._clean and not any(chunk[len(used) :])
        for digest in self._digests:
            digest.update(used)
        self._is_waiting = True
        try:
            self._target.send(used)
        finally:
            self._is_waiting = False

    def _check(self) -> None:
        if self._left:
            raise self._expected.fails(f"{_OTHER}: {self._left} bytes are missing")
        if not self._clean:
            raise self._expected.fails(f"{_OTHER}: there is more than its {self._expected.size} bytes")
        for (algorithm, wanted, fails), found in zip(self._expected.digests, self._digests, strict=True):
            if found.digest() != wanted:
                text = f"its {algorithm.name} digest is {found.digest().hex()}, and {wanted.hex()} was stored"
                raise fails(f"{_OTHER}: {text}")


class Holding:
    """Contexts that outlive the call that entered them; one task enters and releases them."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self._failure: BaseException | None = None

    @contextmanager
    def noting(self) -> Iterator[None]:
        """What fails in the block is what the contexts will hear."""
        try:
            yield
        except BaseException as error:
            self._failure = self._failure or error
            raise

    async def release(self) -> None:
        """Leave the contexts; a second time does nothing."""
        failure, self._failure = self._failure, None
        try:
            if failure is None:
                await self.stack.aclose()
            else:
                await self.stack.__aexit__(type(failure), failure, failure.__traceback__)
        except BaseException as error:
            if error is not failure:
                raise
