"""The name socket of a stream: the one library that may attach, and what it and the manager say."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.local_sockets import listen, peer_uid
from duplicator.xbsa.server.folders import NAME
from duplicator.xbsa.server.orders import Place
from duplicator.xbsa.wire import LONGEST_LINE_BYTES, Attach, Fault, WireError, pack, unpack

__all__ = ["LibraryLink"]

_log: Final = logging.getLogger(__name__)
_HELLO: Final = 10.0
"""Seconds for the first line of a connection."""
_LISTEN: Final = 5.0
"""Seconds for the library to take what it is told."""


class LibraryLink:
    """Listens from its making; the token lets in one library, and is used up then."""

    def __init__(self, place: Place, token: str) -> None:
        self._place = place
        self._token: str | None = token
        self._listener = listen(Path(place.folder) / NAME)
        self._server: asyncio.Server | None = None
        self._attached = asyncio.Event()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Take connections from now on."""
        self._server = await asyncio.start_unix_server(self._audit, sock=self._listener, limit=LONGEST_LINE_BYTES)

    async def attached(self, seconds: float) -> bool:
        """Whether the library is here, in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._attached.wait()
        return self._attached.is_set()

    async def _audit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = await self._refusal(reader, writer)
        if fault is None:
            self._token, self._reader, self._writer = None, reader, writer
            self._attached.set()
            return
        _log.warning("refused at the name socket: %s", fault.text)
        with suppress(OSError):
            writer.write(pack(fault))
        writer.close()

    async def _refusal(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Fault | None:
        stream: socket.socket = writer.get_extra_info("socket")
        if (uid := peer_uid(stream)) not in (self._place.uid, 0):
            return Fault(ReturnCode.AUTHENTICATION_FAILURE, 0, f"the stream is not one of user {uid}")
        try:
            async with asyncio.timeout(_HELLO):
                hello: Attach = unpack(await reader.readline(), Attach)
        except (WireError, ValueError, OSError) as error:
            return Fault(ReturnCode.AUTHENTICATION_FAILURE, 0, f"no Attach came: {error}")
        if self._token is None or not hmac.compare_digest(hello.token, self._token):
            return Fault(ReturnCode.AUTHENTICATION_FAILURE, 0, "the token is wrong or was used before")
        return None

    async def hear(self, *expected: type[Any]) -> Any:  # noqa: ANN401  (one of ``expected``)
        """The library's next message; None when it is gone. WireError."""
        assert self._reader is not None
        try:
            line = await self._reader.readline()
        except (OSError, ValueError) as error:
            raise WireError(str(error)) from error
        return unpack(line, *expected) if line.endswith(b"\n") else None

    async def tell(self, message: object) -> None:
        """Say something; lost if nobody listens."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.write(pack(message))
                async with asyncio.timeout(_LISTEN):
                    await self._writer.drain()

    def close(self) -> None:
        """Hang up, and let nobody in."""
        if self._writer is not None:
            self._writer.close()
        if self._server is not None:
            self._server.close()
        self._listener.close()
