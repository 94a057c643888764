"""What the catalog says of a volume that a job found in its drive: whether it may be written, and from where."""

from __future__ import annotations

from duplicator.catalog import Catalog, CatalogError, CopyState, Section, VolumeState
from duplicator.labels import FileTrailer
from duplicator.plan import Step
from duplicator.status import JobError, Status
from duplicator.tape_side import TapeEnd
from duplicator.volume_labels import VolumeLabel

__all__ = ["VolumeBook", "section_of"]

_LIVE = frozenset({CopyState.WRITING, CopyState.WRITTEN, CopyState.VALID, CopyState.INCOMPLETE})
_UNFINISHED = frozenset({CopyState.FAILED, CopyState.INCOMPLETE})


class VolumeBook:
    """The catalog's volumes as the writer of copy ``copy_id`` needs them.

    ``tape_url`` is where it writes, ``pool`` where a volume belongs that is new.
    """

    def __init__(self, catalog: Catalog, *, copy_id: str, tape_url: str, pool: str = "") -> None:
        self._catalog = catalog
        self._copy_id = copy_id
        self._tape_url = tape_url
        self._pool = pool

    def admit(self, label: VolumeLabel | None, wanted: str | None) -> bool:
        """JobError when this tape (None: blank) must not be written, or is not the one ``wanted``.

        True: it is to be labelled anew, since it is blank, or nothing on it is needed any more.
        """
        if label is None:
            self._admit_blank(wanted)
            return True
        if not label.ours:
            reason = f"the tape holds {label.kind.value} {label.volume}".rstrip() + "; it is not overwritten"
            raise _refused(Status.MEDIA_PROTECTED, reason)
        if wanted and wanted != label.volume:
            raise _refused(Status.WRONG_TAPE, f"volume {wanted} was asked for, and {label.volume} is in the drive")
        known = self._catalog.volume(label.volume)
        if known is None or known.state is VolumeState.APPENDABLE:
            return False
        if known.state is VolumeState.SCRATCH:
            self._require_forgotten(label.volume)
            return known.files > 0
        raise _refused(Status.NO_MEDIA, f"volume {label.volume} takes no more files: it is {known.state.value}")

    def _admit_blank(self, wanted: str | None) -> None:
        known = self._catalog.volume(wanted) if wanted else None
        if known is not None and known.state is not VolumeState.SCRATCH:
            reason = f"the tape is blank, and the catalog knows volume {wanted} already: that is another tape"
            raise _refused(Status.WRONG_TAPE, reason)

    def _require_forgotten(self, volume: str) -> None:
        live = [copy for copy in self._catalog.copies_on(volume) if copy.state in _LIVE]
        if live:
            reason = f"volume {volume} is scratch in the catalog, and copy {live[0].id} on it is {live[0].state.value}"
            raise _refused(Status.MEDIA_PROTECTED, reason)

    def name_for_blank(self, wanted: str | None) -> str:
        """The label that a blank tape gets, taken in the catalog before the tape is written.

        It stays taken if labelling fails: the label may be on the tape already.
        """
        if wanted and self._catalog.volume(wanted) is not None:
            return wanted
        return self._catalog.reserve_volume(self._tape_url, wanted, pool=self._pool)

    def is_unfinished(self, copy_id: str) -> bool:
        """Whether what this copy left without its end may be overwritten: it came to nothing, or is this one."""
        if copy_id == self._copy_id:
            return True
        self._catalog.mark_dead_jobs()  # its process may have died while this one runs
        try:
            return self._catalog.copy(copy_id).state in _UNFINISHED
        except CatalogError:
            return False

    def known_files(self, volume: str) -> int:
        """Complete tape files that the catalog knows there."""
        known = self._catalog.volume(volume)
        return known.files if known else 0

    def arrived(self, volume: str, end: TapeEnd) -> None:
        """Note where the volume is, and files that the catalog was not told of; JobError when some are missing.

        A process that dies between the trailer and the catalog leaves such a file; its fragment is written again.
        """
        known = self._catalog.volume(volume)
        if known is None:
            self._catalog.add_volume(volume, tape_url=self._tape_url, pool=self._pool)
        elif end.files < known.files:
            reason = f"volume {volume} has {end.files} files, and the catalog knows {known.files}; nothing was written"
            raise JobError(Status.MEDIA_POSITION_ERROR, step=Step.WRITE_POSITION.value, reason=reason)
        elif known.state is VolumeState.SCRATCH and end.files > known.files:
            reason = f"volume {volume} is scratch in the catalog, and has {end.files} files; nothing was written"
            raise JobError(Status.MEDIA_PROTECTED, step=Step.WRITE_POSITION.value, reason=reason)
        self._catalog.update_volume(volume, tape_url=self._tape_url, files=end.files, state=VolumeState.APPENDABLE)
        # From the first that was read, as a volume may hold thousands before it.
        since = end.files - len(end.read) + 1
        recorded = {file.file_sequence for file in self._catalog.volume_files(volume, since=since)}
        for trailer in end.read:
            header = trailer.header
            if header.sequence not in recorded:
                self._catalog.add_dead_file(header.copy_id, header.fragment, section_of(trailer))

    def full(self, volume: str) -> None:
        """The volume told its early warning: it takes no more files."""
        self._catalog.update_volume(volume, state=VolumeState.FULL)

    def emptied(self, volume: str) -> None:
        """A volume has a fresh label: what the catalog knew on it is gone."""
        self._catalog.clear_volume(volume)


def section_of(trailer: FileTrailer) -> Section:
    """A complete tape file as the catalog keeps it."""
    header = trailer.header
    return Section(
        number=header.section,
        volume=header.volume,
        file_sequence=header.sequence,
        offset=header.offset,
        size=trailer.size,
        blocks=trailer.blocks,
        first_block=None,
    )


def _refused(status: Status, reason: str) -> JobError:
    return JobError(status, step=Step.WRITE_MOUNT.value, reason=reason)
