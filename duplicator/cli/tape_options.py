"""What the commands of `ndmpdup tape` share: options, and how they fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.terminal import complain
from duplicator.status import ExitCode

if TYPE_CHECKING:
    from scsi.tape import TapeDrive

__all__ = ["At", "Overwrite", "ability", "fail"]

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="OBJECT|end",
        help="Go there first: to a block or filemark by its number from the beginning of the tape, or to the end of "
        "data. Default: where the tape stands (a virtual one always at its beginning).",
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write even if data are lost that lie here or behind.")]


def ability(drive: TapeDrive, name: str) -> Callable[[], None]:
    """What not every way to a drive can do."""
    found: Callable[[], None] | None = getattr(drive, name, None)
    if found is None:
        raise UsageProblem(f"the kernel's tape driver has no {name}: use the drive's sg: device")
    return found


def fail(text: str) -> NoReturn:
    """Say what was not done, and end."""
    complain(f"ndmpdup: {text}")
    raise typer.Exit(ExitCode.FAILED)
