"""DATA service: audits, states and notifications of one data server (draft 3.5). The data path is a backend."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ndmp.backends import DataBackend, MoverFactory
from ndmp.enums import AddressType
from ndmp.services.meeting import Meeting
from ndmp.services.mover import Inject
from ndmp.services.outbox import Outbox
from ndmp.services.routes import Routes

__all__ = ["DataService"]


class DataService:
    """The data server of one session; ``read_local`` asks the session's own mover for a stretch."""

    def __init__(
        self,
        backend: DataBackend,
        factory: MoverFactory,
        outbox: Outbox,
        *,
        inject: Inject,
        local_host: str,
        meeting: Meeting,
        address_types: Collection[AddressType],
        read_local: Callable[[int, int], None],
    ) -> None:
        self.routes: Routes = {}

    def shut_down(self) -> None:
        """The session ends: stop the operation, if any."""
