"""Objects of applications in the catalog: what they are, and which disk unit has them under which name."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from duplicator.catalog.database import CatalogError
from duplicator.catalog.expiry import end_copies
from duplicator.catalog.processes import identity
from duplicator.catalog.records import Copy, ObjectQuery, ObjectState, PendingObject, StoredObject
from duplicator.catalog.tables import CopyRow, ImageRow, JobRow, ObjectRow
from duplicator.catalog.transactions import Transactions, now
from ndmp.enums import DigestAlgorithm

__all__ = ["LARGEST_COPY_ID", "Objects", "object_image"]

LARGEST_COPY_ID: Final = (1 << 63) - 1
_LONGEST_READABLE: Final = 100
_PATTERNS: Final = ("bsa_owner", "app_owner", "space", "path", "resource_type", "description")
_EXACT: Final = ("user", "host", "copy_type", "object_type")


def object_image(path: str, copy_id: int) -> str:
    """The name of an object's image: something of its path that can be read, and its copy id."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", path.rstrip("/").rpartition("/")[2]).lstrip(".")[:_LONGEST_READABLE]
    return f"{readable or 'object'}.{copy_id:016x}.xbsa"


class Objects(Transactions):
    """The objects."""

    def new_object(
        self,
        *,
        user: str,
        host: str,
        bsa_owner: str,
        app_owner: str,
        space: str,
        path: str,
        copy_type: int,
        object_type: int,
        resource_type: str,
        description: str,
        info: bytes,
        estimated_size: int,
        unit: str,
        algorithm: DigestAlgorithm,
        restore_order: int = 0,
        created: datetime | None = None,
        is_free: Callable[[str], bool] = lambda _: True,
    ) -> StoredObject:
        """Record a pending object of this process; gives it its copy id and the name of its image.

        ``is_free``: whether an image may have this name: what lies under that of a pending object counts as its own.
        """
        values = {name: value for name, value in locals().items() if name not in ("self", "created", "is_free")}
        pid = os.getpid()
        values |= {"algorithm": int(algorithm), "created": now(created).replace(microsecond=0)}
        values |= {"pid": pid, "maker_host": socket.gethostname(), "process": identity(pid) or ""}
        values |= {"state": ObjectState.PENDING, "image": "", "size": 0, "digest": b""}
        values["series"] = _series(user, host, space, path, copy_type)
        with self._transaction(writes=True) as session:
            while True:
                row = ObjectRow(**values)
                session.add(row)
                session.flush()
                row.image = object_image(path, row.copy_id)
                if is_free(row.image):
                    return row.record(most_recent=False)
                session.delete(row)
                session.flush()

    def store_objects(self, kept: Mapping[int, tuple[int, bytes]], *, job_id: int | None = None) -> None:
        """What is pending is stored now, with its size and digest, by a job: all of these, or none. CatalogError."""
        with self._transaction(writes=True) as session:
            for copy_id, (size, digest) in kept.items():
                row = _find(session, copy_id)
                if row.state is not ObjectState.PENDING:
                    raise CatalogError(f"object {copy_id} is {row.state.value} already")
                row.state, row.size, row.digest, row.job_id = ObjectState.STORED, size, digest, job_id

    def drop_objects(self, copy_ids: Iterable[int]) -> int:
        """Forget objects, in whatever state; gives how many of them there were."""
        with self._transaction(writes=True) as session:
            gone = delete(ObjectRow).where(ObjectRow.copy_id.in_(list(copy_ids))).returning(ObjectRow.copy_id)
            return len(session.scalars(gone).all())

    def delete_objects(self, copy_ids: Iterable[int], is_copy: Callable[[Copy, StoredObject], bool]) -> None:
        """Stored objects are deleted now, and their copies on tape expired: all in one transaction, or nothing.

        ``is_copy``: whether a copy of an image of the same name is one of the object. CatalogError for an object that
        is not stored, and while a job writes a copy.
        """
        with self._transaction(writes=True) as session:
            gone: dict[str, StoredObject] = {}
            for copy_id in copy_ids:
                row = _find(session, copy_id)
                if row.state is not ObjectState.STORED:
                    raise CatalogError(f"there is no object {copy_id}")
                gone[row.image] = row.record(most_recent=False)
                row.state = ObjectState.DELETED
            named = CopyRow.image_id.in_(select(ImageRow.id).where(ImageRow.name.in_(gone)))
            copies = [row.record() for row in session.scalars(select(CopyRow).where(named)).all()]
            end_copies(session, [copy.id for copy in copies if is_copy(copy, gone[copy.image.name])])

    def deleted_objects(self) -> list[StoredObject]:
        """Those whose images are to be removed still, by copy id."""
        with self._transaction(writes=False) as session:
            return _records(session, ObjectRow.state == ObjectState.DELETED)

    def jobs_of_objects(self, copy_ids: Sequence[int]) -> dict[int, list[int]]:
        """The numbers of the jobs that stored each object, read it or copied its image, oldest first."""
        its = or_(JobRow.image == ObjectRow.image, JobRow.id == ObjectRow.job_id)
        pairs = select(ObjectRow.copy_id, JobRow.id).join(JobRow, its).where(ObjectRow.copy_id.in_(copy_ids))
        found: dict[int, list[int]] = {copy_id: [] for copy_id in copy_ids}
        with self._transaction(writes=False) as session:
            for copy_id, job_id in session.execute(pairs.order_by(JobRow.id)):
                found[copy_id].append(job_id)
        return found

    def learn_object(self, found: StoredObject) -> StoredObject:
        """Record a stored object under the copy id that it has; CatalogError if another has it."""
        values = {name: value for name, value in asdict(found).items() if name != "most_recent"}
        series = _series(found.user, found.host, found.space, found.path, found.copy_type)
        maker = {"pid": 0, "maker_host": "", "process": ""}
        with self._transaction(writes=True) as session:
            if session.get(ObjectRow, found.copy_id) is not None:
                raise CatalogError(f"the catalog knows object {found.copy_id} already")
            row = ObjectRow(**values | maker, series=series)
            row.algorithm = int(found.algorithm)
            session.add(row)
            session.flush()
            _count_on(session, found.copy_id)
            return _records(session, ObjectRow.copy_id == found.copy_id)[0]

    def object(self, copy_id: int) -> StoredObject:
        """One object, pending or stored; CatalogError if there is none of that copy id."""
        with self._transaction(writes=False) as session:
            _find(session, copy_id)
            return _records(session, ObjectRow.copy_id == copy_id)[0]

    def object_of(self, unit: str, image: str) -> StoredObject | None:
        """The object that is this image of a disk unit, pending or stored."""
        with self._transaction(writes=False) as session:
            return next(iter(_records(session, ObjectRow.unit == unit, ObjectRow.image == image)), None)

    def pending_objects(self) -> list[PendingObject]:
        """The objects of transactions that are not committed, and whether their processes are gone; oldest first."""
        with self._transaction(writes=False) as session:
            rows = select(ObjectRow).where(ObjectRow.state == ObjectState.PENDING).order_by(ObjectRow.copy_id)
            return [_pending(row) for row in session.scalars(rows)]

    def find_objects(self, query: ObjectQuery, *, after: int = 0, limit: int = 50) -> list[StoredObject]:
        """The first stored objects that match and have a greater copy id than ``after``, by copy id."""
        with self._transaction(writes=False) as session:
            wanted = _conditions(query, is_sqlite=session.get_bind().dialect.name == "sqlite")
            stored = ObjectRow.state == ObjectState.STORED, ObjectRow.copy_id > min(after, LARGEST_COPY_ID)
            return _records(session, *stored, *wanted, limit=limit)


def _series(*parts: str | int) -> bytes:
    return hashlib.blake2b("\0".join(map(str, parts)).encode(errors="surrogatepass"), digest_size=16).digest()


def _find(session: Session, copy_id: int) -> ObjectRow:
    row = session.get(ObjectRow, copy_id) if 0 < copy_id <= LARGEST_COPY_ID else None
    if row is None:
        raise CatalogError(f"there is no object {copy_id}")
    return row


def _count_on(session: Session, copy_id: int) -> None:
    """PostgreSQL counts numbers of its own giving only."""
    if session.get_bind().dialect.name == "postgresql":
        counter = func.pg_get_serial_sequence(ObjectRow.__tablename__, "copy_id")
        session.execute(select(func.setval(counter, func.greatest(func.nextval(counter), copy_id))))


def _is_newest() -> ColumnElement[bool]:
    newer = aliased(ObjectRow)
    order = tuple_(newer.created, newer.copy_id) > tuple_(ObjectRow.created, ObjectRow.copy_id)
    others = exists().where(newer.series == ObjectRow.series, newer.state == ObjectState.STORED, order)
    return (ObjectRow.state == ObjectState.STORED) & ~others


def _records(session: Session, *wanted: ColumnElement[bool], limit: int | None = None) -> list[StoredObject]:
    rows = select(ObjectRow, _is_newest()).where(*wanted).order_by(ObjectRow.copy_id).limit(limit)
    return [row.record(most_recent=bool(newest)) for row, newest in session.execute(rows)]


def _pending(row: ObjectRow) -> PendingObject:
    gone = row.maker_host == socket.gethostname() and identity(row.pid) != row.process
    return PendingObject(row.record(most_recent=False), row.pid, row.maker_host, gone)


def _conditions(query: ObjectQuery, *, is_sqlite: bool) -> Iterator[ColumnElement[bool]]:
    for name in _EXACT:
        if (value := getattr(query, name)) is not None:
            yield getattr(ObjectRow, name) == value
    for name in _PATTERNS:
        if (value := getattr(query, name)) is not None:
            yield _matches(getattr(ObjectRow, name), value, is_sqlite=is_sqlite)
    if query.created_from is not None:
        yield ObjectRow.created >= query.created_from
    if query.created_to is not None:
        yield ObjectRow.created <= query.created_to
    if query.most_recent is not None:
        yield _is_newest() if query.most_recent else ~_is_newest()


def _matches(column: InstrumentedAttribute[str], pattern: str, *, is_sqlite: bool) -> ColumnElement[bool]:
    """Case counts, and only * and ? mean something."""
    pattern = re.sub(r"\*+", "*", pattern)
    if "*" not in pattern and "?" not in pattern:
        return column == pattern
    if is_sqlite:
        # Its LIKE does not tell capital letters from small ones.
        return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%").replace("?", "_")
    return column.like(escaped, escape="\\")
