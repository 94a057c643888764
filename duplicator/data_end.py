"""What a mover and a data path have in common: a data connection, and the thread that uses it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence

from duplicator.dataconn import DataConnection
from duplicator.network import NetworkSettings
from duplicator.stop_signal import Stopped
from ndmp.enums import Error
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress

__all__ = ["SocketEnd"]


class SocketEnd(ABC):
    """Implements :class:`ndmp.backends.DataEnd`; a subclass has the work of the thread, and closes the connection."""

    def __init__(self, name: str, local_host: str, settings: NetworkSettings) -> None:
        self._local_host = local_host
        self._peer = DataConnection(settings)
        self._listens = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def listen(self) -> Sequence[TcpAddress]:
        """See DataEnd."""
        addresses = self._peer.listen(self._local_host)
        self._listens = True
        self._thread.start()
        return addresses

    def listen_local(self) -> bytes:
        """See DataEnd."""
        name = self._peer.listen_local()
        self._listens = True
        self._thread.start()
        return name

    def has_arrived(self) -> bool:
        """See DataEnd."""
        return self._listens and self._peer.has_arrived()

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        """See DataEnd."""
        try:
            address = self._peer.connect(addresses)
        except Stopped:
            raise ReplyError(Error.CONNECT, "told to stop while connecting") from None
        self._thread.start()
        return address

    def connect_local(self, name: bytes) -> None:
        """See DataEnd."""
        try:
            self._peer.connect_local(name)
        except Stopped:
            raise ReplyError(Error.CONNECT, "told to stop while connecting") from None
        self._thread.start()

    def stop(self) -> None:
        """See DataEnd."""
        self._peer.stop()
        self._on_stop()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """The thread's work."""

    @abstractmethod
    def _on_stop(self) -> None:
        """Wake the thread from waits that are not the connection's."""
