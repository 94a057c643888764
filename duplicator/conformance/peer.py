"""The other end of a data connection, played by the suite itself."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from duplicator.conformance.closing import close_writer
from duplicator.conformance.deviation import Deviation
from ndmp.types import TcpAddress

__all__ = ["Listener", "Peer"]

_CHUNK: Final = 256 * 1024


class Peer:
    """An open data connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deadline: float) -> None:
        self._reader, self._writer, self._deadline = reader, writer, deadline

    @classmethod
    async def connect(cls, address: TcpAddress, deadline: float, *, buffer_bytes: int = 0) -> Peer:
        """Connect to where a host listens; Deviation. ``buffer_bytes``: how little to take in unread."""
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        try:
            async with asyncio.timeout(deadline):
                await asyncio.get_running_loop().sock_connect(connection, (address.host, address.port))
                reader, writer = await asyncio.open_connection(sock=connection, limit=buffer_bytes or _CHUNK)
        except OSError as error:  # TimeoutError is one
            connection.close()
            raise Deviation(f"a data connection at {address.host} port {address.port}", str(error) or "none") from error
        return cls(reader, writer, deadline)

    @property
    def local(self) -> TcpAddress:
        """Our end."""
        return TcpAddress(*self._writer.get_extra_info("sockname"))

    async def send(self, data: bytes, *, patient: bool = True) -> None:
        """Send; ``patient``: until the host has taken nearly all of it. Deviation when it does not."""
        try:
            self._writer.write(data)
            if patient:
                async with asyncio.timeout(self._deadline):
                    await self._writer.drain()
        except OSError as error:
            raise Deviation(f"{len(data)} bytes are taken", f"the data connection fails: {error}") from error

    async def receive(self, size: int) -> bytes:
        """Exactly this many bytes; Deviation when fewer come."""
        taken = bytearray()
        expected = f"{size} bytes on the data connection"
        try:
            async with asyncio.timeout(self._deadline):
                while len(taken) < size and (chunk := await self._reader.read(min(size - len(taken), _CHUNK))):
                    taken += chunk
        except TimeoutError:
            raise Deviation(expected, f"{len(taken)} within {self._deadline:g} s") from None
        except OSError as error:
            raise Deviation(expected, f"{len(taken)}, then {error}") from error
        if len(taken) < size:
            raise Deviation(expected, f"{len(taken)}, then its end")
        return bytes(taken)

    async def receive_all(self) -> bytes:
        """Everything until the host closes; Deviation when it does not."""
        taken = bytearray()
        try:
            while True:
                async with asyncio.timeout(self._deadline):
                    chunk = await self._reader.read(_CHUNK)
                if not chunk:
                    return bytes(taken)
                taken += chunk
        except TimeoutError:
            raise Deviation("the end of the data connection", f"{len(taken)} bytes and no end") from None
        except OSError as error:
            if not taken:
                return b""
            raise Deviation("the end of the data connection", f"{len(taken)} bytes, then {error}") from error

    async def close(self) -> None:
        """Close it in order."""
        await close_writer(self._writer)


class Listener:
    """Where a host can connect to the suite."""

    def __init__(self, deadline: float, *, buffer_bytes: int = 0) -> None:
        self._deadline = deadline
        self._buffer = buffer_bytes
        self._came: asyncio.Queue[Peer] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._is_closed = False
        self.address = TcpAddress("", 0)

    async def open(self, host: str) -> TcpAddress:
        """Listen; the address in use."""
        listening = socket.create_server((host, 0))
        if self._buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        self._server = await asyncio.start_server(self._meet, sock=listening, limit=self._buffer or _CHUNK)
        self.address = TcpAddress(*listening.getsockname())
        return self.address

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_closed:
            writer.transport.abort()
            return
        self._came.put_nowait(Peer(reader, writer, self._deadline))

    async def accept(self) -> Peer:
        """The host's connection; Deviation when none comes."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._came.get()
        except TimeoutError:
            raise Deviation("a data connection from the host", f"none within {self._deadline:g} s") from None

    async def close(self) -> None:
        """Listen no more, and close what nobody took, now or in a moment."""
        self._is_closed = True
        if self._server:
            self._server.close()
        while not self._came.empty():
            await self._came.get_nowait().close()
