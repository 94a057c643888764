"""A host's data service, driven from outside: connect it, start a backup, watch what it tells (draft 3.5)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from duplicator.endpoints import security_of
from duplicator.hostlink import HostSession
from duplicator.mover_side import printable, tell
from ndmp.aio.methods import ConfigMethods, DataMethods
from ndmp.enums import DataHaltReason, DataState, Error, LogType
from ndmp.errors import NdmpError, ReplyError
from ndmp.messages.config import ButypeInfo
from ndmp.messages.data import DataGetStateReply
from ndmp.messages.filehist import FhAddDir, FhAddFile, FhAddNode
from ndmp.messages.mover import TcpAddresses
from ndmp.messages.notify import LogMessage, NotifyDataHalted
from ndmp.types import Pval
from ndmp.wire import Post

__all__ = ["DataSide"]


class DataSide:
    """The data service of one session. ``told`` gets what the host tells by itself, ``log`` the rest."""

    def __init__(self, session: HostSession, *, log: Callable[[str], None], told: Callable[[str], None]) -> None:
        self.session = session
        self.name = f"data server ({session.name})"
        self.last_trouble = ""
        self.history: Counter[str] = Counter()
        """How many files, directory entries and nodes the file history had."""
        self._service = DataMethods(session)
        self._log = log
        self._told = told
        self._ends: asyncio.Queue[DataHaltReason | NdmpError] = asyncio.Queue()

    async def butypes(self) -> tuple[ButypeInfo, ...]:
        """The kinds of backup that the host offers."""
        return await ConfigMethods(self.session).butypes()

    async def watch(self) -> None:
        """Take in what the host tells, until it is gone. File history is counted: there may be very much of it."""
        while True:
            try:
                self._take(await self.session.client.next_post())
            except NdmpError as error:
                self._ends.put_nowait(error)
                return

    def _take(self, post: Post) -> None:
        match post:
            case FhAddFile(files):
                self.history["files"] += len(files)
            case FhAddDir(dirs):
                self.history["directory entries"] += len(dirs)
            case FhAddNode(nodes):
                self.history["nodes"] += len(nodes)
            case NotifyDataHalted(reason):
                self._told(f"data server tells: data service halted, {DataHaltReason(reason).name}")
                self._ends.put_nowait(DataHaltReason(reason))
            case _:
                if isinstance(post, LogMessage) and post.log_type == LogType.ERROR:
                    self.last_trouble = printable(post.entry)
                self._told(f"data server tells: {tell(post)}")

    async def connect(self, address: TcpAddresses) -> None:
        """Have the service connect to a mover that listens, and note whether that is secure."""
        await self._service.connect(address)
        secure = security_of(address)
        found = {True: "under TLS", False: "not encrypted", None: "perhaps under TLS: it was offered"}[secure]
        self._log(f"data server: the data connection is {found}")

    async def start_backup(self, butype: str, environment: Iterable[Pval]) -> None:
        """Begin to send."""
        await self._service.start_backup(butype, environment)

    async def halted(self) -> DataHaltReason:
        """Wait for the end, however long that takes; NdmpError when the host is gone."""
        end = await self._ends.get()
        if isinstance(end, NdmpError):
            raise end
        return end

    async def state(self) -> DataGetStateReply:
        """State and progress."""
        return await self._service.state()

    async def environment(self) -> tuple[Pval, ...]:
        """The variables that a recovery will need; none where the host does not tell them."""
        try:
            return await self._service.environment()
        except ReplyError:
            return ()

    async def stop(self) -> None:
        """From HALTED to IDLE."""
        await self._service.stop()

    async def abandon(self) -> None:
        """Bring the service to IDLE from wherever it is."""
        state = (await self.state()).state
        if state not in (DataState.IDLE, DataState.HALTED):
            try:
                await self._service.abort()
            except ReplyError as error:
                if error.error != Error.ILLEGAL_STATE:  # it halted meanwhile
                    raise
            state = (await self.state()).state
        if state == DataState.HALTED:  # ndmjob aborts only what is active; the end of its session does the rest
            await self.stop()
