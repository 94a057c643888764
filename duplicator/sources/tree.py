"""A directory tree behind a data server, backed up to tape by plain NDMP v4: the data service sends it (draft 3.5)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from duplicator.data_side import DataSide
from duplicator.failures import failing_as
from duplicator.hostlink import open_session
from duplicator.job import tidy
from duplicator.plan import Deadlines, Place, Route, Step
from duplicator.recorder import SideRecorder
from duplicator.sources.source import Sent, SourceFragment, SourceImage
from duplicator.status import JobError, Status
from duplicator.transfer import StreamBroken
from ndmp.enums import DataHaltReason, DigestAlgorithm
from ndmp.messages.mover import TcpAddresses
from ndmp.types import Pval

__all__ = ["TreeSource"]

_NAME_LIMIT: Final = 200
"""Bytes of an image's name before its level and date."""


class TreeSource:
    """Implements :class:`Source` for the directory ``path`` of a data server.

    ``environment``: variables for the backup type ``butype``. How much it is, only its end tells; a data service gives
    no digest, so the copy can be read back but not compared (docs/routes.md).
    """

    route = Route.DIRECT

    def __init__(
        self,
        place: Place,
        path: str,
        deadlines: Deadlines,
        *,
        butype: str = "tar",
        environment: Sequence[tuple[str, str]] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._place = place
        self._deadlines = deadlines
        self._butype = butype
        self._variables = {"FILESYSTEM": path, "TYPE": butype, "HIST": "n", **dict(environment)}
        self._now = now

    async def describe(self, recorder: SideRecorder) -> SourceImage:
        """See Source."""
        url, butype = self._place.url, self._butype
        recorder.step(Step.CHECK_IMAGE, f"does {url.host} port {url.port} back up by {butype!r}?")
        async with open_session(self._place, self._deadlines, step=Step.CHECK_IMAGE, extended=False) as session:
            side = DataSide(session, log=recorder.note, told=recorder.told)
            with failing_as(Step.CHECK_IMAGE, side.name):
                offered = [info.name for info in await side.butypes()]
        if butype not in offered:
            reason = f"{side.name} has no backup type {butype!r}; it has {', '.join(offered) or 'none'}"
            raise JobError(Status.NDMP_FAILURE, step=Step.CHECK_IMAGE.value, reason=reason)
        modified = int(self._now())
        name = self._name(modified)
        recorder.note(f"image {name!r}; how much it is, its end will tell")
        return SourceImage(
            host=f"{url.host}:{url.port}",
            unit=butype,
            name=name,
            modified=modified,
            fragments=(SourceFragment("", None),),
            algorithm=DigestAlgorithm.NONE,
        )

    def _name(self, modified: int) -> str:
        """Host, path, level and date, as a name that an image may have."""
        place = re.sub("[/\0]+", "_", f"{self._place.url.host}{self._variables['FILESYSTEM']}").lstrip(".")
        cut = place.encode()[:_NAME_LIMIT].decode(errors="ignore")
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(modified))
        return f"{cut}.L{self._variables.get('LEVEL', '0')}.{date}"

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: SideRecorder) -> AsyncIterator[_Tree]:
        """See Source."""
        url = self._place.url
        recorder.step(Step.READ_SESSION, f"data server {url.host} port {url.port}")
        async with open_session(self._place, self._deadlines, step=Step.READ_SESSION, extended=False) as session:
            side = DataSide(session, log=recorder.note, told=recorder.told)
            watching = asyncio.create_task(side.watch())
            try:
                yield _Tree(side, self._butype, self._variables, recorder)
            except BaseException:
                await tidy(recorder, "ending the backup on the data server", side.abandon())
                raise
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)


class _Tree:
    """Implements :class:`OpenSource`: one stream, of a length that its end tells."""

    is_changing = False

    def __init__(self, side: DataSide, butype: str, variables: dict[str, str], recorder: SideRecorder) -> None:
        self.name = side.name
        self._side = side
        self._butype = butype
        self._variables = variables
        self._recorder = recorder

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource; a backup is made while it is sent."""

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        self._recorder.step(Step.READ_MOVER, "the data service connects to the tape server's mover")
        with failing_as(Step.READ_MOVER, self.name):
            await self._side.connect(address)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource."""
        side = self._side
        with failing_as(Step.MOVE, self.name):
            if side.session.tls.required:
                await taken_up()  # a peer without TLS would be sent plain bytes
            await side.start_backup(self._butype, [Pval(*pair) for pair in self._variables.items()])
            reason = await side.halted()
            if reason != DataHaltReason.SUCCESSFUL:
                raise self._failed(reason)
            moved = (await side.state()).bytes_processed
            if not moved:  # ndmjob says so of a program that failed
                raise self._failed(reason)
            environment = await side.environment()
        history = ", ".join(f"{count} {what}" for what, count in sorted(side.history.items())) or "none"
        self._recorder.note(f"{moved} bytes were sent; file history: {history}")
        for pair in environment:
            if "PASS" not in pair.name.upper():
                self._recorder.note(f"for a recovery: {pair.name}={pair.value}")
        return Sent(moved, b"")

    def _failed(self, reason: DataHaltReason) -> JobError:
        said = f": {self._side.last_trouble}" if self._side.last_trouble else ""
        nothing = ", and nothing was sent" if reason == DataHaltReason.SUCCESSFUL else ""
        text = f"{self.name}: the backup ended by {reason.name}{nothing}{said}"
        if reason == DataHaltReason.CONNECT_ERROR:
            return StreamBroken(Status.CONNECTION_BROKEN, step=Step.MOVE.value, reason=text)
        return JobError(Status.FILE_READ_FAILED, step=Step.MOVE.value, reason=text)

    async def finish(self) -> None:
        """See OpenSource."""
        with failing_as(Step.MOVE, self.name):
            await self._side.stop()
