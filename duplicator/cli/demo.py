"""`ndmpdup demo`: the main job on this machine alone, with real content and real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    *,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where to make the demo's folder. Default: for temporary files."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder, and show how to go on by hand.")] = False,
) -> None:
    """See the main job run on this machine.

    An appliance and a tape server run as two processes; images are copied from one to the other and validated. It needs
    about 700 MB of disk for a minute, and opens ports on 127.0.0.1 only. The exit code is 0 only if every copy is
    validated, and an image that was brought back equals its source.

    \b
    Examples:
      ndmpdup demo
      ndmpdup demo --keep --dir /var/tmp
    """
    from duplicator.cli.demo_run import run_demo

    run_demo(directory, keep=keep)
