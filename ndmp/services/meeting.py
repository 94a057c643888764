"""Where the mover and the data service of one session meet: LOCAL addresses (draft 2.12)."""

from __future__ import annotations

from collections.abc import Callable

from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["Meeting"]


class Meeting:
    """The LOCAL connection that a session may be about to make. Neither service knows the other."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[bytes, Callable[[], None]]] = {}

    def wait(self, who: str, name: bytes, met: Callable[[], None]) -> None:
        """Service ``who`` listens by this name; ``met`` tells it that the other one is connected."""
        self._waiting[who] = name, met

    def audit(self) -> None:
        """Refuse to connect where nobody listens, before anything is made for it: CONNECT."""
        if not self._waiting:
            raise ReplyError(Error.CONNECT, "the other service of this session does not listen locally")

    def connect(self, connect: Callable[[bytes], None]) -> None:
        """Connect by the name of the one that listens; CONNECT if none does. Who connects does not listen itself.

        The listener is told before this returns: a request that relies on the connection may follow at once.
        """
        self.audit()
        listener = next(iter(self._waiting))
        name, met = self._waiting[listener]
        connect(name)
        self.leave(listener)
        met()

    def leave(self, who: str) -> None:
        """Service ``who`` listens no more."""
        self._waiting.pop(who, None)
