"""CONFIG service: what the host is and has, and which extensions are in use (draft 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

from ndmp.backends import Host
from ndmp.enums import AddressType, AuthType, Error, TapeAttribute
from ndmp.errors import ReplyError
from ndmp.messages.config import (
    ClassVersions,
    ConfigGetAuthAttr,
    ConfigGetAuthAttrReply,
    ConfigGetConnectionType,
    ConfigGetConnectionTypeReply,
    ConfigGetExtList,
    ConfigGetExtListReply,
    ConfigGetHostInfo,
    ConfigGetHostInfoReply,
    ConfigGetServerInfo,
    ConfigGetServerInfoReply,
    ConfigGetTapeInfo,
    ConfigGetTapeInfoReply,
    ConfigSetExtList,
    ConfigSetExtListReply,
    DeviceCapability,
    DeviceInfo,
    Pval,
)
from ndmp.messages.connect import AuthMd5Attributes, AuthTextAttributes
from ndmp.messages.extensions.echo import ECHO_CLASS, ECHO_VERSIONS
from ndmp.messages.extensions.fse import FSE_CLASS, FSE_VERSIONS
from ndmp.services.connect import ConnectService
from ndmp.services.routes import Route, Routes

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
            ConfigGetTapeInfo: Route(self._tape_info),
        }

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
        if request.auth_type == AuthType.TEXT:
            return ConfigGetAuthAttrReply(Error.NO_ERR, AuthTextAttributes())
        if request.auth_type == AuthType.MD5:
            return ConfigGetAuthAttrReply(Error.NO_ERR, AuthMd5Attributes(self._connect.new_challenge()))
        raise ReplyError(Error.ILLEGAL_ARGS, "this way to log in is not offered")

    def _tape_info(self, request: ConfigGetTapeInfo) -> ConfigGetTapeInfoReply:
        if not self._host.tapes:
            raise ReplyError(Error.NOT_SUPPORTED, "this host has no tape drives")
        models: dict[str, list[DeviceCapability]] = {}
        for name, tape in self._host.tapes.items():
            pairs = tuple(Pval(*pair) for pair in tape.capabilities)
            attributes = TapeAttribute.REWIND | TapeAttribute.UNLOAD
            models.setdefault(tape.model, []).append(DeviceCapability(name, attributes, pairs))
        return ConfigGetTapeInfoReply(
            Error.NO_ERR, tuple(DeviceInfo(model, tuple(devices)) for model, devices in models.items())
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
