"""What grows with what, in tables and curves: ``python -m tests.bench.growth [--quick] [--curves NAME...]``.

The whole form writes the curves' sections of docs/benchmarks/growth.md, and a plot of each; the quick one only prints.
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


def _section(name: str, points: Sequence[Point], when: str) -> str:
    growth = GROWTHS[name]
    heading = f"## {growth.title}"
    return "\n".join([heading, "", when, "", *_table(growth, points), "", f"![{growth.title}]({name}.svg)"])


def _measured(growth: Growth, *, quick: bool, images: int) -> list[Point]:
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        return list(growth.points(Scale(Path(folder), quick, images)))


def _write(name: str, points: Sequence[Point], section: str) -> None:
    """The plot, and the section in the page; those of other curves stay as they are."""
    from tests.bench.plots import draw

    draw(GROWTHS[name], points, _FOLDER / f"{name}.svg")
    page = _FOLDER / "growth.md"
    written = page.read_text().rstrip().split("\n\n## ")[1:] if page.exists() else []
    sections = {each.partition("\n")[0]: f"## {each}" for each in written} | {GROWTHS[name].title: section}
    ordered = (sections[growth.title] for growth in GROWTHS.values() if growth.title in sections)
    page.write_text("\n\n".join([_NOTE, "# What grows with what", *ordered]) + "\n")


def main() -> None:
    """Measure, print and write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="two small points of each curve, and nothing written")
    arguments.add_argument("--curves", nargs="+", choices=tuple(GROWTHS), default=tuple(GROWTHS), metavar="NAME")
    arguments.add_argument("--images", type=int, help="how many small images are copied")
    chosen = arguments.parse_args()
    images = chosen.images or (_QUICK_IMAGES if chosen.quick else _IMAGES)
    for name in chosen.curves:
        began, load = datetime.now(UTC), os.getloadavg()[0]
        sys.stderr.write(f"{began:%H:%M:%S} {name}\n")
        points = _measured(GROWTHS[name], quick=chosen.quick, images=images)
        section = _section(name, points, _when(began, load))
        sys.stdout.write(f"{section}\n\n")
        sys.stdout.flush()
        if not chosen.quick:
            _write(name, points, section)


def _when(began: datetime, load: float) -> str:
    minutes = f"{(datetime.now(UTC) - began).total_seconds() / 60:.0f} minutes"
    return f"Measured {began:%Y-%m-%d %H:%M} UTC in {minutes}, load average at the start {load:.1f}: {machine()}."


if __name__ == "__main__":
    main()
