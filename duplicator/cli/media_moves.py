"""`ndmpdup media export` and `import`: volumes to a vault and back, by a library's robot if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.media_options import Labels, Vault, known_volumes, volume_document
from duplicator.cli.options import (
    CatalogUrl,
    ConfigFile,
    Json,
    PasswordFile,
    RequireTls,
    TlsCa,
    TlsCert,
    TlsKey,
    client_tls,
    find_place,
    parse_ndmp_url,
)
from duplicator.cli.terminal import complain, plain, print_json, say
from duplicator.credentials import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duplicator.catalog import Catalog, Volume
    from duplicator.media.doors import LibraryDoors
    from duplicator.plan import Place
    from duplicator.tls import ClientTls

__all__ = ["export_volumes", "import_volumes"]

Library = Annotated[
    str | None,
    typer.Option(
        "--library",
        metavar="NAME|URL",
        help="Have its robot carry them: a library of the configuration, or ndmp[s]://USER@HOST:PORT/CHANGER.",
        show_default=False,
    ),
]


def export_volumes(
    labels: Labels,
    *,
    vault: Vault = "",
    library: Library = None,
    password_file: PasswordFile = None,
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    require_tls: RequireTls = False,
    as_json: Json = False,
) -> None:
    """Send volumes to the vault: they are not used until they are back.

    With --library its robot carries each to an import/export element first; each counts as sent once it is there.

    \b
    Examples:
      ndmpdup media export A00001 A00002 --vault bank
      ndmpdup media export A00001 --library ndmp://backup@tapehost/changer
    """
    from duplicator.media.places import in_vault
    from duplicator.media.places import vault as in_the

    def check(volume: Volume) -> None:
        if in_vault(volume.location):
            raise UsageProblem(f"volume {volume.label} is in the {volume.location} already")

    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    doors = _doors(library, config, password_file, tls) if library else None

    async def send(volume: Volume) -> str:
        if doors is not None:
            place = await doors.export(volume.label, note=_note)
            _note(f"volume {volume.label} is in {place}: take it out")
        return in_the(vault)

    _move(labels, check, send, catalog=catalog, config=config, as_json=as_json)


def import_volumes(
    labels: Labels,
    *,
    library: Library = None,
    location: Annotated[
        str,
        typer.Option("--location", metavar="TEXT", help="Where they are put, without a library.", show_default=False),
    ] = "",
    password_file: PasswordFile = None,
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    require_tls: RequireTls = False,
    as_json: Json = False,
) -> None:
    """Take volumes back from the vault.

    With --library its robot carries each from an import/export element to a slot.

    \b
    Examples:
      ndmpdup media import A00001 --location "shelf 2"
      ndmpdup media import A00001 --library ndmp://backup@tapehost/changer
    """
    from duplicator.media.places import in_vault

    if library and location:
        raise UsageProblem("--location is for volumes that go into no library")

    def check(volume: Volume) -> None:
        if not in_vault(volume.location) and not library:
            place = f"it is at {volume.location}" if volume.location else "where it is, is not known"
            raise UsageProblem(f"volume {volume.label} is in no vault: {place}")

    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    doors = _doors(library, config, password_file, tls) if library else None

    async def take(volume: Volume) -> str:
        if doors is None:
            return location
        return f"{doors.name} {await doors.admit(volume.label, note=_note)}"

    _move(labels, check, take, catalog=catalog, config=config, as_json=as_json)


def _move(
    labels: Sequence[str],
    check: Callable[[Volume], None],
    move: Callable[[Volume], Awaitable[str]],
    *,
    catalog: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Move all volumes, if each may be; what was moved is noted one by one."""
    from duplicator.cli.batch import open_catalog
    from duplicator.cli.running import run

    moved: list[Volume] = []
    with open_catalog(catalog, config) as opened:
        found = known_volumes(opened, labels)
        for volume in found:
            check(volume)
        try:
            run(_move_each(found, move, opened, moved))
        finally:
            _tell(moved, as_json=as_json)


async def _move_each(
    found: Sequence[Volume], move: Callable[[Volume], Awaitable[str]], catalog: Catalog, moved: list[Volume]
) -> None:
    from duplicator.media.holding import holding

    for volume in found:
        with holding(catalog, [volume.label]):
            location = await move(volume)
            moved.append(catalog.update_volume(volume.label, location=location))


def _note(words: str) -> None:
    complain(plain(words))


def _tell(moved: Sequence[Volume], *, as_json: bool) -> None:
    if as_json:
        print_json({"volumes": [volume_document(volume) for volume in moved]})
        return
    for volume in moved:
        say(plain(f"{volume.label}: {volume.location or 'no place'}"))


def _doors(library: str, config: Path | None, password_file: Path | None, tls: ClientTls) -> LibraryDoors:
    from duplicator.drives import LibrarySpec
    from duplicator.media.doors import LibraryDoors

    if "://" not in library:
        return _configured_doors(library, config)
    url = parse_ndmp_url(library, option="--library", place="changer")
    place = find_place(url, password_file, Role.ANY, tls=tls)
    return LibraryDoors(LibrarySpec(url.path, url), drives=(), place_of=lambda _: place)


def _configured_doors(name: str, file: Path | None) -> LibraryDoors:
    from duplicator.config import load, local_agent, place_of
    from duplicator.drives import DriveSpec, LibrarySpec
    from duplicator.media.doors import LibraryDoors

    config = load(file)
    agent, spec = local_agent(config), config.libraries.get(name)
    if spec is None or agent is None:
        known = ", ".join(sorted(config.libraries)) or "none"
        raise UsageProblem(f"--library: {name!r} is no library that this process reaches; configured are {known}")
    places: dict[str, Place] = {}

    def find(host: str, device: str) -> Place:
        place = place_of(config, host, path=device, agent=agent)
        places[str(place.url)] = place
        return place

    drives = [
        DriveSpec(drive, find(config.drives[drive].host, config.drives[drive].device).url, name, number)
        for drive, number in spec.drives.items()
    ]
    robot = find(spec.host, spec.device)
    return LibraryDoors(LibrarySpec(name, robot.url), drives=drives, place_of=lambda url: places[str(url)])
