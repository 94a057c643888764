"""Which way the bytes of a copy go: the ways that are open are tried in the order of preference (docs/routes.md)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from duplicator.catalog import Catalog
from duplicator.own_thread import in_own_thread
from duplicator.plan import Deadlines, Place, Route, SourceSpec, Step, StorageUnit, TapeCopy, TapeFile, Tree
from duplicator.recorder import Recorder
from duplicator.sources.file_service import FileServiceSource
from duplicator.sources.here import DirectorySource, RelaySource
from duplicator.sources.source import OpenSource, Sent, Source, SourceImage
from duplicator.sources.tape import TapeSource
from duplicator.sources.tape_file import TapeFileSource
from duplicator.sources.tape_here import TapeRelaySource
from duplicator.sources.tree import TreeSource
from duplicator.status import JobError, Status
from duplicator.supply import VolumeSupply
from duplicator.urls import NdmpUrl
from ndmp.enums import DigestAlgorithm, Error
from ndmp.errors import ReplyError
from ndmp.messages.mover import TcpAddresses

__all__ = ["FirstOpenWay", "choose"]

_LOOK_UP: Final = 5.0
"""Seconds for the addresses of a host's name; they only serve to tell something."""
_CONNECTING: Final = Step.READ_MOVER.value
_CLOSED: Final = frozenset(
    {
        Status.NO_STORAGE_UNIT,
        Status.NO_CREDENTIALS,
        Status.NDMP_FAILURE,
        Status.TLS_FAILED,
        Status.CONNECTION_BROKEN,
        Status.CONNECTION_TIMED_OUT,
        Status.CONNECT_TIMED_OUT,
    }
)
"""What says that a way is not open; anything else is said of the image, and is as true on any other way."""


async def choose(
    spec: SourceSpec,
    image: str,
    target: Place,
    recorder: Recorder,
    *,
    catalog: Catalog,
    deadlines: Deadlines,
    allowed: Collection[Route] = tuple(Route),
    algorithm: DigestAlgorithm | None = None,
    supply: VolumeSupply | None = None,
    direct: Source | None = None,
) -> Source:
    """The source of a copy, by the ways of ``allowed``; JobError if none of these leads from ``spec`` to a tape.

    ``image``: its name in a storage unit. ``supply`` brings the volumes of a copy on tape to the drive it is read in.
    ``direct``: who speaks to the appliance, where that is not this process; then nothing is relayed by it either.
    """
    if isinstance(spec, StorageUnit):
        ways = _unit_ways(spec, image, direct, deadlines=deadlines, algorithm=algorithm)
    else:
        ways = _other_ways(spec, target, catalog=catalog, deadlines=deadlines, supply=supply)
    left = [way for way in ways if way.route in allowed]
    for route in dict.fromkeys(way.route for way in ways if way not in left):
        recorder.note(f"{route.value}: not allowed by the policy")
    if not left:
        reason = f"no way is allowed: {spec.place.url} needs {' or '.join(dict.fromkeys(w.route.value for w in ways))}"
        raise JobError(Status.NO_STORAGE_UNIT, step=Step.PREPARE.value, reason=reason)
    if await _is_one_host(spec.place.url, target.url):
        recorder.note(f"source and tape are both on {target.url.host}: host to host, the data does not leave it")
    return left[0] if len(left) == 1 else FirstOpenWay(left)


def _unit_ways(
    unit: StorageUnit, image: str, direct: Source | None, *, deadlines: Deadlines, algorithm: DigestAlgorithm | None
) -> Sequence[Source]:
    """The ways from a storage unit, the preferred one first."""
    place, path = unit.place, unit.local_path
    first = direct or FileServiceSource(place, image, deadlines, wanted=algorithm)
    here = [DirectorySource(place, path, image, deadlines, wanted=algorithm)] if path else []
    relayed = [] if direct else [RelaySource(place, image, deadlines, wanted=algorithm)]
    return [first, *here, *relayed]


def _other_ways(
    spec: TapeCopy | TapeFile | Tree,
    target: Place,
    *,
    catalog: Catalog,
    deadlines: Deadlines,
    supply: VolumeSupply | None,
) -> Sequence[Source]:
    """The ways from a tape, or from a tree, the preferred one first."""
    match spec:
        case TapeCopy(copy_id, place):
            _require_two_drives(place, target)
            copy = catalog.copy(copy_id)
            return [each(copy, place, deadlines, supply=supply) for each in (TapeSource, TapeRelaySource)]
        case TapeFile(place, number):
            _require_two_drives(place, target)
            return [TapeFileSource(place, number, deadlines)]
        case Tree(place, path, butype, environment):
            return [TreeSource(place, path, deadlines, butype=butype, environment=environment)]


def _require_two_drives(place: Place, target: Place) -> None:
    if place.url == target.url:
        reason = f"{place.url} is to be read and written at once: from tape to tape takes two drives"
        raise JobError(Status.NO_DRIVES, step=Step.PREPARE.value, reason=reason)


async def _is_one_host(one: NdmpUrl, other: NdmpUrl) -> bool:
    """Whether two names lead to the same address; no if that does not turn out soon."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LOOK_UP):
            return bool(await _addresses(one.host) & await _addresses(other.host))
    return False


async def _addresses(host: str) -> set[object]:
    found = await in_own_thread(lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM), "look-up")
    return {address[4][0] for address in found}


class FirstOpenWay:
    """Implements :class:`Source`: the first of ``ways`` that turns out to be open, told with what is wrong with others.

    That the hosts do not reach each other shows only when one of them connects: then the next way is tried, as long as
    no byte was moved.
    """

    def __init__(self, ways: Sequence[Source]) -> None:
        self._ways = list(ways)

    @property
    def route(self) -> Route:
        """That of the way that is taken, as far as that is known."""
        return self._ways[0].route

    async def describe(self, recorder: Recorder) -> SourceImage:
        """See Source."""
        problems: list[JobError] = []
        while True:
            try:
                image = await self._ways[0].describe(recorder)
            except JobError as error:
                problems.append(error)
                if error.status not in _CLOSED or len(self._ways) == 1:
                    raise _joined(problems) from error
                self.give_up(error, recorder)
            else:
                recorder.note(f"{self.route.value}: this way is taken")
                return image

    def give_up(self, error: JobError, recorder: Recorder) -> None:
        """Go on with the next way."""
        recorder.note(f"{self._ways.pop(0).route.value}: this way is not open: {error.reason}")

    @property
    def has_another(self) -> bool:
        """Whether there is one to go on with."""
        return len(self._ways) > 1

    @property
    def way(self) -> Source:
        """The way that is taken."""
        return self._ways[0]

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: Recorder) -> AsyncIterator[_Switching]:
        """See Source."""
        switching = _Switching(self, image, recorder)
        async with AsyncExitStack() as stack:
            await switching.open()
            stack.push_async_exit(lambda *told: switching.close(*told))
            yield switching


class _Switching:
    """Implements :class:`OpenSource`: the first way that connects."""

    def __init__(self, ways: FirstOpenWay, image: SourceImage, recorder: Recorder) -> None:
        self._ways = ways
        self._image = image
        self._recorder = recorder
        self._stack = AsyncExitStack()
        self._source: OpenSource | None = None
        self._fragment: tuple[int, int | None] = (0, None)
        self._has_connected = False

    @property
    def _open(self) -> OpenSource:
        assert self._source is not None
        return self._source

    @property
    def name(self) -> str:
        """See OpenSource."""
        return self._open.name

    @property
    def is_changing(self) -> bool:
        """See OpenSource."""
        return self._open.is_changing

    async def open(self) -> None:
        """Open the way that is taken."""
        self._source = await self._stack.enter_async_context(self._ways.way.opened(self._image, self._recorder))

    async def close(self, *told: object) -> bool | None:
        """Close the way that was taken, telling it how things ended."""
        return await self._stack.__aexit__(*told)  # type: ignore[arg-type]

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource."""
        self._fragment = index, size
        await self._open.prepare(index, size=size)

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        while True:
            try:
                await self._open.begin(address=address, record_bytes=record_bytes)
            except JobError as error:
                if self._has_connected or not self._ways.has_another or not _is_unreached(error):
                    raise
                await self._switch(error)
            else:
                self._has_connected = True
                return

    async def _switch(self, error: JobError) -> None:
        """Leave this way, and have the next one at the same point."""
        with suppress(JobError):
            async with self._stack:
                raise error  # so that it cleans up
        self._ways.give_up(error, self._recorder)
        self._stack = AsyncExitStack()
        found = await self._ways.describe(self._recorder)
        if found.fragments != self._image.fragments:
            reason = f"image {found.name!r} has other fragments that way: {error.reason}"
            raise JobError(Status.FILE_READ_FAILED, step=Step.CHECK_IMAGE.value, reason=reason)
        await self.open()
        index, size = self._fragment
        await self._open.prepare(index, size=size)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource."""
        return await self._open.send(taken_up)

    async def finish(self) -> None:
        """See OpenSource."""
        await self._open.finish()


def _is_unreached(error: JobError) -> bool:
    """Whether a host that answers says that it does not reach the other one; of another process's host only that."""
    is_refusal = isinstance(error.__cause__, ReplyError) and error.__cause__.error == Error.CONNECT
    is_told = error.__cause__ is None and (error.status, error.step) == (Status.CONNECTION_BROKEN, _CONNECTING)
    return is_refusal or is_told


def _joined(problems: Sequence[JobError]) -> JobError:
    """The last problem, with those before it: one of them may be easier to mend."""
    last = problems[-1]
    if len(problems) == 1:
        return last
    return JobError(last.status, step=last.step, reason="; ".join(dict.fromkeys(each.reason for each in problems)))
