"""Where the mover and the data service of one session meet: LOCAL addresses (draft 2.12)."""

from __future__ import annotations

from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["Meeting"]


class Meeting:
    """The one LOCAL connection that a session may be about to make. Neither service knows the other."""

    def __init__(self) -> None:
        self._waiting: tuple[str, bytes] | None = None

    def wait(self, who: str, name: bytes) -> None:
        """Service ``who`` listens by this name."""
        self._waiting = who, name

    def take(self, who: str) -> bytes:
        """The name by which the other one listens, for ``who`` to connect to; CONNECT if it does not."""
        if self._waiting is None or self._waiting[0] == who:
            raise ReplyError(Error.CONNECT, "the other service of this session does not listen locally")
        return self._waiting[1]

    def leave(self, who: str) -> None:
        """Service ``who`` listens no more."""
        if self._waiting is not None and self._waiting[0] == who:
            self._waiting = None
