"""Runs an NDMP host in this process until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from duplicator.cli.terminal import complain, plain, say
from duplicator.credentials import Secret
from duplicator.host import open_host
from duplicator.status import ExitCode
from duplicator.urls import HostPort
from ndmp.aio.server import HostServer
from ndmp.backends import Host
from ndmp.services.connect import Accounts
from ndmp.services.profile import NDMJOB, STRICT
from scsi.virtual.image import cartridge_files
from scsi.virtual.url import parse_url

__all__ = ["Hosting", "host_until_told"]

_STOP_DEADLINE: Final = 15.0
"""Seconds for the sessions to let go of their devices."""
_PROFILES: Final = {profile.name: profile for profile in (STRICT, NDMJOB)}


@dataclass(frozen=True, slots=True)
class Hosting:
    """What to serve, where and to whom."""

    listen: HostPort
    user: str
    secret: Secret
    units: Mapping[str, Path]
    tapes: Mapping[str, str]
    profile: str = STRICT.name
    port_file: Path | None = None


def host_until_told(hosting: Hosting) -> None:
    """Serve until SIGINT or SIGTERM; OSError, UnitError or ScsiError when it cannot begin."""
    missing = _missing_cartridges(hosting.tapes)
    with open_host(hosting.units, hosting.tapes) as host:
        made = [f"made a new blank cartridge for {plain(name)}: {plain(str(path))}" for name, path in missing.items()]
        asyncio.run(_host(hosting, host, made))


def _missing_cartridges(tapes: Mapping[str, str]) -> dict[str, Path]:
    """The tapes whose cartridge has yet to be made: one by mistake of a name should not go unseen."""
    paths = {name: parse_url(url).path for name, url in tapes.items()}
    return {name: path for name, path in paths.items() if not cartridge_files(path)[1].exists()}


def _accounts(hosting: Hosting) -> Accounts:
    secret = hosting.secret.reveal().encode()
    return lambda user: secret if user == hosting.user else None


async def _host(hosting: Hosting, host: Host, made: Sequence[str]) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    server = HostServer(host, _accounts(hosting), profile=_PROFILES[hosting.profile])
    address = await _start(server, hosting.listen)
    try:
        if hosting.port_file:
            _publish(f"{address}\n", hosting.port_file)
        say(f"listening on {address}; {_offer(hosting)}")
        for line in made:
            say(line)
        await told.wait()
    finally:
        if hosting.port_file:
            hosting.port_file.unlink(missing_ok=True)
        await _stop(server)


async def _start(server: HostServer, listen: HostPort) -> HostPort:
    try:
        return HostPort(*await server.start(listen.host, listen.port))
    except OSError as error:
        # asyncio wraps the reason of a failed bind in words of its own.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise OSError(
            f"cannot listen on {listen}: {reason}; choose another address, or port 0 for a free one"
        ) from error


async def _stop(server: HostServer) -> None:
    try:
        await asyncio.wait_for(server.stop(), _STOP_DEADLINE)
    except TimeoutError:
        # A thread that hangs in a device would keep the interpreter from ending. What was committed is on the disk.
        complain(f"ndmpdup: a session does not end within {_STOP_DEADLINE:g} s; leaving without it")
        os._exit(ExitCode.FAILED)


def _offer(hosting: Hosting) -> str:
    offers = ("units", hosting.units), ("tapes", hosting.tapes)
    return "; ".join(f"{what}: {plain(', '.join(names))}" for what, names in offers if names)


def _publish(text: str, target: Path) -> None:
    """Give ``target`` its whole content in one step."""
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        os.replace(draft, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise
