"""Amanda's ndmjob as the application (DMA) that commands hosts."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from tests.peers.namespace import Namespace
from tests.peers.requirements import require_peer

__all__ = ["Agent", "Application", "Report", "Word"]


@dataclass(frozen=True)
class Agent:
    """A host as ndmjob is told of it; ``login`` is ``t`` for text or ``m`` for MD5."""

    port: int
    user: str = "ndmp"
    password: str = "ndmp"
    login: str = "m"
    address: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.address}:{self.port}/4{self.login},{self.user},{self.password}"


Word: TypeAlias = str | Path | Agent


@dataclass(frozen=True)
class Report:
    """What ndmjob said; its exit code is 0 even for what it calls a failure."""

    text: str

    @property
    def complete(self) -> bool:
        """It did all it was told to, without a problem."""
        return '"Operation complete"' in self.text

    @property
    def ended_okay(self) -> bool:
        """A backup or restore came to its end on both sides."""
        return self.complete and '"Operation ended OKAY"' in self.text

    @property
    def kilobytes_moved(self) -> int:
        """What the mover said at last."""
        return int(re.findall(r"MOVER: (?:read|written) (\d+)KB", self.text)[-1])


@dataclass(frozen=True)
class Application:
    """ndmjob, its commands and files in one folder."""

    namespace: Namespace
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables it has besides ours."""

    def command(self, *options: Word) -> list[str]:
        """The words that run it."""
        return [require_peer("ndmjob"), "-v", "-d3", "-o", "no-time-stamps", *map(str, options)]

    def run(self, *options: Word, timeout: float = 60.0) -> Report:
        """Run it to its end."""
        done = self.namespace.run(
            self.command(*options), check=False, timeout=timeout, cwd=self.folder, env=self._variables
        )
        return Report(done.stdout + done.stderr)

    def start(self, *options: Word) -> subprocess.Popen[bytes]:
        """Start it; what it says is read from its standard output."""
        return self.namespace.popen(
            self.command(*options), stdout=subprocess.PIPE, cwd=self.folder, env=self._variables
        )

    @property
    def _variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def label(self, tape: Sequence[Word], *media: str) -> None:
        """Write the labels of some media; the tape options name host, device and perhaps the robot."""
        report = self.run("-o", "init-labels", *tape, *(word for each in media for word in ("-m", each)))
        assert report.complete, report.text
