"""Object and query descriptors: what is wrong with them, and how they travel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.types import (
    LIMITS,
    BSA_CopyType,
    BSA_ObjectDescriptor,
    BSA_ObjectName,
    BSA_ObjectOwner,
    BSA_ObjectStatus,
    BSA_ObjectType,
    BSA_QueryDescriptor,
    BSA_UInt64,
)

if TYPE_CHECKING:
    from duplicator.xbsa.wire import Descriptor, FindObjects, ObjectFound

__all__ = ["audit_owner", "copy_id_of", "descriptor_message", "query_message", "show"]

_HALF: Final = range(1 << 32)
_OBJECT: Final = ReturnCode.INVALID_OBJECTDESCRIPTOR
_QUERY: Final = ReturnCode.INVALID_QUERYDESCRIPTOR


def descriptor_message(given: BSA_ObjectDescriptor) -> Descriptor:
    """A new object's descriptor; CallError with INVALID_OBJECTDESCRIPTOR."""
    from duplicator.xbsa.wire import Descriptor

    text = _Texts(_OBJECT)
    path = text("pathName", given.objectName.pathName)
    if not path.startswith("/"):
        raise CallError(_OBJECT, f"pathName {path[:80]!r} does not begin with /")
    if not given.resourceType:
        raise CallError(_OBJECT, "resourceType is empty")
    if not isinstance(given.objectInfo, bytes) or len(given.objectInfo) > LIMITS["objectInfo"]:
        raise CallError(_OBJECT, f"objectInfo is at most {LIMITS['objectInfo']} bytes")
    return Descriptor(
        bsa_owner=text("bsa_ObjectOwner", given.objectOwner.bsa_ObjectOwner),
        app_owner=text("app_ObjectOwner", given.objectOwner.app_ObjectOwner),
        space=text("objectSpaceName", given.objectName.objectSpaceName),
        path=path,
        copy_type=_one_of("copyType", given.copyType, (2, 3)),  # type: ignore[arg-type]
        object_type=_one_of("objectType", given.objectType, (2, 3, 4)),  # type: ignore[arg-type]
        resource_type=text("resourceType", given.resourceType),
        description=text("objectDescription", given.objectDescription),
        info=given.objectInfo.hex(),
        estimated_size=_whole("estimatedSize", given.estimatedSize, _OBJECT),
    )


def query_message(given: BSA_QueryDescriptor, host: str) -> FindObjects:
    """A query for objects of this host; CallError with INVALID_QUERYDESCRIPTOR."""
    from duplicator.xbsa.wire import FindObjects

    text = _Texts(_QUERY)
    for name, value, kind in (
        ("copyType", given.copyType, BSA_CopyType),
        ("objectType", given.objectType, BSA_ObjectType),
        ("objectStatus", given.objectStatus, BSA_ObjectStatus),
    ):
        _enum(name, value, kind)
    return FindObjects(
        bsa_owner=text.pattern("bsa_ObjectOwner", given.objectOwner.bsa_ObjectOwner),
        app_owner=text.pattern("app_ObjectOwner", given.objectOwner.app_ObjectOwner),
        space=text.pattern("objectSpaceName", given.objectName.objectSpaceName),
        path=text.pattern("pathName", given.objectName.pathName),
        resource_type=text.pattern("resourceType", given.resourceType),
        description=text.pattern("objectDescription", given.objectDescription),
        copy_type=int(given.copyType),
        object_type=int(given.objectType),
        status=int(given.objectStatus),
        created_from=_time("createTime_from", given.createTime_from),
        created_to=_time("createTime_to", given.createTime_to),
        host=host,
    )


def audit_owner(owner: BSA_ObjectOwner) -> None:
    """That of BSAInit; CallError with INVALID_OBJECTDESCRIPTOR."""
    text = _Texts(_OBJECT)
    text("bsa_ObjectOwner", owner.bsa_ObjectOwner)
    text("app_ObjectOwner", owner.app_ObjectOwner)


def copy_id_of(given: BSA_UInt64) -> int:
    """The number; CallError with INVALID_COPYID."""
    number = _whole("copyId", given, ReturnCode.INVALID_COPYID)
    if not number:
        raise CallError(ReturnCode.INVALID_COPYID)
    return number


def show(found: ObjectFound, into: BSA_ObjectDescriptor) -> None:
    """Put what the service knows of an object into the application's structure."""
    told = found.descriptor
    into.objectOwner = BSA_ObjectOwner(told.bsa_owner, told.app_owner)
    into.objectName = BSA_ObjectName(told.space, told.path)
    into.createTime = found.created
    into.copyType = BSA_CopyType(told.copy_type)
    into.copyId = BSA_UInt64.of(found.copy_id)
    into.restoreOrder = BSA_UInt64.of(found.restore_order)
    # The size is known now, and better than what was expected once.
    into.estimatedSize = BSA_UInt64.of(found.size)
    into.resourceType = told.resource_type
    into.objectType = BSA_ObjectType(told.object_type)
    into.objectStatus = BSA_ObjectStatus.MOST_RECENT if found.most_recent else BSA_ObjectStatus.NOT_MOST_RECENT
    into.objectDescription = told.description
    into.objectInfo = bytes.fromhex(told.info)


class _Texts:
    """Reads texts of a descriptor; CallError with its code."""

    def __init__(self, code: ReturnCode) -> None:
        self._code = code

    def __call__(self, name: str, value: str) -> str:
        """The text, if it fits with its NUL."""
        try:
            size = len(value.encode())
        except (AttributeError, UnicodeEncodeError):
            raise CallError(self._code, f"{name} is no text that UTF-8 can hold") from None
        if "\0" in value:
            raise CallError(self._code, f"{name} has a NUL in it")
        if size >= LIMITS[name]:
            raise CallError(self._code, f"{name} has {size} bytes, {LIMITS[name] - 1} is the most")
        return value

    def pattern(self, name: str, value: str) -> str | None:
        """The same for a query; None when it matches all."""
        text = self(name, value)
        return None if text == "*" else text


def _one_of(name: str, value: int, allowed: tuple[int, ...]) -> int:
    if value not in allowed:
        raise CallError(_OBJECT, f"{name} {value!r} is none of an object: {', '.join(map(str, allowed))}")
    return int(value)


def _enum(name: str, value: int, kind: Callable[[int], int]) -> None:
    try:
        kind(value)
    except ValueError:
        raise CallError(_QUERY, f"{name}: {value!r} is no value of it") from None


def _whole(name: str, value: BSA_UInt64, code: ReturnCode) -> int:
    if value.left not in _HALF or value.right not in _HALF:
        raise CallError(code, f"{name}: each half has 32 bits")
    return int(value)


def _time(name: str, value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise CallError(_QUERY, f"{name} is a time with its zone")
    return value.astimezone(UTC)
