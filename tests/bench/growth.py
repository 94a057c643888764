"""What grows with what, in tables and curves: ``python -m tests.bench.growth [--quick] [--curves NAME...]``.

The whole form writes docs/benchmarks/growth.md and a plot of each curve; the quick one prints, and shows that it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.growing import Growth, Point, Scale
from tests.bench.growth_history import HISTORY_GROWTHS
from tests.bench.growth_jobs import JOB_GROWTHS
from tests.bench.report import machine

__all__ = ["GROWTHS", "main"]

GROWTHS: Final[Mapping[str, Growth]] = {**JOB_GROWTHS, **HISTORY_GROWTHS}
_FOLDER: Final = Path(__file__).parents[2] / "docs" / "benchmarks"
_IMAGES: Final = 2000
_QUICK_IMAGES: Final = 20
_NOTE: Final = "<!-- Written by `python -m tests.bench.growth`. -->"


def _table(growth: Growth, points: Sequence[Point]) -> Iterator[str]:
    columns = [(name, panel.unit) for panel in growth.panels for name in panel.names]
    yield f"| {growth.along} | {' | '.join(f'{name}, {unit}' for name, unit in columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for point in points:
        yield f"| {point.x:,.0f} | {' | '.join(_figure(point.figures[name]) for name, _ in columns)} |"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _section(growth: Growth, points: Sequence[Point], plot: str) -> str:
    return "\n".join([f"## {growth.title}", "", *_table(growth, points), "", f"![{growth.title}]({plot})"])


def _measured(growth: Growth, *, quick: bool, images: int) -> list[Point]:
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        return list(growth.points(Scale(Path(folder), quick, images)))


def _write(found: Mapping[str, Sequence[Point]], head: str) -> None:
    """The page, and a plot of each curve."""
    from tests.bench.plots import draw

    for name, points in found.items():
        draw(GROWTHS[name], points, _FOLDER / f"{name}.svg")
    sections = [_section(GROWTHS[name], points, f"{name}.svg") for name, points in found.items()]
    (_FOLDER / "growth.md").write_text("\n\n".join([_NOTE, "# What grows with what", head, *sections]) + "\n")


def main() -> None:
    """Measure, print and write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="two small points of each curve, and nothing written")
    arguments.add_argument("--curves", nargs="+", choices=tuple(GROWTHS), default=tuple(GROWTHS), metavar="NAME")
    arguments.add_argument("--images", type=int, help="how many small images are copied")
    chosen = arguments.parse_args()
    began, load = datetime.now(UTC), os.getloadavg()[0]
    images = chosen.images or (_QUICK_IMAGES if chosen.quick else _IMAGES)
    found = dict[str, list[Point]]()
    for name in chosen.curves:
        sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {name}\n")
        found[name] = _measured(GROWTHS[name], quick=chosen.quick, images=images)
        sys.stdout.write(_section(GROWTHS[name], found[name], f"{name}.svg") + "\n\n")
        sys.stdout.flush()
    if not chosen.quick and tuple(chosen.curves) == tuple(GROWTHS):
        minutes = (datetime.now(UTC) - began).total_seconds() / 60
        when = f"Measured {began:%Y-%m-%d %H:%M} UTC in {minutes:.0f} minutes, load average at the start {load:.1f}"
        _write(found, f"{when}: {machine()}.")


if __name__ == "__main__":
    main()
