"""A job of the engine, within a namespace."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from tests.duplicator.processes import DEADLINE, Site
from tests.peers import Namespace

__all__ = ["run_job"]

_TOP: Final = Path(__file__).parents[2]


def run_job(namespace: Namespace, site: Site, **words: str) -> dict[str, Any]:
    """Run it to its end, see :mod:`tests.duplicator.sources.job`; gives what it tells."""
    command = [sys.executable, "-m", "tests.duplicator.sources.job", json.dumps({"catalog": site.catalog, **words})]
    ended = namespace.run(command, cwd=_TOP, timeout=2 * DEADLINE, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))
