"""The data socket of a stream: lets in who has the token, once."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from duplicator.own_thread import in_own_thread
from duplicator.xbsa.local_sockets import Deadline, LineError, listen, peer_uid, read_line
from duplicator.xbsa.server.folders import DATA, acting_as
from duplicator.xbsa.server.orders import Place
from duplicator.xbsa.wire import DataHello, WireError, unpack

__all__ = ["DataDoor", "NobodyCame"]

_log: Final = logging.getLogger(__name__)
_HELLO: Final = 5.0
"""Seconds for the first line of a connection."""


class NobodyCame(Exception):  # noqa: N818  (what happened)
    """No application connected to the data socket in time."""


class DataDoor:
    """Listens from the beginning, so that an early application finds it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        with acting_as(place.owner):
            self._listener = listen(Path(place.folder) / DATA)
        self._listener.setblocking(False)

    async def admit(self, token: str) -> tuple[socket.socket, DataHello]:
        """The connection of who has the token; NobodyCame."""
        try:
            async with asyncio.timeout(self._place.start):
                while True:
                    stream, _ = await asyncio.get_running_loop().sock_accept(self._listener)
                    if hello := await self._audit(stream, token):
                        return stream, hello
                    stream.close()
        except TimeoutError as error:
            raise NobodyCame(f"no application took its data within {self._place.start:g} s") from error

    async def _audit(self, stream: socket.socket, token: str) -> DataHello | None:
        uid = peer_uid(stream)
        if uid not in (self._place.uid, 0):
            _log.warning("user %d is refused at the data socket", uid)
            return None
        with suppress(LineError, WireError, OSError):
            line, files = await in_own_thread(lambda: read_line(stream, deadline=Deadline(_HELLO)), "hello")
            for each in files:
                os.close(each)
            hello: DataHello = unpack(line, DataHello)
            if hmac.compare_digest(hello.token, token):
                return hello
            _log.warning("a wrong token is refused at the data socket")
        return None

    def close(self) -> None:
        """Nobody else is let in."""
        self._listener.close()
