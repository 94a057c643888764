"""How the command line writes: text to people, one JSON document to programs."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "complain",
    "is_watched",
    "plain",
    "print_json",
    "print_table",
    "rate_text",
    "say",
    "size_text",
    "stderr_console",
    "time_text",
]

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB")
_PIPE_COLUMNS: Final = 100_000
"""Width of a line that goes into a pipe or a file: never wrapped."""


def is_watched() -> bool:
    """Whether standard error is a terminal, where people look on."""
    return sys.stderr.isatty()


@functools.cache
def stderr_console() -> Console:
    """That terminal: logs, progress and complaints."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def complain(line: str) -> None:
    """A line on standard error, above a progress bar if there is one."""
    if is_watched():
        stderr_console().print(line)
    else:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def say(line: str = "") -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def plain(text: str) -> str:
    """``text`` with what cannot be printed escaped: strangers choose names, and terminals obey control characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_json(document: Any) -> None:  # noqa: ANN401
    """The one JSON document of a command, in ASCII."""
    say(json.dumps(document, indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table in aligned columns, those of ``right`` flush right; whole lines where it is not a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        say(line.rstrip())


def size_text(size: int) -> str:
    """Bytes as people read them, in powers of 1000."""
    if size < 1000:
        return f"{size} B"
    # 999.95 and more would be shown as 1000.0.
    power = next((n for n in range(1, len(_UNITS)) if size / 1000**n < 999.95), len(_UNITS))
    return f"{size / 1000**power:.1f} {_UNITS[power - 1]}"


def rate_text(size: int, seconds: float) -> str:
    """Throughput in MB/s; a dash where there is nothing to divide."""
    return f"{size / seconds / 1e6:.1f} MB/s" if size and seconds > 0 else "-"


def time_text(time: datetime | None) -> str:
    """A time of this machine's zone, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else "-"
