"""What a host tells of itself (draft 2.5.3, 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, Step, rows
from duplicator.conformance.deviation import Deviation
from duplicator.conformance.expectation import SOME, Want
from duplicator.conformance.needs import DATA, MD5, NO_DATA, NO_MOVER, NO_SCSI, NO_TAPE, SCSI, TAPE, TEXT
from duplicator.conformance.requests import DATA as DATA_REQUESTS
from duplicator.conformance.requests import MOVER as MOVER_REQUESTS
from duplicator.conformance.requests import SCSI as SCSI_REQUESTS
from duplicator.conformance.requests import TAPE as TAPE_REQUESTS
from duplicator.conformance.situations import LOGGED_IN, NEW
from duplicator.conformance.steps import ask
from ndmp.enums import (
    AddressType,
    AuthType,
    ButypeAttribute,
    EnvName,
    Error,
    FsInfoUnsupported,
    ScsiAttribute,
    TapeAttribute,
)
from ndmp.messages.config import (
    ConfigGetAuthAttr,
    ConfigGetButypeInfo,
    ConfigGetConnectionType,
    ConfigGetFsInfo,
    ConfigGetHostInfo,
    ConfigGetScsiInfo,
    ConfigGetServerInfo,
    ConfigGetTapeInfo,
)
from ndmp.messages.connect import AuthMd5Attributes, AuthTextAttributes
from ndmp.wire import Request

__all__ = ["CHECKS"]

E: Final = Error
KNOWN_ADDRESSES: Final = (AddressType.LOCAL, AddressType.TCP, AddressType.FC, AddressType.IPC)


def _all(text: str, holds: Callable[[Any], bool]) -> Want:
    return Want(text, lambda values: all(map(holds, values)))


def _distinct(text: str, key: Callable[[Any], Any] = lambda value: value) -> Want:
    return Want(text, lambda values: len({key(value) for value in values}) == len(values))


def _bits(value: int, known: Sequence[int]) -> bool:
    return not value & ~sum(known)


def _devices(models: Any) -> list[Any]:  # noqa: ANN401  (of tapes or changers)
    return [device for model in models for device in model.devices]


async def _challenges_differ(bench: Bench) -> None:
    first, second = await bench.challenge(), await bench.challenge()
    if first == second or first == bytes(64):
        raise Deviation("a challenge that nobody can foresee", "the same one twice" if first == second else "zeros")


async def _challenges_of_sessions_differ(bench: Bench) -> None:
    first = await bench.challenge()
    other = await bench.dial("other")
    if await bench.challenge(session=other) == first:
        raise Deviation("a challenge of its own for each session", "the same one")


async def _same_after_login(bench: Bench) -> None:
    """The ways to log in are the same before login and after it."""
    other = await bench.dial("other")
    early = await bench.ask(ConfigGetServerInfo(), session=other)
    await bench.ask(ConfigGetServerInfo(), fields={"auth_types": early.body.auth_types})  # type: ignore[union-attr]


def _row(name: str, section: str, level: Any, title: str, *steps: Step, needs: Any = (), note: str = "") -> Check:  # noqa: ANN401
    return Check(name, section, level, title, LOGGED_IN, steps, needs, note)


_HOST = rows(
    "config",
    _row("host", "3.2.1", MUST, "CONFIG_GET_HOST_INFO is answered", ask(ConfigGetHostInfo())),
    _row(
        "host.names",
        "3.2.1",
        SHOULD,
        "the host tells its name, system and version",
        ask(ConfigGetHostInfo(), hostname=SOME, os_type=SOME, os_version=SOME),
    ),
    _row("host.id", "3.2.1", SHOULD, "the host has an identifier", ask(ConfigGetHostInfo(), hostid=SOME)),
    _row(
        "server",
        "3.2.2",
        MUST,
        "CONFIG_GET_SERVER_INFO tells ways to log in",
        ask(ConfigGetServerInfo(), auth_types=SOME),
    ),
    _row(
        "server.names",
        "3.2.2",
        SHOULD,
        "vendor, product and revision are told after login",
        ask(ConfigGetServerInfo(), vendor=SOME, product=SOME, revision=SOME),
    ),
    _row(
        "server.auth-types",
        "3.1.2, 3.2.2",
        MUST,
        "one of the three ways to log in is offered, none twice",
        ask(
            ConfigGetServerInfo(),
            auth_types=Want("NONE, TEXT or MD5", lambda types: any(kind <= AuthType.MD5 for kind in types)),
        ),
        ask(ConfigGetServerInfo(), auth_types=_distinct("each once")),
    ),
    _row("server.same", "3.2.2", MUST, "the ways to log in are the same before and after login", _same_after_login),
    _row("connection", "3.2.3", MUST, "CONFIG_GET_CONNECTION_TYPE is answered", ask(ConfigGetConnectionType())),
    _row(
        "connection.known",
        "3.2.3",
        MUST,
        "kinds of data connection are known ones",
        ask(ConfigGetConnectionType(), address_types=_all("LOCAL, TCP, IPC", lambda kind: kind in KNOWN_ADDRESSES)),
    ),
    _row(
        "connection.distinct",
        "3.2.3",
        SHOULD,
        "kinds of data connection are told once",
        ask(ConfigGetConnectionType(), address_types=_distinct("each once")),
    ),
    _row(
        "connection.tcp",
        "3.2.3",
        SHOULD,
        "data connections are possible over TCP",
        ask(
            ConfigGetConnectionType(),
            address_types=Want("with TCP", lambda types: AddressType.TCP in types),
        ),
        note="A host of a single kind of service can be reached in no other way from elsewhere.",
    ),
)

_AUTH = rows(
    "auth",
    Check(
        "md5",
        "3.2.4",
        MUST,
        "CONFIG_GET_AUTH_ATTR gives a challenge for MD5",
        NEW,
        (
            ask(
                ConfigGetAuthAttr(AuthType.MD5), attributes=Want("64 bytes", lambda a: isinstance(a, AuthMd5Attributes))
            ),
        ),
        (MD5,),
    ),
    Check("md5.fresh", "3.2.4", MUST, "each challenge is another", NEW, (_challenges_differ,), (MD5,)),
    Check(
        "md5.sessions",
        "3.2.4",
        MUST,
        "sessions have challenges of their own",
        NEW,
        (_challenges_of_sessions_differ,),
        (MD5,),
    ),
    Check(
        "text",
        "3.2.4",
        MUST,
        "CONFIG_GET_AUTH_ATTR is answered for text",
        NEW,
        (ask(ConfigGetAuthAttr(AuthType.TEXT), attributes=AuthTextAttributes()),),
        (TEXT,),
    ),
    Check(
        "unknown",
        "3.2.4",
        MUST,
        "an unknown way to log in has no attributes",
        NEW,
        (ask(ConfigGetAuthAttr(AuthType(99)), E.ILLEGAL_ARGS),),
    ),
)


async def _butype_names(bench: Bench) -> None:
    await bench.ask(ConfigGetButypeInfo())
    names = [butype.name for butype in bench.reply.butypes]
    if not all(names) or len(set(names)) < len(names):
        raise Deviation("backup types with names of their own", repr(names))


_SERVICES = rows(
    "config",
    _row(
        "tape",
        "3.2.7",
        MUST,
        "CONFIG_GET_TAPE_INFO lists drives, each with a name",
        ask(ConfigGetTapeInfo(), tapes=Want("devices with names", lambda t: all(d.device for d in _devices(t)))),
        needs=(TAPE,),
    ),
    _row(
        "tape.distinct",
        "3.2.7",
        MUST,
        "no name is that of two drives",
        ask(
            ConfigGetTapeInfo(),
            tapes=Want("names once", lambda t: len({d.device for d in _devices(t)}) == len(_devices(t))),
        ),
        needs=(TAPE,),
    ),
    _row(
        "tape.attributes",
        "3.2.7",
        SHOULD,
        "attributes of drives are known ones",
        ask(
            ConfigGetTapeInfo(),
            tapes=Want("known bits", lambda t: all(_bits(d.attributes, [*TapeAttribute]) for d in _devices(t))),
        ),
        needs=(TAPE,),
    ),
    _row(
        "tape.model",
        "3.2.7",
        SHOULD,
        "each drive has a model",
        ask(ConfigGetTapeInfo(), tapes=_all("models with names", lambda model: bool(model.model))),
        needs=(TAPE,),
    ),
    _row(
        "tape.execute-cdb",
        "3.2.7",
        SHOULD,
        "the capability EXECUTE_CDB is t, s, b or n",
        ask(
            ConfigGetTapeInfo(),
            tapes=Want(
                "t, s, b or n",
                lambda t: all(
                    pair.value in "tsbn" and pair.value
                    for d in _devices(t)
                    for pair in d.capabilities
                    if pair.name == EnvName.EXECUTE_CDB
                ),
            ),
        ),
        needs=(TAPE,),
    ),
    _row(
        "scsi",
        "3.2.8",
        MUST,
        "CONFIG_GET_SCSI_INFO lists changers, each with a name",
        ask(ConfigGetScsiInfo(), changers=Want("devices with names", lambda t: all(d.device for d in _devices(t)))),
        needs=(SCSI,),
    ),
    _row(
        "scsi.attributes",
        "3.2.8",
        SHOULD,
        "attributes of changers are known ones",
        ask(
            ConfigGetScsiInfo(),
            changers=Want("known bits", lambda t: all(_bits(d.attributes, [*ScsiAttribute]) for d in _devices(t))),
        ),
        needs=(SCSI,),
    ),
    _row("butype", "3.2.5", MUST, "CONFIG_GET_BUTYPE_INFO is answered", ask(ConfigGetButypeInfo()), needs=(DATA,)),
    _row("butype.names", "3.2.5", MUST, "backup types have names of their own", _butype_names, needs=(DATA,)),
    _row(
        "butype.attributes",
        "3.2.5",
        SHOULD,
        "attributes of backup types are known ones",
        ask(
            ConfigGetButypeInfo(),
            butypes=_all("known bits", lambda butype: _bits(butype.attributes, [*ButypeAttribute])),
        ),
        needs=(DATA,),
    ),
    _row("fs", "3.2.6", MUST, "CONFIG_GET_FS_INFO is answered", ask(ConfigGetFsInfo()), needs=(DATA,)),
    _row(
        "fs.names",
        "3.2.6",
        SHOULD,
        "file systems have a logical device and a type",
        ask(ConfigGetFsInfo(), file_systems=_all("named", lambda fs: fs.logical_device and fs.fs_type)),
        needs=(DATA,),
    ),
    _row(
        "fs.unsupported",
        "3.2.6",
        MUST,
        "file systems say with known bits what they do not tell",
        ask(ConfigGetFsInfo(), file_systems=_all("known bits", lambda fs: _bits(fs.unsupported, [*FsInfoUnsupported]))),
        needs=(DATA,),
    ),
    _row(
        "fs.sizes",
        "3.2.6",
        SHOULD,
        "no file system has more in use than there is",
        ask(
            ConfigGetFsInfo(),
            file_systems=_all("used at most total", lambda fs: fs.unsupported & 3 or fs.used_size <= fs.total_size),
        ),
        needs=(DATA,),
    ),
    _row(
        "fs.status",
        "3.2.6",
        SHOULD,
        "file systems say whether they are online",
        ask(ConfigGetFsInfo(), file_systems=_all("with a status", lambda fs: fs.status)),
        needs=(DATA,),
    ),
)


def _missing(requests: Any, need: Any) -> list[Check]:  # noqa: ANN401
    """All messages of a service that is not there are refused as NOT_SUPPORTED."""
    return [_absent(name, request, need) for name, request in requests.items()]


def _absent(name: str, request: Request[Any], need: Any) -> Check:  # noqa: ANN401
    title = f"{name}, of a service that the host does not have, is NOT_SUPPORTED"
    return _row(name, "2.5.3", MUST, title, ask(request, E.NOT_SUPPORTED), needs=(need,))


_ABSENT = rows(
    "absent",
    *_missing(TAPE_REQUESTS, NO_TAPE),
    *_missing(MOVER_REQUESTS, NO_MOVER),
    *_missing(SCSI_REQUESTS, NO_SCSI),
    *_missing(DATA_REQUESTS, NO_DATA),
)

CHECKS: Final[tuple[Check, ...]] = (*_HOST, *_AUTH, *_SERVICES, *_ABSENT)
