"""The dispatch table's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ndmp.wire import Reply, Request

__all__ = ["Route", "Routes"]


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers a request, and under which conditions it is let through."""

    handler: Callable[[Any], Reply | None]
    """Raises ReplyError to refuse; None sends no reply."""
    before_login: bool = False
    blocking: bool = False
    """The handler may wait for a device or a peer: it belongs in a worker thread."""


Routes: TypeAlias = Mapping[type[Request[Any]], Route]
