"""All rows of the benchmark: ``python -m tests.bench [--quick] [--rows NAME...]``.

The whole form writes docs/benchmarks.md; the quick one, or one of some rows, prints and judges nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.pairing import Result, Setting, take_rounds
from tests.bench.programs import built
from tests.bench.report import page_with, report
from tests.bench.rows import ROWS

_PAGE: Final = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_MEMORY: Final = Path("/dev/shm")


@contextmanager
def _setting(*, quick: bool) -> Iterator[Setting]:
    on_memory = _MEMORY if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=on_memory) as memory,
        tempfile.TemporaryDirectory(prefix="bench-") as disk,
    ):
        programs = Path(disk) / "programs"
        programs.mkdir()
        yield Setting(Path(memory), Path(disk), built(programs), quick=quick)


def _measured(names: Sequence[str], *, quick: bool) -> Iterator[Result]:
    with _setting(quick=quick) as setting:
        for name in names:
            sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {name}\n")
            with (
                tempfile.TemporaryDirectory(dir=setting.memory) as memory,
                tempfile.TemporaryDirectory(dir=setting.disk) as disk,
            ):
                yield take_rounds(ROWS[name], setting.within(Path(memory), Path(disk)))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="small sizes and one round: does it still run?")
    arguments.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=tuple(ROWS), metavar="NAME")
    arguments.add_argument("--write", action="store_true", help="write the page also for some rows")
    chosen = arguments.parse_args()
    began, load = datetime.now(UTC), f"{os.getloadavg()[0]:.1f}"
    found = report(list(_measured(chosen.rows, quick=chosen.quick)), began=began, load=load, judged=not chosen.quick)
    sys.stdout.write(f"{found}\n")
    if chosen.write or (not chosen.quick and tuple(chosen.rows) == tuple(ROWS)):
        page_with(_PAGE, found)


if __name__ == "__main__":
    main()
