"""A data path, what it tells, and operations that do what a test says."""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import ExitStack
from typing import TypeVar

from duplicator.mover import SocketMovers
from duplicator.network import NetworkSettings
from ndmp.backends import DataEvent, DataHalted, DataStarted, FileAttributes, HistoryAdded
from ndmp.enums import DataHaltReason, FileType
from ndmp.types import TcpAddress
from tests.duplicator.datapath import DEADLINE

__all__ = ["ATTRIBUTES", "SUCCESSFUL", "PathRig"]

SUCCESSFUL = DataHalted(DataHaltReason.SUCCESSFUL)
ATTRIBUTES = FileAttributes(FileType.REG, 1234, 1_000_000_000)

E = TypeVar("E")


class PathRig:
    """One data path; see the Rig of a mover."""

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        self._events: queue.Queue[DataEvent] = queue.Queue()
        self._stack = ExitStack()
        self.path = SocketMovers(settings).data_path(self._events.put, "127.0.0.1")

    def __enter__(self) -> PathRig:
        return self

    def __exit__(self, *raised: object) -> None:
        self.path.stop()
        self._stack.close()

    def meet(self) -> socket.socket:
        """Have the path listen and connect to it; the far end of the connection."""
        address = self.path.listen()[0]
        peer = self._stack.enter_context(socket.create_connection((address.host, address.port), timeout=DEADLINE))
        self.expect(DataStarted(TcpAddress(*peer.getsockname())))
        return peer

    def called(self) -> socket.socket:
        """Listen and have the path connect; the far end of the connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(DEADLINE)
            address = TcpAddress(*listener.getsockname())
            assert self.path.connect([address]) == address
            peer = self._stack.enter_context(listener.accept()[0])
            peer.settimeout(DEADLINE)
            return peer

    def next_event(self) -> DataEvent:
        """What the path tells next."""
        return self._events.get(timeout=DEADLINE)

    def next_of(self, kind: type[E]) -> E:
        """What the path tells next, which is of this kind."""
        event = self.next_event()
        assert isinstance(event, kind), event
        return event

    def expect(self, *events: DataEvent) -> None:
        """The path tells these next."""
        for event in events:
            assert self.next_event() == event

    def expect_halt(self, reason: DataHaltReason, text: str) -> None:
        """The path ends for this reason, with this in its text, and tells nothing more."""
        halted = self.next_of(DataHalted)
        assert (halted.reason, text in halted.text) == (reason, True), halted
        self.path.stop()
        self.expect_silence()

    def skip_history(self) -> None:
        """Leave the batches aside that came so far."""
        while not self._events.empty():
            self.next_of(HistoryAdded)

    def expect_silence(self, seconds: float = 0) -> None:
        """The path has told nothing that was not asked for, and for so long goes on so."""
        threading.Event().wait(seconds)
        assert self._events.empty(), self._events.get_nowait()
