"""Calls as an application makes them, for tests: each step fails unless it gives what is expected."""

from __future__ import annotations

from duplicator.xbsa import calls
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.types import (
    BSA_DataBlock32,
    BSA_Handle,
    BSA_ObjectDescriptor,
    BSA_ObjectName,
    BSA_ObjectOwner,
    BSA_QueryDescriptor,
    BSA_UInt64,
    BSA_Vote,
    Size,
    Text,
)

OK = ReturnCode.SUCCESS
ENVIRONMENT = ("BSA_API_VERSION=1.1.0",)


def words() -> str:
    """What BSAGetLastError says."""
    size, text = Size(), Text()
    assert calls.BSAGetLastError(size, text) == OK
    assert calls.BSAGetLastError(size, text) == OK
    return text.value


def start(*more: str) -> int:
    """A session, and its handle."""
    handle = BSA_Handle()
    code = calls.BSAInit(handle, None, BSA_ObjectOwner("owner", "app"), (*ENVIRONMENT, *more))
    assert code == OK, words()
    return handle.value


def begin() -> int:
    """A session in a transaction."""
    handle = start()
    assert calls.BSABeginTxn(handle) == OK
    return handle


def new_object(path: str = "/db/full", *, estimate: int = 100) -> BSA_ObjectDescriptor:
    """What a program fills in."""
    return BSA_ObjectDescriptor(
        objectName=BSA_ObjectName("", path),
        copyType=3,
        objectType=2,
        resourceType="test",
        estimatedSize=BSA_UInt64.of(estimate),
    )


def everything(path: str = "*") -> BSA_QueryDescriptor:
    """A query for all objects of a pattern."""
    return BSA_QueryDescriptor(
        BSA_ObjectOwner("*", "*"), BSA_ObjectName("*", path), None, None, 1, "*", 1, 1, objectDescription="*"
    )


def block(content: bytes, size: int | None = None) -> BSA_DataBlock32:
    """A buffer to send, full unless it is larger."""
    room = bytearray(len(content) if size is None else size)
    room[: len(content)] = content
    return BSA_DataBlock32(bufferLen=len(room), numBytes=len(content), bufferPtr=room)


def create(handle: int, descriptor: BSA_ObjectDescriptor | None = None) -> int:
    """Begin an object; its copy id."""
    made = descriptor or new_object()
    code = calls.BSACreateObject(handle, made, BSA_DataBlock32())
    assert code == OK, words()
    return int(made.copyId)


def get(handle: int, copy_id: int) -> None:
    """Begin to get an object."""
    wanted = BSA_ObjectDescriptor(copyId=BSA_UInt64.of(copy_id))
    code = calls.BSAGetObject(handle, wanted, BSA_DataBlock32())
    assert code == OK, words()


def put(handle: int, *pieces: bytes, path: str = "/db/full") -> int:
    """A whole object."""
    copy_id = create(handle, new_object(path))
    for piece in pieces:
        assert calls.BSASendData(handle, block(piece)) == OK, words()
    assert calls.BSAEndData(handle) == OK, words()
    return copy_id


def commit(handle: int) -> None:
    """End the transaction well."""
    code = calls.BSAEndTxn(handle, BSA_Vote.COMMIT)
    assert code == OK, words()
