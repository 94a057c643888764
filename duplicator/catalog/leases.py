"""Who has which drive, library or volume for itself, over all processes and hosts that share a catalog."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from duplicator.catalog.database import CatalogError
from duplicator.catalog.processes import identity
from duplicator.catalog.records import DriveUse, Lease, Resource
from duplicator.catalog.tables import DriveRow, LeaseRow, LineRow
from duplicator.catalog.transactions import Transactions

__all__ = ["LEASE_SECONDS", "Leases", "clock_of", "is_void"]

LEASE_SECONDS: Final = 300.0
"""How long another host believes in a lease of a process that does not renew it."""


class Leases(Transactions):
    """Leases of resources, and what is known of drives."""

    def take(
        self,
        owner: str,
        wanted: Collection[Resource],
        *,
        job_id: int | None = None,
        seconds: float = LEASE_SECONDS,
        time: datetime | None = None,
    ) -> bool:
        """Have all of these for ``owner``, beside what it has; False, and nothing taken, if others have one of them.

        A lease is void when its process is gone from this host, or, of another host, when its time is over.
        ``owner``: a text that no other user of the catalog has.
        """
        with self._transaction(writes=True) as session:
            clock = clock_of(session, time)
            rows = _remove_void(session, _rows(session, wanted), clock)
            if any(row.owner != owner for row in rows):
                return False
            mine = {Resource(row.kind, row.name) for row in rows}
            session.add_all(_lease(owner, resource, job_id) for resource in wanted if resource not in mine)
            _renew(session, owner, clock + timedelta(seconds=seconds))
            return True

    def renew(self, owner: str, *, seconds: float = LEASE_SECONDS, time: datetime | None = None) -> set[Resource]:
        """Say that the owner still uses what it has; gives what that is: what others took meanwhile is not in it."""
        with self._transaction(writes=True) as session:
            _renew(session, owner, clock_of(session, time) + timedelta(seconds=seconds))
            rows = session.scalars(select(LeaseRow).where(LeaseRow.owner == owner))
            return {Resource(row.kind, row.name) for row in rows}

    def wait_for(self, owner: str, pool: str) -> None:
        """Tell others that the owner waits for another volume of this pool; empty: that it does not any more."""
        with self._transaction(writes=True) as session:
            session.execute(update(LeaseRow).where(LeaseRow.owner == owner).values(waits_for=pool))

    def release(self, owner: str, resources: Iterable[Resource] | None = None) -> None:
        """Give back what the owner has, all of it or only these."""
        only = [] if resources is None else [_is_among(resources)]
        with self._transaction(writes=True) as session:
            session.execute(delete(LeaseRow).where(LeaseRow.owner == owner, *only))

    def leases(self, *, time: datetime | None = None) -> list[Lease]:
        """All leases that hold, by resource."""
        with self._transaction(writes=False) as session:
            clock = clock_of(session, time)
            rows = session.scalars(select(LeaseRow).order_by(LeaseRow.kind, LeaseRow.name))
            return [row.record() for row in rows if not is_void(row, clock)]

    # Drives.

    def drive_uses(self) -> dict[str, DriveUse]:
        """What is known of the drives, by name."""
        with self._transaction(writes=False) as session:
            return {row.name: row.record() for row in session.scalars(select(DriveRow).order_by(DriveRow.name))}

    def update_drive(
        self, name: str, *, volume: str | None = None, used: datetime | None = None, down: str | None = None
    ) -> None:
        """Change what is given; a volume in a drive is in no other."""
        with self._transaction(writes=True) as session:
            row = session.get(DriveRow, name)
            if row is None:
                row = DriveRow(name=name, volume="", down="")
                session.add(row)
            if volume:
                for other in session.scalars(select(DriveRow).where(DriveRow.volume == volume, DriveRow.name != name)):
                    other.volume = ""
            row.volume = row.volume if volume is None else volume
            row.last_used = row.last_used if used is None else used
            row.down = row.down if down is None else down


def clock_of(session: Session, time: datetime | None) -> datetime:
    """The time that all hosts have in common: the database server's, where there is one."""
    if time is not None:
        return time
    if session.get_bind().dialect.name == "postgresql":
        found: datetime | None = session.scalar(select(func.clock_timestamp()))
        assert found is not None
        return found
    return datetime.now(UTC)


def _is_among(resources: Iterable[Resource]) -> ColumnElement[bool]:
    return tuple_(LeaseRow.kind, LeaseRow.name).in_([(resource.kind, resource.name) for resource in resources])


def _rows(session: Session, resources: Iterable[Resource]) -> Sequence[LeaseRow]:
    return session.scalars(select(LeaseRow).where(_is_among(resources))).all()


def is_void(row: LeaseRow | LineRow, clock: datetime) -> bool:
    """Whether the process of this row is gone, as far as this host can tell."""
    if row.host == socket.gethostname():
        return identity(row.pid) != row.process
    return row.until < clock


def _remove_void(session: Session, rows: Iterable[LeaseRow], clock: datetime) -> list[LeaseRow]:
    kept = []
    for row in rows:
        if is_void(row, clock):
            session.delete(row)
        else:
            kept.append(row)
    session.flush()
    return kept


def _lease(owner: str, resource: Resource, job_id: int | None) -> LeaseRow:
    pid = os.getpid()
    process = identity(pid)
    if process is None:
        raise CatalogError("this process cannot be told from others")
    host = socket.gethostname()
    values = {"owner": owner, "job_id": job_id, "pid": pid, "host": host, "process": process, "waits_for": ""}
    return LeaseRow(kind=resource.kind, name=resource.name, until=datetime.max.replace(tzinfo=UTC), **values)


def _renew(session: Session, owner: str, until: datetime) -> None:
    session.flush()
    session.execute(update(LeaseRow).where(LeaseRow.owner == owner).values(until=until))
