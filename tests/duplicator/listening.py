"""A data connection that listens, and ways to reach it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from duplicator.dataconn import DataConnection
from duplicator.network import NetworkSettings
from ndmp.types import TcpAddress
from tests.duplicator.datapath import DEADLINE, PROMPT

__all__ = ["Listener", "dial", "woken_by_stop"]


class Listener(DataConnection):
    """A data connection that accepts in a thread, and what came of it."""

    def __init__(self, settings: NetworkSettings, host: str = "127.0.0.1") -> None:
        super().__init__(settings)
        self.outcome: TcpAddress | BaseException | None = None
        self._thread = threading.Thread(target=self._accept)
        self.addresses = self.listen(host)

    def _accept(self) -> None:
        try:
            self.outcome = self.accept()
        except BaseException as error:  # noqa: BLE001  (the test looks at it)
            self.outcome = error

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def done(self) -> TcpAddress | BaseException | None:
        """Wait until somebody was accepted, or nobody."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        return self.outcome

    def __exit__(self, *raised: object) -> None:
        self.stop()
        self.done()
        self.close()


def dial(address: TcpAddress, source: str = "127.0.0.1") -> socket.socket:
    """Connect from one of the addresses of this machine."""
    return socket.create_connection((address.host, address.port), timeout=DEADLINE, source_address=(source, 0))


def woken_by_stop(near: DataConnection, call: Callable[[], object]) -> type[BaseException]:
    """How ``call``, again and again in a thread, ends when the connection is stopped; it must be soon."""
    endings = list[type[BaseException]]()

    def wait() -> None:
        try:
            while True:
                call()
        except BaseException as error:  # noqa: BLE001  (the test looks at it)
            endings.append(type(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    near.stop()
    waiting.join(PROMPT)
    assert not waiting.is_alive()
    return endings[0]
