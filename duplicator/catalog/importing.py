"""What the labels of volumes tell, put into the catalog: all that is new, nothing that is known otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from duplicator.catalog.imported_copies import Contradiction, CopyMaker, settle
from duplicator.catalog.records import Copy, VolumeState
from duplicator.catalog.tables import CopyRow, LabelRow, TapeFileRow, VolumeRow
from duplicator.catalog.transactions import Transactions, now
from duplicator.catalog.volumes import empty_volume
from duplicator.labels import FileHeader, FileTrailer

__all__ = ["Importing", "Learned", "Lesson", "VolumeContents"]

_TO_BE_FOUND_OUT: Final = frozenset({VolumeState.SCRATCH, VolumeState.FOREIGN})
"""States that say that the catalog knows of nothing on the volume which is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeContents:
    """A volume by its labels, from its beginning; ``files`` without those whose labels could not be read.

    ``count``: all complete tape files. ``is_partial``: more lies behind them, and could not be read. ``foreign``: what
    it is, if it is not ours; then ``volume`` is the name that it has here. The last five are for a volume that is new.
    """

    volume: str
    files: tuple[FileTrailer, ...] = ()
    count: int = 0
    unfinished: FileHeader | None = None
    is_partial: bool = False
    foreign: str = ""
    tape_url: str = ""
    pool: str = ""
    barcode: str = ""
    media: str = ""
    location: str = ""

    @property
    def is_damaged(self) -> bool:
        """Whether some of it could not be read."""
        return self.is_partial or self.count > len(self.files)


@dataclass(frozen=True, slots=True)
class Learned:
    """What one volume added to the catalog; nothing, if it contradicts it, as ``contradiction`` says."""

    volume: str
    state: VolumeState | None = None
    new_files: int = 0
    contradiction: str = ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What several volumes added, each alone, and how the copies stand now of which they hold something."""

    volumes: tuple[Learned, ...]
    copies: tuple[Copy, ...]


class Importing(Transactions):
    """The catalog, rebuilt from tapes."""

    def import_volumes(self, found: Sequence[VolumeContents], *, dry_run: bool = False) -> Lesson:
        """Add what is new on volumes. One that contradicts the catalog changes nothing of it, and is told.

        ``dry_run``: only tell what would be added.
        """
        with self._transaction(writes=True) as session:
            trial = session.begin_nested()
            learned = tuple(_learn(session, volume) for volume in found)
            session.expire_all()
            rows = select(CopyRow).where(CopyRow.id.in_(_copies_of(found))).order_by(CopyRow.created, CopyRow.id)
            copies = tuple(row.record() for row in session.scalars(rows))
            if dry_run:
                trial.rollback()
            return Lesson(learned, copies)


def _copies_of(found: Iterable[VolumeContents]) -> set[str]:
    headers = [trailer.header for volume in found for trailer in volume.files]
    return {header.copy_id for header in [*headers, *(volume.unfinished for volume in found)] if header is not None}


def _learn(session: Session, found: VolumeContents) -> Learned:
    try:
        with session.begin_nested():
            row = session.get(VolumeRow, found.volume)
            if found.foreign:
                return _learn_foreign(session, row, found)
            return _learn_ours(session, row, found)
    except Contradiction as contradiction:
        return Learned(found.volume, contradiction=str(contradiction))


def _learn_foreign(session: Session, row: VolumeRow | None, found: VolumeContents) -> Learned:
    row = row or _new_volume(session, found)
    if row.files:
        raise Contradiction(f"the tape is {found.foreign}, and the catalog knows {row.files} files of ours there")
    row.state = VolumeState.FOREIGN
    return Learned(found.volume, row.state)


def _learn_ours(session: Session, row: VolumeRow | None, found: VolumeContents) -> Learned:
    row = row or _new_volume(session, found)
    known = {file.file_sequence: file for file in session.scalars(select(TapeFileRow).filter_by(volume=row.label))}
    _compare(row, known, found)
    maker = CopyMaker(session, found.tape_url)
    copies = {trailer.header.copy_id: maker.copy_of(trailer) for trailer in found.files}
    new = [trailer for trailer in found.files if trailer.header.sequence not in known]
    for trailer in new:
        maker.require_idle(trailer.header)
        _add_file(session, trailer)
    session.flush()
    for trailer in found.files:
        _keep_labels(session, trailer)
    if found.unfinished is not None:
        # Only a file of a copy that the catalog knows may be overwritten.
        maker.copy_of(found.unfinished)
    session.flush()
    for copy_id in dict.fromkeys(trailer.header.copy_id for trailer in new):
        settle(session, copies[copy_id])
    _update_volume(row, found, new)
    return Learned(row.label, row.state, len(new))


def _new_volume(session: Session, found: VolumeContents) -> VolumeRow:
    row = empty_volume(found.volume, found.tape_url, state=VolumeState.FOREIGN, pool=found.pool)
    row.barcode, row.media, row.location = found.barcode, found.media, found.location
    if found.files:
        row.created = min(map(_created, found.files))
    session.add(row)
    return row


# -- tape files ------------------------------------------------------------------------------------------------------


def _compare(row: VolumeRow, known: dict[int, TapeFileRow], found: VolumeContents) -> None:
    if found.count < row.files and not found.is_partial:
        raise Contradiction(
            f"the catalog knows {row.files} files on volume {row.label}, and the tape has {found.count}: "
            "it is an older tape, or it was labelled anew"
        )
    for trailer in found.files:
        file = known.get(trailer.header.sequence)
        if file is not None and _facts_of_row(file) != _facts_of_tape(trailer):
            raise Contradiction(
                f"file {file.file_sequence} on volume {row.label} is {_words(*_facts_of_tape(trailer))}; "
                f"in the catalog it is {_words(*_facts_of_row(file))}"
            )


def _facts_of_row(file: TapeFileRow) -> tuple[str, int, int, int, int, int]:
    return file.copy_id, file.begun_as, file.section, file.offset, file.size, file.blocks


def _facts_of_tape(trailer: FileTrailer) -> tuple[str, int, int, int, int, int]:
    header = trailer.header
    return header.copy_id, header.fragment, header.section, header.offset, trailer.size, trailer.blocks


def _words(copy_id: str, fragment: int, section: int, offset: int, size: int, blocks: int) -> str:
    part = f"section {section} of fragment {fragment} of copy {copy_id}"
    return f"{part}, {size} bytes from byte {offset} on in {blocks} records"


def _add_file(session: Session, trailer: FileTrailer) -> None:
    """Add a tape file; which of its fragment's files are needed, is settled when all are there."""
    header = trailer.header
    session.add(
        TapeFileRow(
            volume=header.volume,
            file_sequence=header.sequence,
            copy_id=header.copy_id,
            fragment=None,
            begun_as=header.fragment,
            section=header.section,
            offset=header.offset,
            size=trailer.size,
            blocks=trailer.blocks,
            first_block=None,
            room=trailer.blocks * header.record_bytes,
        )
    )


def _keep_labels(session: Session, trailer: FileTrailer) -> None:
    """What else the trailer says: it is needed again when further volumes are imported, on whatever day."""
    header = trailer.header
    if session.get(LabelRow, (header.volume, header.sequence)) is None:
        session.add(
            LabelRow(
                volume=header.volume,
                file_sequence=header.sequence,
                attempt=header.attempt,
                name=header.fragment_name,
                continues=trailer.continues,
                digest=trailer.digest,
            )
        )


# -- the volume ------------------------------------------------------------------------------------------------------


def _update_volume(row: VolumeRow, found: VolumeContents, new: Sequence[FileTrailer]) -> None:
    state = _state(found)
    is_grown = bool(new) or found.count > row.files
    is_news = row.state in _TO_BE_FOUND_OUT and (is_grown or row.state is VolumeState.FOREIGN)
    if is_news or (row.state is VolumeState.APPENDABLE and state is not VolumeState.SCRATCH):
        row.state = state
    row.files = max(row.files, found.count)
    row.size += sum(trailer.blocks * trailer.header.record_bytes for trailer in new)
    row.tape_url = found.tape_url
    if new:
        row.last_written = max([*map(_created, new), *([row.last_written] if row.last_written else [])])


def _state(found: VolumeContents) -> VolumeState:
    """What the labels tell of the room that is left; nothing is written behind what cannot be read."""
    if found.is_damaged:
        return VolumeState.SUSPENDED
    if not found.files:
        return VolumeState.SCRATCH
    return VolumeState.FULL if found.files[-1].continues else VolumeState.APPENDABLE


def _created(trailer: FileTrailer) -> datetime:
    return now(datetime.fromtimestamp(trailer.header.created, UTC))
