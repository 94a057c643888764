"""Volumes that leave the catalog, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from duplicator.catalog.copies import needing
from duplicator.catalog.database import CatalogError
from duplicator.catalog.records import CopyState
from duplicator.catalog.tables import CopyRow, FragmentRow, TapeFileRow
from duplicator.catalog.transactions import Transactions, find_volume

__all__ = ["Forgetting"]


class Forgetting(Transactions):
    """The end of volumes."""

    def forget_volumes(self, labels: Sequence[str]) -> None:
        """Drop volumes, and fail the copies that need them: what those have elsewhere is dead. All, or none.

        CatalogError for a volume that is not known, or one that a job is writing a copy to.
        """
        with self._transaction(writes=True) as session:
            volumes = [find_volume(session, label) for label in labels]
            for copy in needing(session, labels).all():
                _fail(session, copy)
            session.execute(delete(TapeFileRow).where(TapeFileRow.volume.in_(labels)))
            for volume in volumes:
                session.delete(volume)


def _fail(session: Session, copy: CopyRow) -> None:
    if copy.state is CopyState.WRITING:
        raise CatalogError(f"a job is writing copy {copy.id}: cancel it first, or wait")
    copy.state, copy.validated = CopyState.FAILED, None
    session.execute(update(TapeFileRow).where(TapeFileRow.copy_id == copy.id).values(fragment=None))
    session.execute(delete(FragmentRow).where(FragmentRow.copy_id == copy.id))
