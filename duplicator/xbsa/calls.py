"""The 16 calls of XBSA 1.1.0. Each gives a return code; the words for it come from BSAGetLastError.

Each audits in the same order: the handle, then the order of calls, then its arguments. A refusal changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from duplicator.xbsa import blocks, descriptors
from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.environment import API_VERSION, Environment
from duplicator.xbsa.last_error import byte_count, call, last_text, room_for
from duplicator.xbsa.order import Event, State
from duplicator.xbsa.session_state import Cursor, Session, begin, current, session
from duplicator.xbsa.types import (
    LIMITS,
    BSA_ApiVersion,
    BSA_CopyType,
    BSA_DataBlock32,
    BSA_Handle,
    BSA_ObjectDescriptor,
    BSA_ObjectOwner,
    BSA_ObjectStatus,
    BSA_ObjectType,
    BSA_QueryDescriptor,
    BSA_UInt64,
    BSA_Vote,
    Size,
    Strings,
    Text,
)

__all__ = [
    "BSABeginTxn",
    "BSACreateObject",
    "BSADeleteObject",
    "BSAEndData",
    "BSAEndTxn",
    "BSAGetData",
    "BSAGetEnvironment",
    "BSAGetLastError",
    "BSAGetNextQueryObject",
    "BSAGetObject",
    "BSAInit",
    "BSAQueryApiVersion",
    "BSAQueryObject",
    "BSAQueryServiceProvider",
    "BSASendData",
    "BSATerminate",
]

Given = TypeVar("Given")
_PROVIDER: Final = ("ndmpdup", "xbsa", API_VERSION)
_VOTES: Final = {BSA_Vote.COMMIT: Event.COMMIT, BSA_Vote.ABORT: Event.ABORT}


@call
def BSAQueryApiVersion(version: BSA_ApiVersion | None) -> None:
    """The version of the interface; at any time."""
    version = _given(version)
    version.issue, version.version, version.level = map(int, API_VERSION.split("."))


@call
def BSAInit(
    handle: BSA_Handle | None,
    security_token: str | None,
    object_owner: BSA_ObjectOwner | None,
    environment: Iterable[str] | None,
) -> None:
    """Begin the session of this process. ``environment``: texts NAME=VALUE. The token has no meaning here."""
    handle, owner = _given(handle), _given(object_owner)
    if security_token is not None and byte_count(security_token) > LIMITS["securityToken"]:
        raise CallError(ReturnCode.AUTHENTICATION_FAILURE, f"a token has at most {LIMITS['securityToken'] - 1} bytes")
    descriptors.audit_owner(owner)
    made = begin(BSA_ObjectOwner(owner.bsa_ObjectOwner, owner.app_ObjectOwner), Environment(_given(environment)))
    handle.value = made.handle


@call
def BSATerminate(handle: int) -> None:
    """End the session; a transaction in it is aborted."""
    found = _session(handle, Event.TERMINATE)
    try:
        found.transaction.abort()
    finally:
        found.advance(Event.TERMINATE)


@call
def BSAGetEnvironment(handle: int, object_owner: BSA_ObjectOwner | None, environment: Strings | None) -> None:
    """The owner of BSAInit and the session's environment; BUFFER_TOO_SMALL copies nothing."""
    found = _session(handle, Event.GET_ENVIRONMENT)
    owner, environment = _given(object_owner), _given(environment)
    texts = [f"{name}={value}" for name, value in found.environment.items()]
    needed = Size(environment.size)
    fits = room_for(needed, sum(map(byte_count, texts)))
    environment.size = needed.value
    if not fits:
        raise CallError(ReturnCode.BUFFER_TOO_SMALL)
    environment.value[:] = texts
    owner.bsa_ObjectOwner, owner.app_ObjectOwner = found.owner.bsa_ObjectOwner, found.owner.app_ObjectOwner


@call
def BSAQueryServiceProvider(size: Size | None, delimiter: Text | None, provider: Text | None) -> None:
    """Who the service is, in three fields; at any time. BUFFER_TOO_SMALL copies nothing."""
    size, delimiter, provider = _given(size), _given(delimiter), _given(provider)
    running = current()
    between = running.environment.delimiter if running else "/"
    text = running.environment.get("BSA_SERVICE_PROVIDER", "") if running else ""
    text = text or between.join(_PROVIDER)
    if not room_for(size, byte_count(text)):
        raise CallError(ReturnCode.BUFFER_TOO_SMALL)
    delimiter.value, provider.value = between, text


def BSAGetLastError(size: Size | None, text: Text | None) -> ReturnCode:
    """The words of the last call that did not succeed. Size 0 asks for the size; 0 comes out when nothing is known."""
    if size is None or text is None:
        return ReturnCode.NULL_ARGUMENT
    asked, known = size.value, last_text()
    if not known:
        size.value = 0
        return ReturnCode.SUCCESS
    if room_for(size, byte_count(known)):
        text.value = known
        return ReturnCode.SUCCESS
    return ReturnCode.BUFFER_TOO_SMALL if asked else ReturnCode.SUCCESS


@call
def BSABeginTxn(handle: int) -> None:
    """Begin a transaction; what comes first in it says what kind it is."""
    _session(handle, Event.BEGIN_TXN).advance(Event.BEGIN_TXN)


@call
def BSAEndTxn(handle: int, vote: int) -> None:
    """End the transaction. ABORT always succeeds; a COMMIT that fails is TRANSACTION_ABORTED, and it is over too."""
    found = session(handle)
    event = _VOTES.get(vote)  # type: ignore[call-overload]
    if event is None:
        raise CallError(ReturnCode.INVALID_VOTE)
    found.audit(event)
    try:
        _commit(found) if event is Event.COMMIT else found.transaction.abort()
    finally:
        found.advance(event)


def _commit(found: Session) -> None:
    transaction = found.transaction
    if found.state is State.BROKEN:
        raise CallError(ReturnCode.TRANSACTION_ABORTED, transaction.broken)
    try:
        if transaction.backup:
            transaction.backup.commit()
        if transaction.deletions:
            found.service.delete(tuple(transaction.deletions))
    except CallError as error:
        raise CallError(ReturnCode.TRANSACTION_ABORTED, str(error)) from error


@call
def BSACreateObject(handle: int, descriptor: BSA_ObjectDescriptor | None, block: BSA_DataBlock32 | None) -> None:
    """Begin an object; fills its copyId, its time, and what the library wants of buffers. Estimate 0: no data comes."""
    found = _session(handle, Event.CREATE_OBJECT)
    descriptor, block = _given(descriptor), _given(block)
    message = descriptors.descriptor_message(descriptor)
    with found.transaction.backing_up() as stream:
        begun = stream.begin(message)
    found.transaction.short_block = False
    descriptor.copyId, descriptor.createTime = BSA_UInt64.of(begun.copy_id), begun.created
    descriptor.restoreOrder, descriptor.objectStatus = BSA_UInt64(), BSA_ObjectStatus.MOST_RECENT
    descriptor.copyType = BSA_CopyType(descriptor.copyType)
    descriptor.objectType = BSA_ObjectType(descriptor.objectType)
    blocks.prefer_any(block)
    found.advance(Event.CREATE_OBJECT if message.estimated_size else Event.CREATE_EMPTY_OBJECT)


@call
def BSASendData(handle: int, block: BSA_DataBlock32 | None) -> None:
    """The next bytes of the object; each buffer is full, but for its last."""
    found = _session(handle, Event.SEND_DATA)
    chunk, full = blocks.bytes_of(_given(block))
    transaction = found.transaction
    if transaction.short_block:
        raise CallError(ReturnCode.INVALID_DATABLOCK, "the buffer before this one was not full: it was the last")
    with transaction.backing_up() as stream:
        stream.send(chunk)
    transaction.short_block = not full


@call
def BSAGetObject(handle: int, descriptor: BSA_ObjectDescriptor | None, block: BSA_DataBlock32 | None) -> None:
    """Begin to get an object: only copyId counts. Comes back when its data flows, so a tape may be mounted first."""
    found = _session(handle, Event.GET_OBJECT)
    descriptor, block = _given(descriptor), _given(block)
    found.transaction.restore = found.service.start_restore(descriptors.copy_id_of(descriptor.copyId))
    found.transaction.failure = None
    blocks.prefer_any(block)
    found.advance(Event.GET_OBJECT)


@call
def BSAGetData(handle: int, block: BSA_DataBlock32 | None) -> ReturnCode:
    """The next bytes, a full buffer of them. NO_MORE_DATA comes with the last ones, or with none."""
    found = _session(handle, Event.GET_DATA)
    block = _given(block)
    room = blocks.room_of(block)
    transaction = found.transaction
    stream = transaction.restoring()
    try:
        block.numBytes, complete = stream.fill(room)
    except BaseException as error:
        transaction.lose(error)
        raise
    return ReturnCode.NO_MORE_DATA if complete else ReturnCode.SUCCESS


@call
def BSAEndData(handle: int) -> None:
    """The object's data is through, and both ends agree on it; or, of a restore, the rest is not wanted."""
    found = _session(handle, Event.END_DATA)
    if found.state is not State.RECEIVING:
        with found.transaction.backing_up() as backup:
            backup.finish()
        found.advance(Event.END_DATA)
        return
    try:
        found.transaction.restoring().end()
    finally:
        found.transaction.restore = None
        found.advance(Event.END_DATA)


@call
def BSAQueryObject(
    handle: int, query: BSA_QueryDescriptor | None, descriptor: BSA_ObjectDescriptor | None
) -> ReturnCode:
    """The first object that matches, or NO_MATCH; the others come by BSAGetNextQueryObject."""
    found = _session(handle, Event.QUERY_OBJECT)
    query, descriptor = _given(query), _given(descriptor)
    cursor = Cursor(found.service, descriptors.query_message(query, found.host))
    first = cursor.next()
    found.transaction.cursor = cursor if first else None
    found.advance(Event.QUERY_OBJECT)
    if first is None:
        return ReturnCode.NO_MATCH
    descriptors.show(first, descriptor)
    return ReturnCode.SUCCESS


@call
def BSAGetNextQueryObject(handle: int, descriptor: BSA_ObjectDescriptor | None) -> ReturnCode:
    """The next object of the query, or NO_MORE_DATA."""
    found = _session(handle, Event.GET_NEXT_QUERY_OBJECT)
    descriptor = _given(descriptor)
    cursor = found.transaction.cursor
    if cursor is None:
        raise CallError(ReturnCode.INVALID_CALL_SEQUENCE, "no query found anything in this transaction")
    following = cursor.next()
    if following is None:
        return ReturnCode.NO_MORE_DATA
    descriptors.show(following, descriptor)
    return ReturnCode.SUCCESS


@call
def BSADeleteObject(handle: int, copy_id: BSA_UInt64 | None) -> None:
    """Delete an object when the transaction commits; until then it is found."""
    found = _session(handle, Event.DELETE_OBJECT)
    number = descriptors.copy_id_of(_given(copy_id))
    if found.service.one(number) is None:
        raise CallError(ReturnCode.OBJECT_NOT_FOUND, f"there is no object with copy id {number}")
    found.transaction.deletions[number] = None
    found.advance(Event.DELETE_OBJECT)


def _session(handle: int, event: Event) -> Session:
    """The session, if this call is allowed now."""
    found = session(handle)
    found.audit(event)
    return found


def _given(argument: Given | None) -> Given:
    if argument is None:
        raise CallError(ReturnCode.NULL_ARGUMENT)
    return argument
