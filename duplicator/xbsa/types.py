"""The structures of XBSA 1.1.0 under the standard's names, as a program in Python fills and reads them.

Reserved fields are left out. A field as a C program has it before it is filled: zero, or an empty text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final, TypeAlias

__all__ = [
    "LIMITS",
    "BSA_ApiVersion",
    "BSA_CopyType",
    "BSA_DataBlock32",
    "BSA_Handle",
    "BSA_ObjectDescriptor",
    "BSA_ObjectName",
    "BSA_ObjectOwner",
    "BSA_ObjectStatus",
    "BSA_ObjectType",
    "BSA_QueryDescriptor",
    "BSA_UInt64",
    "BSA_Vote",
    "Block",
    "Size",
    "Strings",
    "Text",
]

LIMITS: Final[Mapping[str, int]] = {
    "bsa_ObjectOwner": 64,
    "app_ObjectOwner": 64,
    "objectSpaceName": 1024,
    "pathName": 1024,
    "resourceType": 31,
    "objectDescription": 100,
    "objectInfo": 256,
    "securityToken": 64,
}
"""Bytes in UTF-8 with the NUL that ends them in C; objectInfo is opaque and has none."""

Block: TypeAlias = bytes | bytearray | memoryview


class BSA_CopyType(IntEnum):
    """How the application means a copy."""

    ANY = 1
    ARCHIVE = 2
    BACKUP = 3


class BSA_ObjectType(IntEnum):
    """What an object is to the application."""

    ANY = 1
    FILE = 2
    DIRECTORY = 3
    OTHER = 4


class BSA_ObjectStatus(IntEnum):
    """Whether a copy is the newest of its name and owner."""

    ANY = 1
    MOST_RECENT = 2
    NOT_MOST_RECENT = 3


class BSA_Vote(IntEnum):
    """How a transaction ends."""

    COMMIT = 1
    ABORT = 2


@dataclass(slots=True)
class BSA_UInt64:
    """64 bits in two halves: ``left`` is the high one."""

    left: int = 0
    right: int = 0

    @classmethod
    def of(cls, value: int) -> BSA_UInt64:
        """The number, 0 to 2**64-1."""
        return cls(value >> 32, value & 0xFFFFFFFF)

    def __int__(self) -> int:
        return self.left << 32 | self.right


@dataclass(slots=True)
class BSA_ApiVersion:
    """The version of the interface: 1.1.0."""

    issue: int = 0
    version: int = 0
    level: int = 0


@dataclass(slots=True)
class BSA_ObjectOwner:
    """Whom an object belongs to, for the service and for the application: attributes, no access rights."""

    bsa_ObjectOwner: str = ""
    app_ObjectOwner: str = ""


@dataclass(slots=True)
class BSA_ObjectName:
    """The name of an object; ``pathName`` begins with a slash."""

    objectSpaceName: str = ""
    pathName: str = ""


@dataclass(slots=True)
class BSA_DataBlock32:
    """A buffer of the application: ``numBytes`` of it count, from ``headerBytes`` on. ``shareId`` is ignored."""

    bufferLen: int = 0
    numBytes: int = 0
    headerBytes: int = 0
    shareId: int = 0
    shareOffset: int = 0
    bufferPtr: Block | None = field(default=None, repr=False)


@dataclass(slots=True)
class BSA_ObjectDescriptor:
    """An object. The service fills ``createTime`` (UTC), ``copyId``, ``restoreOrder`` and ``objectStatus``."""

    objectOwner: BSA_ObjectOwner = field(default_factory=BSA_ObjectOwner)
    objectName: BSA_ObjectName = field(default_factory=BSA_ObjectName)
    createTime: datetime | None = None
    copyType: int = 0
    copyId: BSA_UInt64 = field(default_factory=BSA_UInt64)
    restoreOrder: BSA_UInt64 = field(default_factory=BSA_UInt64)
    estimatedSize: BSA_UInt64 = field(default_factory=BSA_UInt64)
    resourceType: str = ""
    objectType: int = 0
    objectStatus: int = 0
    objectDescription: str = ""
    objectInfo: bytes = b""


@dataclass(slots=True)
class BSA_QueryDescriptor:
    """What objects are asked for: texts may have * and ?, and an empty one matches only an empty one.

    The times are inclusive, in UTC; None is no limit.
    """

    objectOwner: BSA_ObjectOwner = field(default_factory=BSA_ObjectOwner)
    objectName: BSA_ObjectName = field(default_factory=BSA_ObjectName)
    createTime_from: datetime | None = None
    createTime_to: datetime | None = None
    copyType: int = 0
    resourceType: str = ""
    objectType: int = 0
    objectStatus: int = 0
    objectDescription: str = ""


@dataclass(slots=True)
class BSA_Handle:
    """Where BSAInit puts the number of the session; the other calls take the number."""

    value: int = 0


@dataclass(slots=True)
class Size:
    """A size in bytes, with the NUL: going in, what there is room for; coming out, what is there or needed."""

    value: int = 0


@dataclass(slots=True)
class Text:
    """Where a call puts a text."""

    value: str = ""


@dataclass(slots=True)
class Strings:
    """Where a call puts several texts; ``size``: the room for them as in :class:`Size`, with a NUL for each."""

    size: int = 0
    value: list[str] = field(default_factory=list)
