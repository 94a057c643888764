"""The command line within a namespace."""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from tests.duplicator.processes import Site, site_in
from tests.peers import Namespace

__all__ = ["site_within"]


def site_within(namespace: Namespace, folder: Path) -> AbstractContextManager[Site]:
    """A site whose processes run in ``namespace``."""

    def spawn(
        command: list[str], *, stdout: IO[bytes], stderr: int | IO[bytes], env: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        return namespace.popen(command, stdout=stdout, stderr=stderr, env=env)

    return site_in(folder, spawn)
