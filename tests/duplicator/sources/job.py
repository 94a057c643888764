"""One job in a process of its own, in a namespace say: ``python -m tests.duplicator.sources.job WORDS``, as JSON.

It writes status, step, reason, copy and what was told, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from duplicator.catalog import Catalog, JobKind
from duplicator.credentials import read_password_file
from duplicator.engine import Means, run_copy
from duplicator.plan import CopyRequest, Place, SourceSpec, TapeCopy, TapeFile, Tree
from duplicator.recorder import Recorder
from duplicator.routes import choose
from duplicator.supply import TapeInDrive
from duplicator.urls import NdmpUrl
from tests.duplicator.robots import DEADLINES, Told

__all__ = ["main"]


def place(words: dict[str, str], name: str) -> Place:
    """The place ``name`` and the password in ``name_password``, a file."""
    return Place(NdmpUrl.parse(words[name]), read_password_file(Path(words[f"{name}_password"])))


def spec(words: dict[str, str]) -> SourceSpec:
    """What the words name."""
    source = place(words, "source")
    if "copy" in words:
        return TapeCopy(words["copy"], source)
    return TapeFile(source, int(words["file"])) if "file" in words else Tree(source, words["tree"])


def main(words: dict[str, Any]) -> dict[str, Any]:
    """Run it."""
    target, told = place(words, "target"), Told()

    @asynccontextmanager
    async def gather(recorder: Recorder) -> AsyncIterator[Means]:
        source = await choose(spec(words), "", target, recorder, catalog=catalog, deadlines=DEADLINES)
        yield Means(CopyRequest("", target, target, deadlines=DEADLINES), source, TapeInDrive())

    with Catalog(words["catalog"]) as catalog:
        number = catalog.start_job(JobKind.DUPLICATE, image="", source="", target=str(target.url))
        result = asyncio.run(run_copy(number, "", gather, catalog, told))
    return {
        "status": int(result.status),
        "step": result.step,
        "reason": result.reason,
        "copy": result.copy_id,
        "validated": result.validated,
        "size": result.size,
        "told": [f"{step}: {text}" for step, text in told.steps],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
