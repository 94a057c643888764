"""Ways to an agent: how it is started, and what it is spoken to over."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from duplicator.plan import Step

__all__ = ["AgentStart", "Line", "Outlet"]


class Outlet(Protocol):
    """Where bytes are written to, as to an asyncio.StreamWriter."""

    def write(self, data: bytes) -> None:
        """Take them."""
        ...

    async def drain(self) -> None:
        """Wait until most are gone; OSError when nobody takes them any more."""
        ...


class Line(Protocol):
    """A connection to an agent."""

    is_lost: bool
    """The agent does not answer any more: it gets no time to end."""

    @property
    def reader(self) -> asyncio.StreamReader:
        """What it says."""
        ...

    @property
    def writer(self) -> Outlet:
        """What is said to it."""
        ...

    async def how_it_ended(self) -> str:
        """The agent's end and its last words, for behind a sentence; empty when nothing is known."""
        ...


class AgentStart(Protocol):
    """Starts an agent."""

    @property
    def name(self) -> str:
        """As the configuration calls it."""
        ...

    @property
    def hello(self) -> float:
        """Seconds for its first answer."""
        ...

    @property
    def silence(self) -> float:
        """Seconds between its signs of life, at most."""
        ...

    def line(self, step: Step) -> AbstractAsyncContextManager[Line]:
        """An agent for the duration of the block, which is left to end then, and at last made to; JobError."""
        ...
