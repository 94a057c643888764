"""CONFIG: what a host is and has (draft 3.2)."""

from __future__ import annotations

from ndmp.enums import AddressType, AuthType, ButypeAttribute, Error, FsInfoUnsupported, ScsiAttribute, TapeAttribute
from ndmp.messages.connect import AuthAttributes
from ndmp.types import Pval
from ndmp.wire import U16, U64, Reply, Request, Text, reply, request, struct

__all__ = [
    "ButypeInfo",
    "ClassVersion",
    "ClassVersions",
    "ConfigGetAuthAttr",
    "ConfigGetAuthAttrReply",
    "ConfigGetButypeInfo",
    "ConfigGetButypeInfoReply",
    "ConfigGetConnectionType",
    "ConfigGetConnectionTypeReply",
    "ConfigGetExtList",
    "ConfigGetExtListReply",
    "ConfigGetFsInfo",
    "ConfigGetFsInfoReply",
    "ConfigGetHostInfo",
    "ConfigGetHostInfoReply",
    "ConfigGetScsiInfo",
    "ConfigGetScsiInfoReply",
    "ConfigGetServerInfo",
    "ConfigGetServerInfoReply",
    "ConfigGetTapeInfo",
    "ConfigGetTapeInfoReply",
    "ConfigSetExtList",
    "ConfigSetExtListReply",
    "DeviceCapability",
    "DeviceInfo",
    "FsInfo",
    "Pval",
    "ScsiDeviceCapability",
    "ScsiDeviceInfo",
]


@request(0x100)
class ConfigGetHostInfo(Request["ConfigGetHostInfoReply"]):
    """Ask what machine this is (draft 3.2.1)."""


@reply(0x100)
class ConfigGetHostInfoReply(Reply):
    """The machine and its system."""

    error: Error
    hostname: Text
    os_type: Text
    os_version: Text
    hostid: Text


@request(0x108)
class ConfigGetServerInfo(Request["ConfigGetServerInfoReply"]):
    """Ask for the product and its ways to log in; allowed before login (draft 3.2.2)."""


@reply(0x108)
class ConfigGetServerInfoReply(Reply):
    """The product (empty before login) and its ways to log in."""

    error: Error
    vendor: Text
    product: Text
    revision: Text
    auth_types: tuple[AuthType, ...]


@request(0x102)
class ConfigGetConnectionType(Request["ConfigGetConnectionTypeReply"]):
    """Ask which data connections are possible (draft 3.2.3)."""


@reply(0x102)
class ConfigGetConnectionTypeReply(Reply):
    """Kinds of data connection on offer."""

    error: Error
    address_types: tuple[AddressType, ...]


@request(0x103)
class ConfigGetAuthAttr(Request["ConfigGetAuthAttrReply"]):
    """Ask for what a login needs, as a fresh challenge (draft 3.2.4)."""

    auth_type: AuthType


@reply(0x103)
class ConfigGetAuthAttrReply(Reply):
    """What the login needs."""

    error: Error
    attributes: AuthAttributes


@struct
class ButypeInfo:
    """A backup type, its default environment and what it can do (draft 3.2.5)."""

    name: Text
    default_environment: tuple[Pval, ...]
    attributes: ButypeAttribute


@request(0x104)
class ConfigGetButypeInfo(Request["ConfigGetButypeInfoReply"]):
    """Ask for the backup types (draft 3.2.5)."""


@reply(0x104)
class ConfigGetButypeInfoReply(Reply):
    """The backup types."""

    error: Error
    butypes: tuple[ButypeInfo, ...]


@struct
class FsInfo:
    """A file system (draft 3.2.6): sizes in bytes, ``status`` for people."""

    unsupported: FsInfoUnsupported
    fs_type: Text
    logical_device: Text
    physical_device: Text
    total_size: U64
    used_size: U64
    avail_size: U64
    total_inodes: U64
    used_inodes: U64
    environment: tuple[Pval, ...]
    status: Text


@request(0x105)
class ConfigGetFsInfo(Request["ConfigGetFsInfoReply"]):
    """Ask for the file systems (draft 3.2.6)."""


@reply(0x105)
class ConfigGetFsInfoReply(Reply):
    """The file systems."""

    error: Error
    file_systems: tuple[FsInfo, ...]


@struct
class DeviceCapability:
    """A device name and what it can do (draft 3.2.7)."""

    device: Text
    attributes: TapeAttribute
    capabilities: tuple[Pval, ...]


@struct
class DeviceInfo:
    """A model and its devices."""

    model: Text
    devices: tuple[DeviceCapability, ...]


@request(0x106)
class ConfigGetTapeInfo(Request["ConfigGetTapeInfoReply"]):
    """Ask for the tape drives (draft 3.2.7)."""


@reply(0x106)
class ConfigGetTapeInfoReply(Reply):
    """The tape drives, by model."""

    error: Error
    tapes: tuple[DeviceInfo, ...]


@struct
class ScsiDeviceCapability:
    """A media changer's device name and what is particular about it (draft 3.2.8)."""

    device: Text
    attributes: ScsiAttribute
    capabilities: tuple[Pval, ...]


@struct
class ScsiDeviceInfo:
    """A model and its devices."""

    model: Text
    devices: tuple[ScsiDeviceCapability, ...]


@request(0x107)
class ConfigGetScsiInfo(Request["ConfigGetScsiInfoReply"]):
    """Ask for the media changers (draft 3.2.8)."""


@reply(0x107)
class ConfigGetScsiInfoReply(Reply):
    """The media changers, by model."""

    error: Error
    changers: tuple[ScsiDeviceInfo, ...]


@struct
class ClassVersions:
    """An extension class and the versions on offer; the first is the default (draft 3.2.9)."""

    class_id: U16
    versions: tuple[U16, ...]


@struct
class ClassVersion:
    """An extension class and the version chosen."""

    class_id: U16
    version: U16


@request(0x10A)
class ConfigGetExtList(Request["ConfigGetExtListReply"]):
    """Ask for the extensions (draft 3.2.9)."""


@reply(0x10A)
class ConfigGetExtListReply(Reply):
    """The extensions on offer."""

    error: Error
    classes: tuple[ClassVersions, ...]


@request(0x109)
class ConfigSetExtList(Request["ConfigSetExtListReply"]):
    """Choose extensions (draft 3.2.10; ndmjob's XDR file has a stray error word here)."""

    classes: tuple[ClassVersion, ...]


@reply(0x109)
class ConfigSetExtListReply(Reply):
    """The choice holds, or nothing is chosen."""

    error: Error
