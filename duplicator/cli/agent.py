"""`ndmpdup agent`: runs the read side of jobs for another process."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.endings import UsageProblem

if TYPE_CHECKING:
    from duplicator.config import Config

__all__ = ["agent"]


def agent(
    *,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, with this agent's own credentials.")
    ] = None,
) -> None:
    """Run the read side of jobs for another ndmpdup, which starts this command.

    It speaks on standard input and output (docs/agents.md), logs to standard error, and ends when standard input does;
    what it had open is closed first. Hosts and credentials are those of its own configuration: name it as the 'command'
    of an agent there.

    \b
    Example, in ndmpdup.toml of the machine that runs the jobs:
      [agents.control2]
      hosts = ["appliance"]
      command = ["ssh", "control2", "ndmpdup", "agent"]
    """
    from duplicator.cli.running import run
    from duplicator.config import load

    if not (_is_pipe(0) and _is_pipe(1)):
        raise UsageProblem("an agent is started by another ndmpdup: name this command in its ndmpdup.toml")
    run(_serve(load(config), _take_standard_output()))


def _is_pipe(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _take_standard_output() -> int:
    """Nothing else is to write there: what does goes to standard error from now on."""
    sys.stdout.flush()
    protocol = os.dup(1)
    os.dup2(2, 1)
    return protocol


async def _serve(config: Config, output: int) -> None:
    import asyncio
    import logging

    from duplicator.agents.served import serve
    from duplicator.agents.wire import LONGEST_LINE_BYTES

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    flow = asyncio.streams.FlowControlMixin()
    transport, _ = await loop.connect_write_pipe(lambda: flow, os.fdopen(output, "wb", buffering=0))
    writer = asyncio.StreamWriter(transport, flow, None, loop)
    try:
        how = await serve(config, reader, writer)
    finally:
        transport.close()
    logging.getLogger(__name__).info("the agent ends: %s", how)
