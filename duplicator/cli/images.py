"""`ndmpdup images`: what lies in a storage unit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.options import (
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
from duplicator.cli.terminal import print_json, print_table, say, size_text, time_text
from duplicator.credentials import Role
from duplicator.plan import Deadlines, Place, Step

if TYPE_CHECKING:
    from duplicator.hostlink import HostSession
    from ndmp.messages.extensions.fse import FseImage, FseUnit

__all__ = ["images"]

_PAGE: Final = 1000
_LATEST: Final = 253402300799
"""Last second that a date can hold; later ones come from hosts that are wrong."""
UnitUrl = Annotated[
    str,
    typer.Argument(metavar="ndmp://USER@HOST:PORT[/LSU]", help="A storage unit; without LSU, all units are listed."),
]


def images(
    url: UnitUrl,
    *,
    password_file: PasswordFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    require_tls: RequireTls = False,
    as_json: Json = False,
) -> None:
    """List the images of a storage unit, or the units of a host.

    \b
    Examples:
      ndmpdup images ndmp://backup@appliance
      ndmpdup images ndmp://backup@appliance/unit1 --json
    """
    from duplicator.cli.running import run

    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    place = find_place(parse_ndmp_url(url, option="URL"), password_file, Role.ANY, tls=tls)
    if place.url.path:
        _show_images(run(_list_images(place)), as_json=as_json)
    else:
        _show_units(run(_list_units(place)), as_json=as_json)


async def _list_units(place: Place) -> tuple[FseUnit, ...]:
    from duplicator.failures import failing_as
    from duplicator.hostlink import open_session
    from ndmp.messages.extensions.fse import FseListUnits

    async with open_session(place, Deadlines(), step=Step.CHECK_IMAGE) as session:
        _require_file_service(session)
        with failing_as(Step.CHECK_IMAGE, session.name):
            return (await session.call(FseListUnits())).units


async def _list_images(place: Place) -> list[FseImage]:
    from duplicator.failures import failing_as
    from duplicator.hostlink import open_session

    async with open_session(place, Deadlines(), step=Step.CHECK_IMAGE) as session:
        _require_file_service(session)
        with failing_as(Step.CHECK_IMAGE, session.name):
            return await _all_pages(session, place.url.path)


async def _all_pages(session: HostSession, unit: str) -> list[FseImage]:
    from duplicator.status import JobError, Status
    from ndmp.enums import Error
    from ndmp.errors import RemoteProtocolError, ReplyError
    from ndmp.messages.extensions.fse import FseListImages

    found: list[FseImage] = []
    while True:
        after = found[-1].name if found else ""
        try:
            page = await session.call(FseListImages(unit, after, _PAGE))
        except ReplyError as error:
            if error.error != Error.FILE_NOT_FOUND:
                raise
            reason = f"{session.name} has no storage unit {unit!r}"
            raise JobError(Status.NO_STORAGE_UNIT, step=Step.CHECK_IMAGE.value, reason=reason) from error
        found += page.images
        if not page.more:
            return found
        if not page.images or page.images[-1].name == after:
            raise RemoteProtocolError("the listing does not come to an end")


def _require_file_service(session: HostSession) -> None:
    from duplicator.status import JobError, Status
    from ndmp.messages.extensions.fse import FSE_CLASS

    if FSE_CLASS not in session.extensions:
        reason = f"{session.name} does not offer the file service extension"
        raise JobError(Status.NO_STORAGE_UNIT, step=Step.CHECK_EXTENSION.value, reason=reason)


def _show_units(units: tuple[FseUnit, ...], *, as_json: bool) -> None:
    if as_json:
        document = [
            {"name": unit.name, "bytes_total": unit.total, "bytes_free": unit.free, "writable": bool(unit.writable)}
            for unit in units
        ]
        print_json({"units": document})
    elif units:
        rows = [
            (unit.name, size_text(unit.total), size_text(unit.free), "yes" if unit.writable else "no") for unit in units
        ]
        print_table(("unit", "total", "free", "writable"), rows, right=("total", "free"))
    else:
        say("no storage units")


def _show_images(found: list[FseImage], *, as_json: bool) -> None:
    if as_json:
        document = [
            {"name": image.name, "bytes": image.size, "modified": image.modified, "fragments": image.fragments}
            for image in found
        ]
        print_json({"images": document})
    elif found:
        rows = [
            (
                image.name,
                size_text(image.size),
                str(image.fragments),
                time_text(datetime.fromtimestamp(min(image.modified, _LATEST), UTC)),
            )
            for image in found
        ]
        print_table(("image", "size", "fragments", "modified"), rows, right=("size", "fragments"))
    else:
        say("no images")
