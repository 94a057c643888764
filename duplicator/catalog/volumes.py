"""Volumes in the catalog: their labels, states and places."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, TypedDict, Unpack

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from duplicator.ansi import check_volume_id
from duplicator.catalog.copies import needing
from duplicator.catalog.database import CatalogError
from duplicator.catalog.records import TapeFile, Volume, VolumeState
from duplicator.catalog.tables import TapeFileRow, VolumeRow
from duplicator.catalog.transactions import Transactions, find_volume, now

__all__ = ["VolumeChanges", "Volumes", "empty_volume"]

_LABEL_PREFIX: Final = "ND"
_LAST_LABEL_NUMBER: Final = 9999


class VolumeChanges(TypedDict, total=False):
    """What can be changed of a volume, by the names of :class:`Volume`; what is None or absent stays."""

    state: VolumeState | None
    pool: str | None
    barcode: str | None
    media: str | None
    location: str | None
    tape_url: str | None
    files: int | None
    capacity: int | None
    mounts: int | None
    last_written: datetime | None


class Volumes(Transactions):
    """The volumes."""

    def add_volume(
        self,
        label: str,
        *,
        tape_url: str,
        state: VolumeState = VolumeState.APPENDABLE,
        pool: str = "",
        barcode: str = "",
        media: str = "",
        location: str = "",
        created: datetime | None = None,
    ) -> Volume:
        """Record a new volume; CatalogError when the label is taken."""
        row = empty_volume(label, tape_url, state=state, pool=pool, created=created)
        row.barcode, row.media, row.location = barcode, media, location
        with self._transaction(writes=True) as session:
            session.add(row)
            session.flush()
            return row.record()

    def reserve_volume(self, tape_url: str, label: str | None = None, *, pool: str = "") -> str:
        """Record a new volume before its tape is labelled, so that no other job takes the label; gives the label.

        Without ``label`` it is the next free one; CatalogError when the label is known, or none is free.
        """
        with self._transaction(writes=True) as session:
            taken = _next_label(session) if label is None else label
            if session.get(VolumeRow, taken) is not None:
                raise CatalogError(f"the catalog knows volume {taken} already")
            session.add(empty_volume(taken, tape_url, pool=pool))
            return taken

    def update_volume(self, label: str, **changes: Unpack[VolumeChanges]) -> Volume:
        """Change what is given."""
        with self._transaction(writes=True) as session:
            row = find_volume(session, label)
            for name, value in changes.items():
                if value is not None:
                    setattr(row, name, value)
            return row.record()

    def count_mount(self, label: str) -> None:
        """The volume was brought into a drive once more."""
        with self._transaction(writes=True) as session:
            find_volume(session, label).mounts += 1

    def clear_volume(self, label: str) -> None:
        """The volume has a fresh label: nothing that was on it is there any more. CatalogError if a copy needs it."""
        with self._transaction(writes=True) as session:
            row = find_volume(session, label)
            copy = needing(session, [label]).first()
            if copy is not None:
                raise CatalogError(f"copy {copy.id} on volume {label} is {copy.state.value}")
            session.execute(delete(TapeFileRow).where(TapeFileRow.volume == label))
            if row.files:
                row.files, row.size, row.generation = 0, 0, row.generation + 1

    def volume(self, label: str) -> Volume | None:
        """One volume, or None when the catalog does not know it."""
        with self._transaction(writes=False) as session:
            row = session.get(VolumeRow, label)
            return row.record() if row else None

    def volumes(self) -> list[Volume]:
        """All volumes by label."""
        with self._transaction(writes=False) as session:
            return [row.record() for row in session.scalars(select(VolumeRow).order_by(VolumeRow.label))]

    def volume_files(self, label: str, *, since: int = 1) -> list[TapeFile]:
        """The tape files of ours on a volume, from number ``since`` on, in their order; dead ones too."""
        wanted = TapeFileRow.volume == label, TapeFileRow.file_sequence >= since
        rows = select(TapeFileRow).where(*wanted).order_by(TapeFileRow.file_sequence)
        with self._transaction(writes=False) as session:
            return [row.record() for row in session.scalars(rows)]


def _next_label(session: Session) -> str:
    labels = session.scalars(select(VolumeRow.label).where(VolumeRow.label.startswith(_LABEL_PREFIX)))
    numbers = [int(label[2:]) for label in labels if re.fullmatch(f"{_LABEL_PREFIX}[0-9]{{4}}", label)]
    number = max(numbers, default=0) + 1
    if number > _LAST_LABEL_NUMBER:
        raise CatalogError(f"all labels up to {_LABEL_PREFIX}{_LAST_LABEL_NUMBER} are used: choose one by hand")
    return f"{_LABEL_PREFIX}{number:04}"


def empty_volume(
    label: str,
    tape_url: str,
    *,
    state: VolumeState = VolumeState.APPENDABLE,
    pool: str = "",
    created: datetime | None = None,
) -> VolumeRow:
    return VolumeRow(
        label=check_volume_id(label),
        state=state,
        pool=pool,
        barcode="",
        media="",
        location="",
        tape_url=tape_url,
        files=0,
        size=0,
        created=now(created),
        mounts=0,
        generation=1,
    )
