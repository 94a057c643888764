"""`ndmpdup xbsa serve`: the request daemon that applications back up to and restore from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import CatalogUrl, ConfigFile

if TYPE_CHECKING:
    from duplicator.config import Config
    from duplicator.xbsa.server.daemon import DaemonSettings

__all__ = ["serve"]

Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where users get their sockets; usual: 'folder' of [xbsa], or in the runtime folder."
    ),
]
Unit = Annotated[
    str | None, typer.Option(metavar="UNIT", help="The disk unit that takes backups; usual: 'unit' of [xbsa].")
]
Users = Annotated[
    list[str] | None,
    typer.Option(
        "--user", metavar="USER", help="Serve this user; may be given again. Usual: 'users' of [xbsa], or you."
    ),
]


def serve(
    *,
    folder: Folder = None,
    unit: Unit = None,
    user: Users = None,
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
) -> None:
    """Take backups of applications, and bring them back, by XBSA (docs/xbsa.md).

    It runs until Ctrl-C or SIGTERM; streams that run then end with an error for their applications, and nothing of
    them stays. Each user has a folder with sockets that nobody else can reach. Serving several users needs root.

    \b
    Example, after [storage.disk.unit1] was written into ndmpdup.toml:
      ndmpdup xbsa serve --unit unit1
      echo hello | ndmpdup xbsa put /greeting -
      ndmpdup xbsa get /greeting
    """
    from duplicator.config import load
    from duplicator.config_file import find_file

    file = find_file(config)
    read = load(file)
    _serve(_settings(read, file, folder=folder, unit=unit, users=user, catalog=catalog), read)


def _settings(
    config: Config,
    file: Path | None,
    *,
    folder: Path | None,
    unit: str | None,
    users: list[str] | None,
    catalog: str | None,
) -> DaemonSettings:
    from duplicator.xbsa.server.daemon import DaemonSettings
    from duplicator.xbsa.server.folders import default_folder

    chosen = unit or config.xbsa.unit
    if chosen is not None and chosen not in config.storage.disk:
        raise UsageProblem(f"there is no disk unit {chosen!r}; ndmpdup.toml has {_names(config)}")
    return DaemonSettings(
        folder=(folder or config.xbsa.folder or default_folder()).absolute(),
        users=_numbers(users or list(config.xbsa.users)),
        unit=chosen,
        start=config.xbsa.start.total_seconds(),
        idle=config.xbsa.idle.total_seconds(),
        config=file,
        catalog=catalog,
    )


def _names(config: Config) -> str:
    return ", ".join(config.storage.disk) or "none: write a [storage.disk.NAME] into it"


def _numbers(names: list[str]) -> tuple[int, ...]:
    """The users by number; only root serves others."""
    import pwd

    if not names:
        return (os.geteuid(),)
    try:
        numbers = tuple(dict.fromkeys(pwd.getpwnam(name).pw_uid for name in names))
    except KeyError as error:
        raise UsageProblem(f"there is no user {error.args[0].rpartition(' ')[2]} on this machine") from error
    if os.geteuid() != 0 and numbers != (os.geteuid(),):
        raise UsageProblem("only root serves other users: run this command as root, or without --user")
    return numbers


def _serve(settings: DaemonSettings, config: Config) -> None:
    import asyncio

    from duplicator.xbsa.server.folders import FolderError

    try:
        asyncio.run(_until_told(settings, config))
    except FolderError as error:
        raise UsageProblem(str(error)) from error


async def _until_told(settings: DaemonSettings, config: Config) -> None:
    import asyncio
    import signal

    from duplicator.cli.terminal import complain, plain, say
    from duplicator.xbsa.server.daemon import serving

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    async with serving(settings, config) as places:
        for place in places:
            say(plain(f"listening for {place.name} in {place}"))
        if settings.unit is None:
            complain("ndmpdup: no disk unit takes backups: there are only restores; see 'unit' in [xbsa]")
        else:
            say(plain(f"backups go to disk unit {settings.unit}"))
        await told.wait()
        say("ending")
