"""Runs an NDMP host in this process until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from duplicator.accounts import Users, UsersFile
from duplicator.cli.terminal import complain, plain, say
from duplicator.credentials import CredentialError
from duplicator.host import Offers, open_host
from duplicator.network import NetworkSettings
from duplicator.promptness import prompt
from duplicator.status import ExitCode
from duplicator.tls import ServerTls
from duplicator.urls import HostPort
from ndmp.aio.limits import Limits
from ndmp.aio.server import HostServer
from ndmp.backends import Host
from ndmp.enums import AuthType
from ndmp.services.profile import NDMJOB, STRICT
from scsi.virtual.image import cartridge_files
from scsi.virtual.library_url import LIBRARY_SCHEME, parse_library_url
from scsi.virtual.url import SCHEME as VIRTUAL_SCHEME
from scsi.virtual.url import parse_url

__all__ = ["Hosting", "host_until_told"]

_log: Final = logging.getLogger(__name__)
_STOP_DEADLINE: Final = 15.0
"""Seconds for the sessions to let go of their devices."""
_PROFILES: Final = {profile.name: profile for profile in (STRICT, NDMJOB)}


@dataclass(frozen=True, slots=True)
class Hosting:
    """What to serve, where and to whom."""

    listen: HostPort
    users: Users
    offers: Offers
    tls: ServerTls | None = None
    logins: tuple[AuthType, ...] = STRICT.auth_types
    network: NetworkSettings = field(default_factory=NetworkSettings)
    limits: Limits = field(default_factory=Limits)
    profile: str = STRICT.name
    port_file: Path | None = None


def host_until_told(hosting: Hosting) -> None:
    """Serve until SIGINT or SIGTERM; when it cannot begin, CredentialError, OSError, or what open_host raises."""
    tls = hosting.tls.context() if hosting.tls else None
    made = [plain(line) for line in _missing(hosting.offers)]
    with open_host(hosting.offers, hosting.network) as host, prompt():
        asyncio.run(_host(hosting, host, tls, made))


def _missing(offers: Offers) -> Iterator[str]:
    """What has yet to be made: a cartridge or library made by mistake of a name should not go unseen."""
    for name, url in offers.tapes.items():
        if not url.startswith(VIRTUAL_SCHEME):
            continue
        cartridge = parse_url(url).path
        if not cartridge_files(cartridge)[1].exists():
            yield f"made a new blank cartridge for {name}: {cartridge}"
    for name, url in offers.changers.items():
        if not url.startswith(LIBRARY_SCHEME):
            continue
        library = parse_library_url(url).path
        if not library.exists():
            yield f"made a new library for {name}: {library}"


async def _host(hosting: Hosting, host: Host, tls: ssl.SSLContext | None, made: Sequence[str]) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    if tls or isinstance(hosting.users, UsersFile):
        loop.add_signal_handler(signal.SIGHUP, _read_again, hosting, tls)
    profile = replace(_PROFILES[hosting.profile], auth_types=hosting.logins)
    server = HostServer(host, hosting.users.secret, profile=profile, limits=hosting.limits)
    address = await _start(server, hosting.listen, tls)
    try:
        if hosting.port_file:
            _publish(f"{address}\n", hosting.port_file)
        say(f"listening on {address}{' with TLS' if tls else ''}; {_offer(hosting)}")
        if not tls and not hosting.listen.is_loopback:
            complain("ndmpdup: warning: others can reach this host, and nothing is encrypted: see --tls-cert")
        for line in made:
            say(line)
        await told.wait()
    finally:
        if hosting.port_file:
            hosting.port_file.unlink(missing_ok=True)
        await _stop(server)


def _read_again(hosting: Hosting, tls: ssl.SSLContext | None) -> None:
    """Take up changed users and a renewed certificate; sessions that run go on as they are."""
    try:
        if isinstance(hosting.users, UsersFile):
            hosting.users.reload()
        if hosting.tls and tls:
            hosting.tls.renew(tls)
    except CredentialError as error:
        complain(f"ndmpdup: not read again, what was read before still holds: {plain(str(error))}")
    else:
        _log.info("users and certificate are read again")


async def _start(server: HostServer, listen: HostPort, tls: ssl.SSLContext | None) -> HostPort:
    try:
        return HostPort(*await server.start(listen.host, listen.port, ssl=tls))
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
    trees = [str(tree) for tree in hosting.offers.trees]
    found = hosting.offers
    offers = ("units", found.units), ("tapes", found.tapes), ("changers", found.changers), ("trees", trees)
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
