"""CONFIG service: what the host is and has, and which extensions are in use (draft 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ndmp.backends import DataBackend, FileSystem, Host, ScsiBackend, TapeBackend
from ndmp.enums import AddressType, AuthType, Error, FsInfoUnsupported, ScsiAttribute, TapeAttribute
from ndmp.errors import ReplyError
from ndmp.messages.config import (
    ButypeInfo,
    ClassVersions,
    ConfigGetAuthAttr,
    ConfigGetAuthAttrReply,
    ConfigGetButypeInfo,
    ConfigGetButypeInfoReply,
    ConfigGetConnectionType,
    ConfigGetConnectionTypeReply,
    ConfigGetExtList,
    ConfigGetExtListReply,
    ConfigGetFsInfo,
    ConfigGetFsInfoReply,
    ConfigGetHostInfo,
    ConfigGetHostInfoReply,
    ConfigGetScsiInfo,
    ConfigGetScsiInfoReply,
    ConfigGetServerInfo,
    ConfigGetServerInfoReply,
    ConfigGetTapeInfo,
    ConfigGetTapeInfoReply,
    ConfigSetExtList,
    ConfigSetExtListReply,
    DeviceCapability,
    DeviceInfo,
    FsInfo,
    Pval,
    ScsiDeviceCapability,
    ScsiDeviceInfo,
)
from ndmp.messages.connect import AuthMd5Attributes, AuthTextAttributes
from ndmp.messages.extensions.echo import ECHO_CLASS, ECHO_VERSIONS
from ndmp.messages.extensions.fse import FSE_CLASS, FSE_VERSIONS
from ndmp.services.connect import ConnectService
from ndmp.services.routes import Route, Routes
from ndmp.types import ALL_ONES_64
from ndmp.wire import Request

__all__ = ["ConfigService", "ExtensionService", "address_types_of", "offered_extensions"]


def offered_extensions(host: Host) -> dict[int, tuple[int, ...]]:
    """Extension classes and versions of a host; the first version is the default."""
    offered: dict[int, tuple[int, ...]] = {ECHO_CLASS: ECHO_VERSIONS}
    if host.files or (host.tapes and host.movers):
        offered[FSE_CLASS] = FSE_VERSIONS
    return offered


def address_types_of(host: Host) -> tuple[AddressType, ...]:
    """Kinds of data connection: LOCAL is between a mover and a data service of one session."""
    return (AddressType.TCP, AddressType.LOCAL) if host.movers and host.data else (AddressType.TCP,)


class ConfigService:
    """Answers from the host's description."""

    def __init__(self, host: Host, connect: ConnectService) -> None:
        self._host = host
        self._connect = connect
        self.routes: Routes = {
            ConfigGetHostInfo: Route(self._host_info),
            ConfigGetServerInfo: Route(self._server_info, before_login=True),
            ConfigGetConnectionType: Route(self._connection_type),
            ConfigGetAuthAttr: Route(self._auth_attr, before_login=True),
            **self._inventory(),
        }

    def _inventory(self) -> Routes:
        """What a host lacks is not asked about: those requests have no route, and are NOT_SUPPORTED (draft 2.5.3)."""
        routes: dict[type[Request[Any]], Route] = {}
        if tapes := self._host.tapes:
            routes[ConfigGetTapeInfo] = Route(lambda _: _tape_info(tapes))
        if changers := self._host.changers:
            routes[ConfigGetScsiInfo] = Route(lambda _: _scsi_info(changers))
        if served := self._host.data:
            routes[ConfigGetButypeInfo] = Route(lambda _: _butype_info(served))
            routes[ConfigGetFsInfo] = Route(lambda _: _fs_info(served), blocking=True)
        return routes

    def _host_info(self, request: ConfigGetHostInfo) -> ConfigGetHostInfoReply:
        host = self._host
        return ConfigGetHostInfoReply(Error.NO_ERR, host.hostname, host.os_type, host.os_version, host.hostid)

    def _server_info(self, request: ConfigGetServerInfo) -> ConfigGetServerInfoReply:
        host, types = self._host, self._connect.auth_types
        if not self._connect.is_authorized:
            return ConfigGetServerInfoReply(Error.NO_ERR, "", "", "", types)
        return ConfigGetServerInfoReply(Error.NO_ERR, host.vendor, host.product, host.revision, types)

    def _connection_type(self, request: ConfigGetConnectionType) -> ConfigGetConnectionTypeReply:
        return ConfigGetConnectionTypeReply(Error.NO_ERR, address_types_of(self._host))

    def _auth_attr(self, request: ConfigGetAuthAttr) -> ConfigGetAuthAttrReply:
        if request.auth_type not in self._connect.auth_types:
            raise ReplyError(Error.ILLEGAL_ARGS, "this way to log in is not offered")
        if request.auth_type == AuthType.TEXT:
            return ConfigGetAuthAttrReply(Error.NO_ERR, AuthTextAttributes())
        return ConfigGetAuthAttrReply(Error.NO_ERR, AuthMd5Attributes(self._connect.new_challenge()))


def _pairs(pairs: Iterable[tuple[str, str]]) -> tuple[Pval, ...]:
    return tuple(Pval(*pair) for pair in pairs)


def _tape_info(tapes: Mapping[str, TapeBackend]) -> ConfigGetTapeInfoReply:
    """An entry is one drive. REWIND and UNLOAD would say what a close does: ours leaves the tape (draft 3.2.7)."""
    drives = (
        DeviceInfo(tape.model, (DeviceCapability(name, TapeAttribute.RAW, _pairs(tape.capabilities)),))
        for name, tape in tapes.items()
    )
    return ConfigGetTapeInfoReply(Error.NO_ERR, tuple(drives))


def _scsi_info(changers: Mapping[str, ScsiBackend]) -> ConfigGetScsiInfoReply:
    devices = (ScsiDeviceInfo(changer.model, (_changer(name, changer),)) for name, changer in changers.items())
    return ConfigGetScsiInfoReply(Error.NO_ERR, tuple(devices))


def _changer(name: str, changer: ScsiBackend) -> ScsiDeviceCapability:
    attributes = ScsiAttribute.SHARED_ROBOT if changer.shared else ScsiAttribute(0)
    return ScsiDeviceCapability(name, attributes, _pairs(changer.capabilities))


def _butype_info(served: DataBackend) -> ConfigGetButypeInfoReply:
    butypes = (ButypeInfo(b.name, _pairs(b.environment), b.attributes) for b in served.butypes)
    return ConfigGetButypeInfoReply(Error.NO_ERR, tuple(butypes))


def _fs_info(served: DataBackend) -> ConfigGetFsInfoReply:
    return ConfigGetFsInfoReply(Error.NO_ERR, tuple(map(_file_system, served.file_systems())))


def _file_system(found: FileSystem) -> FsInfo:
    numbers = {
        FsInfoUnsupported.TOTAL_SIZE: found.total_bytes,
        FsInfoUnsupported.USED_SIZE: found.used_bytes,
        FsInfoUnsupported.AVAIL_SIZE: found.available_bytes,
        FsInfoUnsupported.TOTAL_INODES: found.total_inodes,
        FsInfoUnsupported.USED_INODES: found.used_inodes,
    }
    unsupported = FsInfoUnsupported(0)
    for bit, number in numbers.items():
        unsupported |= bit if number is None else FsInfoUnsupported(0)
    total, used, available, inodes, used_inodes = (ALL_ONES_64 if n is None else n for n in numbers.values())
    return FsInfo(
        unsupported=unsupported,
        fs_type=found.fs_type,
        logical_device=found.name,
        physical_device=found.device,
        total_size=total,
        used_size=used,
        avail_size=available,
        total_inodes=inodes,
        used_inodes=used_inodes,
        environment=_pairs(found.environment),
        status=found.status,
    )


class ExtensionService:
    """Negotiates extensions: one list, one choice, then it holds (draft 2.5.4.3, 3.2.9, 3.2.10).

    ``selected`` is the connection's table of class to version; it starts with the default of each class.
    """

    def __init__(self, offered: Mapping[int, tuple[int, ...]], selected: dict[int, int]) -> None:
        self._offered = offered
        self._selected = selected
        self._listed = False
        self._fixed = False
        selected.update({class_id: versions[0] for class_id, versions in offered.items()})
        self.routes: Routes = {
            ConfigGetExtList: Route(self._get),
            ConfigSetExtList: Route(self._set),
        }

    def fix_default(self) -> None:
        """An extension message was used: the choice in force is final."""
        self._fixed = True

    def _audit_open(self) -> None:
        if self._fixed:
            raise ReplyError(Error.EXT_DANDN_ILLEGAL, "the extensions of this session are settled")

    def _get(self, request: ConfigGetExtList) -> ConfigGetExtListReply:
        self._audit_open()
        self._listed = True
        classes = tuple(ClassVersions(class_id, versions) for class_id, versions in sorted(self._offered.items()))
        return ConfigGetExtListReply(Error.NO_ERR, classes)

    def _set(self, request: ConfigSetExtList) -> ConfigSetExtListReply:
        self._audit_open()
        if not self._listed:
            raise ReplyError(Error.PRECONDITION, "ask for the list of extensions first")
        chosen = {choice.class_id: choice.version for choice in request.classes}
        if len(chosen) != len(request.classes):
            raise ReplyError(Error.EXT_DUPL_CLASSES, "a class is named twice")
        for class_id, version in chosen.items():
            self._audit_choice(class_id, version)
        self._selected.clear()
        self._selected.update(chosen)
        self._fixed = True
        return ConfigSetExtListReply(Error.NO_ERR)

    def _audit_choice(self, class_id: int, version: int) -> None:
        if class_id not in self._offered:
            raise ReplyError(Error.CLASS_NOT_SUPPORTED, f"class {class_id:#x} is not offered")
        if version not in self._offered[class_id]:
            raise ReplyError(Error.VERSION_NOT_SUPPORTED, f"class {class_id:#x} has no version {version}")
