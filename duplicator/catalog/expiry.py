"""Copies that are not needed any more, the volumes that this frees, and what takes how much room where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from duplicator.catalog.copies import needing
from duplicator.catalog.database import CatalogError
from duplicator.catalog.leases import clock_of, is_void
from duplicator.catalog.records import LIVE_COPIES, Account, CopyState, ResourceKind, VolumeState
from duplicator.catalog.tables import CopyRow, FragmentRow, LeaseRow, TapeFileRow, VolumeRow
from duplicator.catalog.transactions import Transactions, find_copy, now

__all__ = ["Expired", "Expiry", "end_copies"]

_EXPIRE: Final = LIVE_COPIES - {CopyState.WRITING} | {CopyState.FAILED}
_FREED: Final = frozenset({VolumeState.APPENDABLE, VolumeState.FULL})
"""States that say no more than how full a volume is."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What one round of expiry did: copies that ended, volumes that became scratch, copies that are forgotten."""

    copies: tuple[str, ...]
    volumes: tuple[str, ...]
    forgotten: tuple[str, ...]


class Expiry(Transactions):
    """The end of copies."""

    def expire(
        self, copy_ids: Sequence[str] | None = None, *, time: datetime | None = None, dry_run: bool = False
    ) -> Expired:
        """Expire these copies, whatever their time, or all that are due; free their volumes; forget what is gone.

        All in one transaction, and nothing at all of it when it is a ``dry_run``. CatalogError while a job writes one.
        """
        with self._transaction(writes=True) as session:
            trial = session.begin_nested()
            copies = _expire_due(session, now(time)) if copy_ids is None else _expire_all(session, copy_ids)
            volumes, gone = _free_volumes(session), _forget_gone(session)
            if dry_run:
                trial.rollback()
            return Expired(tuple(copies), tuple(volumes), tuple(gone))

    def expire_due(self, *, time: datetime | None = None) -> list[str]:
        """Mark copies whose time is over as expired, but those that a job is writing; gives their ids."""
        with self._transaction(writes=True) as session:
            return _expire_due(session, now(time))

    def expire_copy(self, copy_id: str) -> None:
        """Mark one copy as expired, whatever its time; CatalogError while a job writes it."""
        with self._transaction(writes=True) as session:
            _expire_all(session, [copy_id])

    def free_volumes(self) -> list[str]:
        """Make volumes scratch on which no copy needs anything; gives their labels.

        Not those that a job has, that never held a copy, or with tape files that the catalog does not know.
        """
        with self._transaction(writes=True) as session:
            return _free_volumes(session)

    def forget_copy(self, copy_id: str) -> None:
        """Drop a failed or expired copy of which nothing is on a volume; CatalogError for others."""
        with self._transaction(writes=True) as session:
            row = find_copy(session, copy_id)
            if row.state in LIVE_COPIES:
                raise CatalogError(f"copy {copy_id} is {row.state.value}")
            there = session.scalars(select(TapeFileRow.volume).where(TapeFileRow.copy_id == copy_id)).first()
            if there is not None:
                raise CatalogError(f"copy {copy_id} takes room on volume {there}")
            _forget(session, row)

    def accounts(self) -> list[Account]:
        """What the bytes on each volume are, by label."""
        with self._transaction(writes=False) as session:
            sums, files = _sums(session)
            volumes = session.execute(select(VolumeRow.label, VolumeRow.files).order_by(VolumeRow.label))
            return [_account(label, sums, unknown_files=count - files[label]) for label, count in volumes]


def _expire_due(session: Session, time: datetime) -> list[str]:
    due = CopyRow.expires <= time, CopyRow.state.in_(_EXPIRE)
    rows = session.scalars(select(CopyRow).where(*due).order_by(CopyRow.created, CopyRow.id)).all()
    for row in rows:
        row.state, row.validated = CopyState.EXPIRED, None
    session.flush()
    return [row.id for row in rows]


def end_copies(session: Session, copy_ids: Sequence[str]) -> None:
    """Expire these copies, and what follows of it; CatalogError while a job writes one."""
    if copy_ids:
        _expire_all(session, copy_ids)
        _free_volumes(session)
        _forget_gone(session)


def _expire_all(session: Session, copy_ids: Sequence[str]) -> list[str]:
    rows = [find_copy(session, copy_id) for copy_id in copy_ids]
    for row in rows:
        if row.state is CopyState.WRITING:
            raise CatalogError(f"a job is writing copy {row.id}: cancel it first, or wait")
    changed = [row for row in rows if row.state is not CopyState.EXPIRED]
    for row in changed:
        row.state, row.validated = CopyState.EXPIRED, None
    session.flush()
    return [row.id for row in changed]


def _free_volumes(session: Session) -> list[str]:
    clock = clock_of(session, None)
    leases = session.scalars(select(LeaseRow).where(LeaseRow.kind == ResourceKind.VOLUME))
    leased = [row.name for row in leases if not is_void(row, clock)]
    usable = VolumeRow.state.in_(_FREED), VolumeRow.files > 0, VolumeRow.label.not_in(leased)
    freed = [row for row in session.scalars(select(VolumeRow).where(*usable)) if _is_free(session, row)]
    for row in freed:
        row.state = VolumeState.SCRATCH
    session.flush()
    return sorted(row.label for row in freed)


def _forget_gone(session: Session) -> list[str]:
    """Drop expired copies whose volumes have all been labelled anew."""
    held = select(TapeFileRow.copy_id)
    gone = CopyRow.state == CopyState.EXPIRED, CopyRow.id.not_in(held)
    rows = session.scalars(select(CopyRow).where(*gone).order_by(CopyRow.created, CopyRow.id)).all()
    for row in rows:
        _forget(session, row)
    return [row.id for row in rows]


def _forget(session: Session, row: CopyRow) -> None:
    for fragment in session.scalars(select(FragmentRow).filter_by(copy_id=row.id)):
        session.delete(fragment)
    session.flush()
    session.delete(row)
    session.flush()


def _is_free(session: Session, row: VolumeRow) -> bool:
    known = session.scalar(select(func.count()).where(TapeFileRow.volume == row.label))
    return known == row.files and needing(session, [row.label]).first() is None


def _sums(session: Session) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Bytes by volume and kind, tape files by volume."""
    needed = TapeFileRow.fragment.is_not(None)
    parts = select(TapeFileRow.volume, needed, CopyRow.state, func.sum(TapeFileRow.room), func.count())
    grouped = parts.join(CopyRow, CopyRow.id == TapeFileRow.copy_id).group_by(TapeFileRow.volume, needed, CopyRow.state)
    sums: Counter[tuple[str, str]] = Counter()
    files: Counter[str] = Counter()
    for volume, is_needed, state, room, count in session.execute(grouped):
        sums[volume, _kind(state, is_needed=is_needed)] += int(room)
        files[volume] += count
    return sums, files


def _kind(state: CopyState, *, is_needed: bool) -> str:
    if state is CopyState.FAILED:
        return "failed"
    return "live" if is_needed and state in LIVE_COPIES else "dead"


def _account(label: str, sums: Counter[tuple[str, str]], *, unknown_files: int) -> Account:
    live, failed, dead = (sums[label, kind] for kind in ("live", "failed", "dead"))
    return Account(label, live=live, failed=failed, dead=dead, unknown_files=unknown_files)
