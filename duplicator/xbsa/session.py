"""XBSA for programs in Python: sessions and transactions as context managers, objects as files, errors as exceptions.

with xbsa.session() as s:
    with s.backup() as backup, backup.create("/db/full") as file:
        file.write(b"all of it")
    newest = s.newest("/db/full")
    with s.open(newest.copy_id) as file:
        shutil.copyfileobj(file, target)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from duplicator.xbsa import calls, session_state
from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.descriptors import show
from duplicator.xbsa.environment import API_VERSION
from duplicator.xbsa.files import ObjectFile, ObjectReader, ObjectWriter
from duplicator.xbsa.last_error import last_text
from duplicator.xbsa.types import (
    BSA_CopyType,
    BSA_DataBlock32,
    BSA_Handle,
    BSA_ObjectDescriptor,
    BSA_ObjectName,
    BSA_ObjectOwner,
    BSA_ObjectStatus,
    BSA_ObjectType,
    BSA_QueryDescriptor,
    BSA_UInt64,
    BSA_Vote,
)

if TYPE_CHECKING:
    from duplicator.xbsa.wire import ObjectFound, Place

__all__ = ["Backup", "FoundObject", "Session", "Versions", "XbsaError", "session"]

_UNKNOWN_SIZE: Final = 1
"""Any estimate but 0, which says that no data comes."""
_FINE: Final = (ReturnCode.SUCCESS, ReturnCode.NO_MORE_DATA, ReturnCode.NO_MATCH)


class XbsaError(Exception):
    """A call did not succeed; ``code`` says how, the text why."""

    def __init__(self, code: ReturnCode, text: str) -> None:
        self.code: Final = code
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object of the service; ``created`` in UTC."""

    copy_id: int
    path: str
    space: str
    owner: str
    app_owner: str
    created: datetime
    size: int
    copy_type: BSA_CopyType
    object_type: BSA_ObjectType
    resource_type: str
    description: str
    info: bytes
    most_recent: bool
    restore_order: int


@dataclass(frozen=True, slots=True)
class Versions:
    """An object, where its copies are, and the numbers of the jobs of its streams."""

    object: FoundObject
    places: tuple[Place, ...]
    jobs: tuple[int, ...]


@contextmanager
def session(
    *,
    owner: str = "",
    app_owner: str = "",
    environment: Mapping[str, str] | None = None,
    told: Callable[[str], None] | None = None,
) -> Iterator[Session]:
    """The session of this process. ``told`` hears what is being waited for, such as a drive. XbsaError."""
    handle = BSA_Handle()
    variables = {"BSA_API_VERSION": API_VERSION, **(environment or {})}
    assignments = [f"{name}={value}" for name, value in variables.items()]
    _check(calls.BSAInit(handle, None, BSA_ObjectOwner(owner, app_owner), assignments))
    try:
        if told:
            session_state.session(handle.value).told = told
        yield Session(handle.value, BSA_ObjectOwner(owner, app_owner))
    finally:
        calls.BSATerminate(handle.value)


class Session:
    """One transaction at a time; by one thread at a time."""

    def __init__(self, handle: int, owner: BSA_ObjectOwner) -> None:
        self.handle: Final = handle
        self.owner: Final = owner

    @contextmanager
    def backup(self) -> Iterator[Backup]:
        """A backup of objects that are there all together at the end of the block, or not at all. XbsaError."""
        with self._transaction():
            made = Backup(self)
            yield made
            made.audit_ended()

    def find(
        self,
        path: str = "*",
        *,
        space: str = "*",
        owner: str = "*",
        app_owner: str = "*",
        copy_type: BSA_CopyType = BSA_CopyType.ANY,
        object_type: BSA_ObjectType = BSA_ObjectType.ANY,
        status: BSA_ObjectStatus = BSA_ObjectStatus.ANY,
        resource_type: str = "*",
        description: str = "*",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[FoundObject]:
        """The objects that match; texts are patterns with * and ?, times have their zone and are inclusive."""
        query = BSA_QueryDescriptor(
            objectOwner=BSA_ObjectOwner(owner, app_owner),
            objectName=BSA_ObjectName(space, path),
            createTime_from=since,
            createTime_to=until,
            copyType=copy_type,
            resourceType=resource_type,
            objectType=object_type,
            objectStatus=status,
            objectDescription=description,
        )
        found: list[FoundObject] = []
        with self._transaction():
            descriptor = BSA_ObjectDescriptor()
            code = self.call("BSAQueryObject", query, descriptor)
            while code is ReturnCode.SUCCESS:
                found.append(_found(descriptor))
                code = self.call("BSAGetNextQueryObject", descriptor)
        return found

    def newest(self, path: str, *, space: str = "*") -> FoundObject:
        """The newest object with exactly this path; XbsaError with OBJECT_NOT_FOUND."""
        # A path may have an asterisk of its own, which matches more than itself.
        found = [one for one in self.find(path, space=space) if one.path == path]
        if not found:
            raise XbsaError(ReturnCode.OBJECT_NOT_FOUND, f"there is no object {path}")
        return max(found, key=lambda one: (one.created, one.copy_id))

    def object(self, copy_id: int) -> FoundObject:
        """The object with this id, of whatever host; XbsaError with OBJECT_NOT_FOUND."""
        with _translated():
            found = session_state.session(self.handle).service.one(int(_copy_id(copy_id)))
            if found is None:
                raise CallError(ReturnCode.OBJECT_NOT_FOUND, f"there is no object with copy id {copy_id}")
        return _shown(found)

    def open(self, copy_id: int) -> ObjectFile:
        """The object as a file to read from, in a transaction of its own until it is closed. XbsaError."""
        self.call("BSABeginTxn")
        try:
            self.call("BSAGetObject", BSA_ObjectDescriptor(copyId=_copy_id(copy_id)), BSA_DataBlock32())
        except BaseException:
            calls.BSAEndTxn(self.handle, BSA_Vote.ABORT)
            raise
        return ObjectFile(ObjectReader(self.call, self._end_restore))

    def delete(self, *copy_ids: int) -> None:
        """Delete these objects, all or none. XbsaError."""
        with self._transaction():
            for number in copy_ids:
                self.call("BSADeleteObject", _copy_id(number))

    def change(self, name: str, value: str) -> None:
        """Another value of an environment variable, from the next transaction on. XbsaError."""
        with _translated():
            session_state.session(self.handle).change(name, value)

    def history(self, path: str = "*") -> Iterator[Versions]:
        """All objects of a pattern, oldest first, and where their copies are. XbsaError."""
        after, more = 0, True
        while more:
            with _translated():
                page = session_state.session(self.handle).service.history(path, after)
            for found, places, jobs in page.entries:
                after = found.copy_id
                yield Versions(_shown(found), places, jobs)
            more = page.more and bool(page.entries)

    def call(self, name: str, *arguments: Any) -> ReturnCode:  # noqa: ANN401  (those of the call)
        """One of the 16 calls for this session; XbsaError unless it succeeds or tells the end of something."""
        code = cast("ReturnCode", getattr(calls, name)(self.handle, *arguments))
        return _check(code)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.call("BSABeginTxn")
        try:
            yield
            self.call("BSAEndTxn", BSA_Vote.COMMIT)
        except BaseException:
            # Refused if it is over already; that does no harm.
            calls.BSAEndTxn(self.handle, BSA_Vote.ABORT)
            raise

    def _end_restore(self, confirm: bool) -> None:
        vote = BSA_Vote.ABORT
        try:
            if confirm:
                self.call("BSAEndData")
                vote = BSA_Vote.COMMIT
        finally:
            calls.BSAEndTxn(self.handle, vote)


class Backup:
    """The objects of one transaction, one after the other."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._file: ObjectWriter | None = None

    def create(
        self,
        path: str,
        *,
        size: int | None = None,
        space: str = "",
        copy_type: BSA_CopyType = BSA_CopyType.BACKUP,
        object_type: BSA_ObjectType = BSA_ObjectType.FILE,
        resource_type: str = "file",
        description: str = "",
        info: bytes = b"",
    ) -> ObjectWriter:
        """A new object to write to; close it before the next. ``size``: about what comes, 0: nothing. XbsaError."""
        descriptor = BSA_ObjectDescriptor(
            objectOwner=self._session.owner,
            objectName=BSA_ObjectName(space, path),
            copyType=copy_type,
            estimatedSize=BSA_UInt64.of(_UNKNOWN_SIZE if size is None else size),
            resourceType=resource_type,
            objectType=object_type,
            objectDescription=description,
            objectInfo=info,
        )
        self._session.call("BSACreateObject", descriptor, BSA_DataBlock32())
        self._file = ObjectWriter(self._session.call, int(descriptor.copyId))
        return self._file

    def audit_ended(self) -> None:
        """XbsaError when an object is still open: what was meant to come is not known."""
        if self._file and not self._file.closed:
            raise XbsaError(ReturnCode.INVALID_CALL_SEQUENCE, "an object of the backup was not closed")


def _check(code: ReturnCode) -> ReturnCode:
    if code not in _FINE:
        raise XbsaError(code, last_text())
    return code


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except CallError as error:
        raise XbsaError(error.code, str(error)) from error


def _copy_id(number: int) -> BSA_UInt64:
    if number not in range(1 << 64):
        raise XbsaError(ReturnCode.INVALID_COPYID, f"{number} is no copy id")
    return BSA_UInt64.of(number)


def _shown(found: ObjectFound) -> FoundObject:
    descriptor = BSA_ObjectDescriptor()
    show(found, descriptor)
    return _found(descriptor)


def _found(shown: BSA_ObjectDescriptor) -> FoundObject:
    return FoundObject(
        copy_id=int(shown.copyId),
        path=shown.objectName.pathName,
        space=shown.objectName.objectSpaceName,
        owner=shown.objectOwner.bsa_ObjectOwner,
        app_owner=shown.objectOwner.app_ObjectOwner,
        created=cast("datetime", shown.createTime),
        size=int(shown.estimatedSize),
        copy_type=BSA_CopyType(shown.copyType),
        object_type=BSA_ObjectType(shown.objectType),
        resource_type=shown.resourceType,
        description=shown.objectDescription,
        info=shown.objectInfo,
        most_recent=shown.objectStatus == BSA_ObjectStatus.MOST_RECENT,
        restore_order=int(shown.restoreOrder),
    )
