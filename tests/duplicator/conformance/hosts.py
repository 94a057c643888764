"""Our host in this process, on a real socket, as the suite finds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from duplicator.conformance import CHECKS, Check, Outcome, Permissions, Report, Target, Verdict, run_suite
from duplicator.credentials import Secret
from duplicator.host import Offers, open_host
from duplicator.plan import Place
from duplicator.urls import NdmpUrl
from ndmp.aio.limits import Limits
from ndmp.aio.server import HostServer
from ndmp.backends import Host

__all__ = ["USER", "Ground", "chosen", "describe", "failed", "place", "run"]

USER = "ndmp"
SECRET = "sesame"
DEADLINE = 5.0
PROMPT = Limits(first_delay=0.0)
"""Answers to failed logins are not held back."""


def place(port: int, path: str = "") -> Place:
    return Place(NdmpUrl(USER, "127.0.0.1", port, path), Secret(SECRET))


@dataclass
class Ground:
    """Tapes, a library and a tree in a folder, and hosts that offer them."""

    folder: Path
    limits: Limits = PROMPT
    offers: Offers = field(init=False)

    def __post_init__(self) -> None:
        tree = self.folder / "tree"
        tree.mkdir()
        for number in range(24):
            (tree / f"file{number}").write_bytes(bytes([number]) * 300_000)
        self.offers = Offers(
            tapes={
                "t": f"virtual:{self.folder}/A00001?capacity=12M",
                "t2": f"virtual:{self.folder}/A00002",
            },
            changers={"robot": f"virtual-library:{self.folder}/library?drives=1&slots=2&cartridges=1"},
            trees=[tree],
            state=self.folder,
        )

    @asynccontextmanager
    async def serving(self, alter: Callable[[Host], Host] = lambda host: host) -> AsyncIterator[Target]:
        """A host, and all that the suite may do to it."""
        with open_host(self.offers) as host:
            server = HostServer(alter(host), {USER: SECRET.encode()}.get, limits=self.limits)
            _, port = await server.start("127.0.0.1", 0)
            try:
                yield Target(place(port), self.permissions(port), DEADLINE)
            finally:
                await server.stop()

    def permissions(self, port: int) -> Permissions:
        """Everything."""
        tree = str(self.folder / "tree")
        return Permissions("t", True, 12 << 20, "robot", "tar", tree, place(port, "t2"))

    async def test(self, checks: Sequence[Check] = CHECKS, alter: Callable[[Host], Host] = lambda host: host) -> Report:
        """Make checks on a host of its own."""
        async with self.serving(alter) as target:
            return await run_suite(target, checks)


def run(ground: Ground, checks: Sequence[Check] = CHECKS, alter: Callable[[Host], Host] = lambda host: host) -> Report:
    return asyncio.run(ground.test(checks, alter))


def chosen(*beginnings: str) -> list[Check]:
    """The checks whose ids begin so, each beginning with at least one."""
    for beginning in beginnings:
        assert any(check.id.startswith(beginning) for check in CHECKS), beginning
    return [check for check in CHECKS if check.id.startswith(beginnings)]


def failed(report: Report) -> dict[str, Outcome]:
    return {outcome.check.id: outcome for outcome in report.outcomes if outcome.is_deviation}


def describe(report: Report) -> list[str]:
    """What did not go as expected, to be read in a failing test."""
    wrong = (o for o in report.outcomes if o.verdict not in (Verdict.PASSED, Verdict.NOT_OFFERED))
    return [f"{o.verdict} {o.check.id}: expected {o.expected}, came {o.came}" for o in wrong]
