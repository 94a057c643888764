"""Images and their copies in the catalog, and where each byte of a copy lies."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ScalarResult, delete, func, select, update
from sqlalchemy.orm import Session, selectinload

from duplicator.catalog.database import CatalogError
from duplicator.catalog.jobs import leave_copy, leave_unfinished
from duplicator.catalog.records import LIVE_COPIES, Copy, CopyState, Fragment, Image, Section, VolumeState
from duplicator.catalog.tables import CopyRow, FragmentRow, ImageRow, TapeFileRow
from duplicator.catalog.transactions import Transactions, find_copy, find_job, find_volume, now
from ndmp.enums import DigestAlgorithm

__all__ = ["Copies", "needing"]

_ID_LETTERS: Final = len(str(uuid.UUID(int=0)))


class Copies(Transactions):
    """Images, copies, fragments and their sections."""

    def record_image(self, *, host: str, unit: str, name: str, size: int, modified: int, fragments: int) -> Image:
        """The image's entry, made if it is new; an image that changed is another one."""
        key = {"host": host, "unit": unit, "name": name, "size": size, "modified": modified}
        with self._transaction(writes=True) as session:
            row = session.scalars(select(ImageRow).filter_by(**key)).one_or_none()
            if row is None:
                row = ImageRow(**key, fragments=fragments)
                session.add(row)
                session.flush()
            return row.record()

    def measure_image(self, copy_id: str, size: int) -> None:
        """The size of a copy's image has turned out; another image of that size, the same by all else, is the same."""
        with self._transaction(writes=True) as session:
            copy = find_copy(session, copy_id)
            image = copy.image
            same = {name: getattr(image, name) for name in ("host", "unit", "name", "modified")}
            other = session.scalars(select(ImageRow).filter_by(**same, size=size)).one_or_none()
            if other is None:
                image.size = size
            elif other is not image:
                last = session.scalar(select(func.max(CopyRow.number)).where(CopyRow.image_id == other.id))
                copy.image, copy.number = other, (last or 0) + 1

    def start_copy(
        self,
        *,
        image_id: int,
        job_id: int | None,
        tape_url: str,
        algorithm: DigestAlgorithm,
        record_bytes: int,
        copy_id: str | None = None,
        route: str = "",
        expires: datetime | None = None,
        created: datetime | None = None,
    ) -> str:
        """Record a copy in state WRITING, and in its job; gives its id, a uuid. The URL holds no secret."""
        row = CopyRow(
            id=copy_id or str(uuid.uuid4()),
            image_id=image_id,
            job_id=job_id,
            state=CopyState.WRITING,
            tape_url=tape_url,
            algorithm=int(algorithm),
            record_bytes=record_bytes,
            created=now(created),
            attempts=1,
            validation="",
            expires=expires,
            route=route,
        )
        with self._transaction(writes=True) as session:
            last = session.scalar(select(func.max(CopyRow.number)).where(CopyRow.image_id == image_id))
            row.number = (last or 0) + 1
            session.add(row)
            session.flush()
            if job_id is not None:
                find_job(session, job_id).copy_id = row.id
            return row.id

    # Where it lies.

    def add_section(
        self, copy_id: str, fragment_index: int, name: str, section: Section, *, time: datetime | None = None
    ) -> None:
        """Record a complete tape file, as soon as its trailer is on tape; counts it on its volume."""
        with self._transaction(writes=True) as session:
            _add_section(session, find_copy(session, copy_id), (fragment_index, name), section, time=now(time))

    def commit_fragment(self, copy_id: str, index: int, size: int, digest: bytes) -> None:
        """All sections of a fragment are on tape: it is not lost from now on. CatalogError when bytes are missing."""
        with self._transaction(writes=True) as session:
            _commit(session, copy_id, index, size=size, digest=digest)

    def abandon_sections(self, copy_id: str, index: int) -> None:
        """Leave what was written of a fragment as dead space on its volumes; the fragment can be begun again.

        A committed fragment is not abandoned: CatalogError.
        """
        with self._transaction(writes=True) as session:
            row = session.get(FragmentRow, (find_copy(session, copy_id).id, index))
            if row is None:
                return
            if row.size is not None:
                raise CatalogError(f"fragment {index} of copy {copy_id} is committed")
            _abandon(session, row)

    def add_dead_file(self, copy_id: str, fragment_index: int, section: Section) -> None:
        """Record a tape file as dead space: it was found on its volume, and the catalog was never told of it.

        Nothing is recorded for a copy that the catalog does not know.
        """
        with self._transaction(writes=True) as session:
            copy = session.get(CopyRow, copy_id)
            if copy is not None:
                find_volume(session, section.volume).size += section.blocks * copy.record_bytes
                row = _tape_file(copy, fragment_index, section)
                row.fragment = None
                session.add(row)

    def add_fragments(self, copy_id: str, fragments: Sequence[Fragment]) -> None:
        """Record whole fragments, with their sections, and count the files on their volumes: all, or none."""
        time = now()
        with self._transaction(writes=True) as session:
            copy = find_copy(session, copy_id)
            for fragment in fragments:
                for section in fragment.sections:
                    _add_section(session, copy, (fragment.index, fragment.name), section, time=time)
                _commit(session, copy_id, fragment.index, size=fragment.size, digest=fragment.digest)

    def resume_copy(self, copy_id: str, job_id: int) -> int:
        """A job goes on with a copy, whose state is WRITING again; gives how often it was begun by now.

        What is on tape of fragments that are not whole is dead space: they are begun again. CatalogError for an expired
        copy: its volumes may be in use for others.
        """
        with self._transaction(writes=True) as session:
            row = find_copy(session, copy_id)
            if row.state is CopyState.EXPIRED:
                raise CatalogError(f"copy {copy_id} is expired")
            leave_unfinished(session, row)
            row.state, row.validated, row.attempts = CopyState.WRITING, None, row.attempts + 1
            find_job(session, job_id).copy_id = row.id
            return row.attempts

    def stop_copy(self, copy_id: str) -> None:
        """Nobody writes the copy any more: INCOMPLETE if a job can go on with what is committed, else FAILED.

        What was not committed is dead space.
        """
        with self._transaction(writes=True) as session:
            leave_copy(session, copy_id)

    # What becomes of it.

    def set_copy_state(
        self, copy_id: str, state: CopyState, *, validation: str | None = None, time: datetime | None = None
    ) -> None:
        """Move a copy to another state; VALID takes the time of validation along, any other clears it.

        ``validation``: how it was checked.
        """
        with self._transaction(writes=True) as session:
            row = find_copy(session, copy_id)
            row.state, row.validated = state, now(time) if state is CopyState.VALID else None
            row.validation = row.validation if validation is None else validation

    def update_copy(self, copy_id: str, *, route: str | None = None, tape_url: str | None = None) -> None:
        """Change what is given."""
        with self._transaction(writes=True) as session:
            row = find_copy(session, copy_id)
            row.route = row.route if route is None else route
            row.tape_url = row.tape_url if tape_url is None else tape_url

    def set_expiry(self, copy_id: str, expires: datetime | None) -> None:
        """Say from when on a copy is not needed; None: it is always."""
        with self._transaction(writes=True) as session:
            find_copy(session, copy_id).expires = expires

    def use_copy(self, job_id: int, copy_id: str) -> None:
        """Record which copy a job verifies, restores or goes on with."""
        with self._transaction(writes=True) as session:
            find_job(session, job_id).copy_id = find_copy(session, copy_id).id

    def copy(self, prefix: str) -> Copy:
        """The copy whose id begins so; CatalogError when none does, or more than one."""
        begins = prefix.lower()
        # The whole id is found by the key; a part of it by looking at all copies.
        match = CopyRow.id == begins if len(begins) == _ID_LETTERS else CopyRow.id.startswith(begins, autoescape=True)
        with self._transaction(writes=False) as session:
            rows = session.scalars(select(CopyRow).where(match).limit(2)).all()
            if len(rows) != 1:
                raise CatalogError(f"{'more than one' if rows else 'no'} copy has an id that begins with {prefix!r}")
            return rows[0].record()

    def copies_on(self, volumes: str | Sequence[str]) -> list[Copy]:
        """The copies that need something on this volume, or one of these; oldest first.

        Failed and expired ones need nothing.
        """
        with self._transaction(writes=False) as session:
            rows = needing(session, [volumes] if isinstance(volumes, str) else volumes)
            return [row.record() for row in rows]

    def copies_of_image(self, name: str) -> list[Copy]:
        """The copies of all images of that name, oldest first."""
        named = CopyRow.image_id.in_(select(ImageRow.id).where(ImageRow.name == name))
        with self._transaction(writes=False) as session:
            rows = session.scalars(select(CopyRow).where(named).order_by(CopyRow.created, CopyRow.id))
            return [row.record() for row in rows]

    def copies(self) -> list[Copy]:
        """All copies, oldest first."""
        whole = selectinload(CopyRow.fragments).selectinload(FragmentRow.sections)
        rows = select(CopyRow).options(whole).order_by(CopyRow.created, CopyRow.id)
        with self._transaction(writes=False) as session:
            return [row.record() for row in session.scalars(rows)]


def needing(session: Session, volumes: Sequence[str]) -> ScalarResult[CopyRow]:
    """The copies that need something on one of these volumes, oldest first."""
    there = select(TapeFileRow.copy_id).where(TapeFileRow.volume.in_(volumes), TapeFileRow.fragment.is_not(None))
    live = CopyRow.id.in_(there), CopyRow.state.in_(LIVE_COPIES)
    return session.scalars(select(CopyRow).where(*live).order_by(CopyRow.created, CopyRow.id))


def _add_section(
    session: Session, copy: CopyRow, fragment: tuple[int, str], section: Section, *, time: datetime
) -> None:
    index, name = fragment
    volume = find_volume(session, section.volume)
    # Writing a tape file ends the tape behind it: what was dead there is gone.
    behind = TapeFileRow.volume == volume.label, TapeFileRow.file_sequence >= section.file_sequence
    gone = session.scalars(
        delete(TapeFileRow).where(*behind, TapeFileRow.fragment.is_(None)).returning(TapeFileRow.room)
    )
    rooms = gone.all()
    if rooms:
        volume.files, volume.size = section.file_sequence, volume.size - sum(rooms)
    row = session.get(FragmentRow, (copy.id, index))
    if row is None:
        session.add(FragmentRow(copy_id=copy.id, index=index, name=name))
    elif row.size is not None:
        raise CatalogError(f"the catalog refuses this entry: fragment {index} of copy {copy.id} is committed")
    session.flush()
    added = _tape_file(copy, index, section)
    session.add(added)
    volume.files = max(volume.files, section.file_sequence)
    volume.size += added.room
    volume.last_written = time
    if volume.state is VolumeState.SCRATCH:
        volume.state = VolumeState.APPENDABLE
    session.flush()


def _tape_file(copy: CopyRow, fragment: int, section: Section) -> TapeFileRow:
    return TapeFileRow(
        volume=section.volume,
        file_sequence=section.file_sequence,
        copy_id=copy.id,
        fragment=fragment,
        begun_as=fragment,
        section=section.number,
        offset=section.offset,
        size=section.size,
        blocks=section.blocks,
        first_block=section.first_block,
        room=section.blocks * copy.record_bytes,
    )


def _commit(session: Session, copy_id: str, index: int, *, size: int, digest: bytes) -> None:
    row = session.get(FragmentRow, (copy_id, index))
    if row is None:
        raise CatalogError(f"nothing is on tape of fragment {index} of copy {copy_id}")
    sections = session.scalars(select(TapeFileRow).filter_by(copy_id=copy_id, fragment=index).order_by("section")).all()
    expected = 0
    for number, section in enumerate(sections, start=1):
        if (section.section, section.offset) != (number, expected):
            raise CatalogError(f"section {number} of fragment {index} of copy {copy_id} is missing")
        expected += section.size
    if expected != size:
        raise CatalogError(f"{expected} bytes are on tape of fragment {index} of copy {copy_id}, not {size}")
    row.size, row.digest = size, digest


def _abandon(session: Session, row: FragmentRow) -> None:
    mine = TapeFileRow.copy_id == row.copy_id, TapeFileRow.fragment == row.index
    session.execute(update(TapeFileRow).where(*mine).values(fragment=None))
    session.delete(row)
