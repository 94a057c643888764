"""What was measured, as tables in Markdown, and in the page that has them (docs/benchmarks.md)."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.pairing import Goal, Result, spread
from tests.peers.requirements import require_peer

__all__ = ["machine", "page_with", "report"]

_BEGIN: Final = "<!-- written by python -m tests.bench: begin -->"
_END: Final = "<!-- written by python -m tests.bench: end -->"


def report(results: Sequence[Result], *, began: datetime, load: str, judged: bool) -> str:
    """The machine, the goals, and what each contestant did; ``judged``: also whether goals are reached."""
    when = f"Measured {began:%Y-%m-%d %H:%M} UTC in {_minutes(began)} minutes, load average at the start {load}"
    parts = [
        f"{when}: {machine()}.",
        "\n".join(_goals(results, judged=judged)),
        "\n".join(_contestants(results)),
    ]
    return "\n\n".join(parts)


def machine() -> str:
    """Processors, memory, and the versions that matter."""
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    compiler = subprocess.run([require_peer("cc"), "--version"], capture_output=True, text=True, check=True)
    return (
        f"{os.cpu_count()} processors, {_processor()}, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"xxhash {importlib.metadata.version('xxhash')}, {compiler.stdout.splitlines()[0]}"
    )


def page_with(page: Path, generated: str) -> None:
    """Put it between the marks of a page; what is outside them is written by hand."""
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n\n{generated}\n\n{_END}{after}")


def _minutes(began: datetime) -> str:
    return f"{(datetime.now(UTC) - began).total_seconds() / 60:.0f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _goals(results: Sequence[Result], *, judged: bool) -> Iterator[str]:
    yield "| row | figure | against | target | stretch | median (least-most) | rounds | |"
    yield "|---|---|---|---|---|---|---|---|"
    for result in results:
        for goal in result.row.goals:
            yield _goal(result, goal, judged=judged)


def _goal(result: Result, goal: Goal, *, judged: bool) -> str:
    median, least, most = spread(result.ratios(goal))
    word = "at most " if goal.at_most else ""
    stretch = "" if goal.stretch is None else f"{goal.stretch:g}"
    verdict = _verdict(goal, median) if judged else ""
    figure = f"{goal.name}: {goal.ours}"
    return (
        f"| {result.row.name} | {figure} | {goal.against} | {word}{goal.target:g} | {stretch} "
        f"| **{median:.3g}** ({least:.3g}-{most:.3g}) | {len(result.rounds)} | {verdict} |"
    )


def _verdict(goal: Goal, median: float) -> str:
    if not goal.reached(median, goal.target):
        return "not reached"
    return "stretch reached" if goal.stretch is not None and goal.reached(median, goal.stretch) else "reached"


def _contestants(results: Sequence[Result]) -> Iterator[str]:
    yield "| row | contestant | MB/s: median (least-most) | seconds | CPU seconds a GiB |"
    yield "|---|---|---|---|---|"
    for result in results:
        for name in result.rounds[0]:
            cells = (result.row.name, name, _rates(result, name), _times(result, name), _cpu(result, name))
            yield f"| {' | '.join(cells)} |"


def _rates(result: Result, name: str) -> str:
    found = [measure.bytes / measure.seconds / 1e6 for measure in result.of(name)]
    return "{:,.0f} ({:,.0f}-{:,.0f})".format(*spread(found)) if any(found) else ""


def _times(result: Result, name: str) -> str:
    return "{:.3g} ({:.3g}-{:.3g})".format(*spread([measure.seconds for measure in result.of(name)]))


def _cpu(result: Result, name: str) -> str:
    return ", ".join(f"{process} {value:.2f}" for process, value in result.cpu_per_gib(name).items())
