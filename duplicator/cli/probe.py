"""`ndmpdup probe`: what an NDMP host is and offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

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
from duplicator.cli.terminal import plain, print_json, say
from duplicator.credentials import Role
from duplicator.plan import Deadlines, Place

if TYPE_CHECKING:
    from duplicator.hostlink import HostSession
    from ndmp.wire import Reply, Request

    R = TypeVar("R", bound=Reply)

__all__ = ["probe"]

HostUrl = Annotated[str, typer.Argument(metavar="ndmp://USER@HOST:PORT", help="The host to ask.")]
Facts = dict[str, Any]


def probe(
    url: HostUrl,
    *,
    password_file: PasswordFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    require_tls: RequireTls = False,
    as_json: Json = False,
) -> None:
    """Show what an NDMP host is and offers.

    It logs in and asks for the product, extensions, storage units and tapes.

    \b
    Examples:
      ndmpdup probe ndmp://backup@tapehost
      ndmpdup probe ndmp://backup@appliance:10001 --password-file pw --json
    """
    from duplicator.cli.running import run

    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    place = find_place(parse_ndmp_url(url, option="URL"), password_file, Role.ANY, tls=tls)
    facts = run(_ask(place))
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        say(f"{name.replace('_', ' '):18} {plain(_text(value))}")


async def _ask(place: Place) -> Facts:
    from duplicator.hostlink import open_session

    async with open_session(place, Deadlines()) as session:
        return {
            "url": str(place.url),
            "ndmp_version": session.version,
            "vendor": session.server.vendor,
            "product": session.server.product,
            "revision": session.server.revision,
            "logins": [kind.name.lower() for kind in session.server.auth_types],
            **await _machine(session),
            "extensions": [
                {"class": f"{number:#06x}", "version": version} for number, version in session.extensions.items()
            ],
            **await _file_service(session),
            "tapes": await _tapes(session),
        }


async def _offered(session: HostSession, request: Request[R]) -> R | None:
    """The reply, or None where the host refuses to tell."""
    from ndmp.errors import ReplyError

    try:
        return await session.call(request)
    except ReplyError:
        return None


async def _machine(session: HostSession) -> Facts:
    from ndmp.messages.config import ConfigGetConnectionType, ConfigGetHostInfo

    machine = await _offered(session, ConfigGetHostInfo())
    connections = await _offered(session, ConfigGetConnectionType())
    return {
        "hostname": machine.hostname if machine else None,
        "system": f"{machine.os_type} {machine.os_version}" if machine else None,
        "data_connections": [kind.name.lower() for kind in connections.address_types] if connections else [],
    }


async def _file_service(session: HostSession) -> Facts:
    from duplicator.digests import digest_name
    from ndmp.enums import FseFeature
    from ndmp.messages.extensions.fse import FseListUnits

    service = await session.fse_info()
    if service is None:
        return {"file_service": None, "digests": [], "units": []}
    listing = await _offered(session, FseListUnits())
    return {
        "file_service": [
            str(feature.name).lower().replace("_", " ") for feature in FseFeature if feature in service.features
        ],
        "digests": [digest_name(algorithm) for algorithm in service.algorithms],
        "units": [unit.name for unit in listing.units] if listing else [],
    }


async def _tapes(session: HostSession) -> list[Facts]:
    from ndmp.messages.config import ConfigGetTapeInfo

    listing = await _offered(session, ConfigGetTapeInfo())
    return [
        {
            "name": device.device,
            "model": model.model,
            "capabilities": {pair.name: pair.value for pair in device.capabilities},
        }
        for model in (listing.tapes if listing else ())
        for device in model.devices
    ]


def _text(value: object) -> str:
    """A fact in words."""
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value) or "none"
    if isinstance(value, dict):
        return " ".join(f"{_text(item)}" if key == "name" else f"{key} {_text(item)}" for key, item in value.items())
    return "none" if value is None else str(value)
