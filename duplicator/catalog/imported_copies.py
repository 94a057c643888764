"""Copies as the labels of their tape files tell of them: what they are, and which of their files are needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import TypeAlias

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from duplicator.catalog.records import CopyState
from duplicator.catalog.tables import CopyRow, FragmentRow, ImageRow, LabelRow, TapeFileRow
from duplicator.labels import NEVER, FileHeader, FileTrailer
from ndmp.enums import DigestAlgorithm

__all__ = ["Contradiction", "CopyMaker", "settle"]


class Contradiction(Exception):  # noqa: N818  (what is found)
    """A tape and the catalog cannot both be right; the text says where."""


# -- what a copy is --------------------------------------------------------------------------------------------------


class CopyMaker:
    """Finds the copies of labels in the catalog, or makes them; ``tape_url``: where the labels were read."""

    def __init__(self, session: Session, tape_url: str) -> None:
        self._session = session
        self._tape_url = tape_url

    def copy_of(self, found: FileTrailer | FileHeader) -> CopyRow:
        """The copy that a header or trailer names. Contradiction if the catalog knows that copy as another one."""
        header = found.header if isinstance(found, FileTrailer) else found
        copy = self._session.get(CopyRow, header.copy_id) or self._new(header)
        _require_same(copy, header)
        if isinstance(found, FileTrailer) and not found.continues:
            _note_algorithm(copy, found.algorithm)
        copy.attempts = max(copy.attempts, header.attempt)
        if copy.job_id is None and copy.state is not CopyState.EXPIRED:
            copy.created = min(copy.created, datetime.fromtimestamp(header.created, UTC))
            copy.expires = _later(copy.expires, _end_of(header.expires))
        return copy

    def require_idle(self, header: FileHeader) -> None:
        """Contradiction while a job writes the copy: what is on tape is ahead of the catalog then."""
        copy = self._session.get(CopyRow, header.copy_id)
        if copy is not None and copy.state is CopyState.WRITING:
            raise Contradiction(f"a job is writing copy {copy.id} on volume {header.volume}: import it after that")

    def _new(self, header: FileHeader) -> CopyRow:
        image = self._image(header)
        last = self._session.scalar(select(func.max(CopyRow.number)).where(CopyRow.image_id == image.id))
        copy = CopyRow(
            id=header.copy_id,
            image=image,
            number=(last or 0) + 1,
            job_id=None,
            state=CopyState.INCOMPLETE,
            tape_url=self._tape_url,
            algorithm=int(DigestAlgorithm.NONE),
            record_bytes=header.record_bytes,
            created=datetime.fromtimestamp(header.created, UTC),
            attempts=1,
            validation="",
            expires=_end_of(header.expires),
            route="",
        )
        self._session.add(copy)
        self._session.flush()
        return copy

    def _image(self, header: FileHeader) -> ImageRow:
        key: dict[str, str | int] = {"host": header.host, "unit": header.unit, "name": header.image}
        key |= {"size": header.image_bytes, "modified": header.modified}
        image = self._session.scalars(select(ImageRow).filter_by(**key)).one_or_none()
        if image is None:
            image = ImageRow(**key, fragments=header.fragments)
            self._session.add(image)
            self._session.flush()
        return image


def _require_same(copy: CopyRow, header: FileHeader) -> None:
    image = copy.image
    known = image.host, image.unit, image.name, image.size, image.modified, image.fragments, copy.record_bytes
    told = header.host, header.unit, header.image, header.image_bytes, header.modified, header.fragments
    if known != (*told, header.record_bytes):
        raise Contradiction(
            f"file {header.sequence} on volume {header.volume} is of copy {copy.id} of "
            f"{_image_words(*told, header.record_bytes)}; in the catalog that is of {_image_words(*known)}"
        )


def _image_words(host: str, unit: str, name: str, size: int, modified: int, fragments: int, record_bytes: int) -> str:
    image = f"image {name} of {host}/{unit}, {size} bytes in {fragments} fragments, modified at {modified}"
    return f"{image}, in records of {record_bytes} bytes"


def _note_algorithm(copy: CopyRow, algorithm: DigestAlgorithm) -> None:
    if copy.algorithm == DigestAlgorithm.NONE:
        copy.algorithm = int(algorithm)
    if copy.algorithm != algorithm:
        known = DigestAlgorithm(copy.algorithm).name
        raise Contradiction(f"copy {copy.id} has a digest by {algorithm.name} on tape, and one by {known} elsewhere")


def _end_of(day: date) -> datetime | None:
    """The labels have only the day of expiry: a copy is kept to its end."""
    return None if day == NEVER else datetime.combine(day, time(23, 59, 59), UTC)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


# -- which of its files are needed -----------------------------------------------------------------------------------

_Pair: TypeAlias = tuple[TapeFileRow, LabelRow | None]
"""A tape file, and what its trailer says, if it was read."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The sections of a fragment that one try wrote, as far as they are known; ``labels`` of those that were read."""

    number: int
    files: Sequence[TapeFileRow]
    labels: Sequence[LabelRow | None]

    @property
    def is_whole(self) -> bool:
        """Whether no section is missing, nor the end of the last."""
        last, offset = self.labels[-1], 0
        for number, file in enumerate(self.files, start=1):
            if (file.section, file.offset) != (number, offset):
                return False
            offset += file.size
        return last is not None and not last.continues

    @property
    def size(self) -> int:
        """Bytes of its sections."""
        return sum(file.size for file in self.files)


def settle(session: Session, copy: CopyRow) -> None:
    """Find the whole fragments of a copy: of two tries that wrote one whole, the later one holds.

    What is known of a fragment that is not whole is kept for it, of the last try; the rest is dead space.
    """
    if copy.state is CopyState.WRITING:
        return
    for index, attempts in _attempts(session, copy).items():
        whole = [attempt for attempt in attempts if attempt.is_whole]
        _choose(session, copy, index, (whole or attempts)[-1])
    session.flush()
    whole_fragments = select(func.count()).where(FragmentRow.copy_id == copy.id, FragmentRow.size.is_not(None))
    if copy.state is CopyState.INCOMPLETE and session.scalar(whole_fragments) == copy.image.fragments:
        copy.state = CopyState.WRITTEN


def _attempts(session: Session, copy: CopyRow) -> dict[int, list[_Attempt]]:
    """By fragment, in the order of the tries: all whose labels were read, but of fragments that no label tells of."""
    same = (LabelRow.volume == TapeFileRow.volume) & (LabelRow.file_sequence == TapeFileRow.file_sequence)
    rows = select(TapeFileRow, LabelRow).outerjoin(LabelRow, same).where(TapeFileRow.copy_id == copy.id)
    found: dict[int, dict[int, list[_Pair]]] = defaultdict(lambda: defaultdict(list))
    unread: dict[int, list[_Pair]] = defaultdict(list)
    # Rows without a partner are not in the type of an outer join.
    pairs: list[_Pair] = [(file, label) for file, label in session.execute(rows.order_by(TapeFileRow.section))]
    for file, label in pairs:
        if label is not None:
            found[file.begun_as][label.attempt].append((file, label))
        elif file.fragment is not None:
            unread[file.begun_as].append((file, None))
    return {
        index: [_attempt(copy, number, tries[number] + _rest(tries[number], unread[index])) for number in sorted(tries)]
        for index, tries in found.items()
    }


def _rest(read: Sequence[_Pair], unread: list[_Pair]) -> list[_Pair]:
    """The sections that the catalog has beside those which were read, if they are of one fragment."""
    return unread if any(file.fragment is not None for file, _ in read) else []


def _attempt(copy: CopyRow, number: int, pairs: list[_Pair]) -> _Attempt:
    pairs = sorted(pairs, key=lambda pair: (pair[0].section, pair[0].volume, pair[0].file_sequence))
    for (one, _), (other, _) in pairwise(pairs):
        if one.section == other.section:
            part = f"section {one.section} of fragment {one.begun_as} of copy {copy.id}, try {number},"
            places = (f"file {file.file_sequence} on volume {file.volume}" for file in (one, other))
            raise Contradiction(f"{part} is {' and also '.join(places)}")
    return _Attempt(number, [file for file, _ in pairs], [label for _, label in pairs])


def _choose(session: Session, copy: CopyRow, index: int, chosen: _Attempt) -> None:
    """Have the fragment lie where this try put it. Contradiction for a fragment that was proved to lie elsewhere."""
    row = session.get(FragmentRow, (copy.id, index))
    if row is not None and row.size is not None and not _may_change(session, copy, row, chosen):
        return
    session.flush()
    for file in session.scalars(select(TapeFileRow).filter_by(copy_id=copy.id, fragment=index)):
        file.fragment = None
    session.flush()
    if row is None:
        row = FragmentRow(copy_id=copy.id, index=index, name="")
        session.add(row)
    labels = [label for label in chosen.labels if label is not None]
    row.name = labels[-1].name
    if chosen.is_whole:
        row.size, row.digest = chosen.size, labels[-1].digest
    session.flush()
    for file in chosen.files:
        file.fragment = index
    session.flush()


def _may_change(session: Session, copy: CopyRow, row: FragmentRow, chosen: _Attempt) -> bool:
    """Whether a fragment that the catalog has whole lies elsewhere by what a tape tells."""
    held = session.scalars(select(TapeFileRow).filter_by(copy_id=copy.id, fragment=row.index)).all()
    if set(held) & set(chosen.files):
        last = chosen.labels[-1]
        if last is not None and not last.continues and last.digest != row.digest:
            raise Contradiction(f"fragment {row.index} of copy {copy.id} has another digest on tape")
        return False
    if not held or not chosen.is_whole:
        return False
    if copy.state is CopyState.VALID:
        where = ", ".join(f"file {file.file_sequence} on volume {file.volume}" for file in chosen.files)
        raise Contradiction(f"copy {copy.id} is valid, and a later try wrote fragment {row.index} of it: {where}")
    return _was_read(session, held)


def _was_read(session: Session, files: Sequence[TapeFileRow]) -> bool:
    """Whether an import put the fragment there; what a job committed is not begun again."""
    return all(session.get(LabelRow, (file.volume, file.file_sequence)) is not None for file in files)
