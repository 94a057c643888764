"""Volumes that leave the catalog, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from duplicator.catalog.database import CatalogError
from duplicator.catalog.records import Copy, CopyState
from duplicator.catalog.tables import CopyRow, FragmentRow, TapeFileRow
from duplicator.catalog.transactions import Transactions, find_volume

__all__ = ["Forgetting"]

_LIVE: Final = (CopyState.WRITING, CopyState.INCOMPLETE, CopyState.WRITTEN, CopyState.VALID)


class Forgetting(Transactions):
    """What volumes hold in sum, and their end."""

    def dead_bytes(self) -> Mapping[str, int]:
        """Bytes on each volume that no fragment needs; volumes without any are left out."""
        dead = select(TapeFileRow.volume, func.sum(TapeFileRow.room)).where(TapeFileRow.fragment.is_(None))
        with self._transaction(writes=False) as session:
            return {volume: int(room) for volume, room in session.execute(dead.group_by(TapeFileRow.volume))}

    def copies_on(self, labels: Sequence[str]) -> list[Copy]:
        """The copies that need one of these volumes, oldest first; failed and expired ones need nothing."""
        with self._transaction(writes=False) as session:
            return [row.record() for row in session.scalars(_needing(labels))]

    def forget_volumes(self, labels: Sequence[str]) -> None:
        """Drop volumes, and fail the copies that need them: what those have elsewhere is dead. All, or none.

        CatalogError for a volume that is not known, or one that a job is writing a copy to.
        """
        with self._transaction(writes=True) as session:
            volumes = [find_volume(session, label) for label in labels]
            for copy in session.scalars(_needing(labels)).all():
                _fail(session, copy)
            session.execute(delete(TapeFileRow).where(TapeFileRow.volume.in_(labels)))
            for volume in volumes:
                session.delete(volume)


def _needing(labels: Sequence[str]) -> Select[CopyRow]:
    needed = TapeFileRow.volume.in_(labels), TapeFileRow.fragment.is_not(None)
    there = CopyRow.id.in_(select(TapeFileRow.copy_id).where(*needed))
    return select(CopyRow).where(there, CopyRow.state.in_(_LIVE)).order_by(CopyRow.created, CopyRow.id)


def _fail(session: Session, copy: CopyRow) -> None:
    if copy.state is CopyState.WRITING:
        raise CatalogError(f"a job is writing copy {copy.id}: cancel it first, or wait")
    copy.state, copy.validated = CopyState.FAILED, None
    session.execute(update(TapeFileRow).where(TapeFileRow.copy_id == copy.id).values(fragment=None))
    session.execute(delete(FragmentRow).where(FragmentRow.copy_id == copy.id))
