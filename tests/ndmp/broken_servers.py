"""Data servers and file services, each broken in one way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ndmp.backends import (
    BackupRun,
    FileSystem,
    HistoryEntry,
    ImageInfo,
    OperationEnded,
    RecordsRead,
    RecoverChannel,
    RecoverRun,
    UnitInfo,
    WantedPath,
)
from ndmp.contracts import MemoryHistory
from ndmp.enums import DigestAlgorithm, Error, RecoveryStatus
from ndmp.errors import ReplyError
from tests.ndmp.memory_files import MemoryFiles, MemoryFragment
from tests.ndmp.memory_server import Member, MemoryServer

__all__ = ["BROKEN_FILES", "BROKEN_SERVERS"]


class TwiceTheSame(MemoryServer):
    def __init__(self) -> None:
        super().__init__()
        self.butypes = [*self.butypes, *self.butypes]


class LessThanNothing(MemoryServer):
    def file_systems(self) -> Sequence[FileSystem]:
        return [FileSystem("/", "memory", used_bytes=-1)]


class LosesAByte(MemoryServer):
    def take(self, member: Member, wanted: WantedPath) -> set[str]:
        return super().take(replace(member, body=member.body and member.body[:-1]), wanted)


class NeedsFiles(MemoryServer):
    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        if not self.files:
            raise ReplyError(Error.ILLEGAL_ARGS)
        return super().backup(butype, environment)


class OldNames(MemoryServer):
    def take(self, member: Member, wanted: WantedPath) -> set[str]:
        return super().take(member, replace(wanted, name=wanted.name and wanted.original_path.rpartition("/")[2]))


class NotBelow(MemoryServer):
    def take(self, member: Member, wanted: WantedPath) -> set[str]:
        if wanted.original_path not in ("", member.path):
            return set()
        return super().take(member, wanted)


class AllIsWell(MemoryServer):
    def recover(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        run = super().recover(butype, environment, wanted)
        return lambda channel: run(Optimist(channel))


class Optimist:
    """Reports nothing but success."""

    def __init__(self, channel: RecoverChannel) -> None:
        self.channel = channel

    def __getattr__(self, name: str) -> object:
        return getattr(self.channel, name)

    def recovered(self, original_path: str, status: RecoveryStatus) -> None:
        self.channel.recovered(original_path, RecoveryStatus.SUCCESSFUL)


class Misplaced(MemoryServer):
    def tell(self, history: MemoryHistory, members: Sequence[Member], kind: str) -> None:
        super().tell(history, [replace(each, position=512) for each in members], kind)


class Silent(MemoryServer):
    """Trouble with the stream is nobody's business."""

    def recover(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        run = super().recover(butype, environment, wanted)

        def quiet(channel: RecoverChannel) -> None:
            try:
                run(channel)
            except ValueError:
                channel.recovered("", RecoveryStatus.SUCCESSFUL)

        return quiet


class KnowsAll(MemoryServer):
    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        if environment.keys() - {"FILESYSTEM", "HIST", "DIRECT"}:
            raise ReplyError(Error.ILLEGAL_ARGS)
        return super().backup(butype, environment)


class FindsOutLater(MemoryServer):
    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        return lambda channel: super(FindsOutLater, self).backup(butype, environment)(channel)


class AlwaysTells(MemoryServer):
    def tell(self, history: MemoryHistory, members: Sequence[Member], kind: str) -> None:
        super().tell(history, members, "f")


class Relative(MemoryServer):
    def tell(self, history: MemoryHistory, members: Sequence[Member], kind: str) -> None:
        super().tell(history, [replace(each, path=each.path[1:]) for each in members] if kind == "f" else members, kind)


class Altered(MemoryServer, ABC):
    """A history by directories that is told otherwise."""

    def tell(self, history: MemoryHistory, members: Sequence[Member], kind: str) -> None:
        honest = MemoryHistory()
        super().tell(honest, members, kind)
        history.told += self.altered(honest.told)

    @abstractmethod
    def altered(self, told: list) -> list:
        """What is told instead."""


class WithoutDots(Altered):
    def altered(self, told: list) -> list:
        return [each for each in told if getattr(each, "name", "") not in (".", "..")]


class NodesFirst(Altered):
    def altered(self, told: list) -> list:
        return sorted(told, key=lambda each: isinstance(each, HistoryEntry))


class Mixed(Altered):
    def altered(self, told: list) -> list:
        entries = [each for each in told if isinstance(each, HistoryEntry)]
        dots = [each for each in entries if each.name in (".", "..")]
        return [*dots, *(each for each in told if each not in dots)]


class WrongParent(Altered):
    def altered(self, told: list) -> list:
        return [replace(each, node=each.parent) if getattr(each, "name", "") == ".." else each for each in told]


class BehindTheEnd(Altered):
    def altered(self, told: list) -> list:
        return [replace(each, position=1 << 40) if hasattr(each, "position") else each for each in told]


class Sizeless(Altered):
    def altered(self, told: list) -> list:
        return [
            replace(each, attributes=replace(each.attributes, size=0)) if hasattr(each, "attributes") else each
            for each in told
        ]


class ChoosesNothing(MemoryServer):
    def tell(self, history: MemoryHistory, members: Sequence[Member], kind: str) -> None:
        super().tell(history, members, "n" if kind == "y" else kind)


class RemembersNothing(MemoryServer):
    def recover_history(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        return lambda channel: None


class GoesOn(MemoryServer):
    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        return unstoppable(super().backup(butype, environment))

    def recover(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        return unstoppable(super().recover(butype, environment, wanted))


def unstoppable(run: BackupRun | RecoverRun) -> BackupRun:
    def kept(channel: object) -> None:
        try:
            run(channel)  # type: ignore[arg-type]
        except OperationEnded:
            return

    return kept


BROKEN_SERVERS: Sequence[tuple[type[MemoryServer], str]] = (
    (TwiceTheSame, "butypes_are_described"),
    (LessThanNothing, "file_systems_have_names_and_sizes"),
    (LosesAByte, "everything_comes_back"),
    (NeedsFiles, "nothing_comes_back_as_nothing"),
    (OldNames, "single_files_come_back_by_their_names"),
    (NotBelow, "a_directory_comes_back_with_what_is_in_it"),
    (AllIsWell, "a_path_that_is_not_there_is_told_and_the_others_come_back"),
    (Misplaced, "a_file_comes_back_by_its_position"),
    (Silent, "half_a_stream_is_not_recovered_in_silence"),
    (Silent, "a_stream_of_something_else_is_not_recovered_in_silence"),
    (KnowsAll, "variables_that_nobody_knows_do_no_harm"),
    (FindsOutLater, "what_cannot_be_backed_up_is_refused_at_once"),
    (AlwaysTells, "no_history_unless_asked_for"),
    (Relative, "history_by_files"),
    (BehindTheEnd, "history_by_files"),
    (Sizeless, "history_by_files"),
    (WithoutDots, "history_by_directories"),
    (NodesFirst, "history_by_directories"),
    (Mixed, "history_by_directories"),
    (WrongParent, "history_by_directories"),
    (BehindTheEnd, "history_by_directories"),
    (Sizeless, "history_by_directories"),
    (ChoosesNothing, "history_that_the_server_chooses"),
    (RemembersNothing, "history_read_back_from_a_backup"),
    (GoesOn, "an_aborted_backup_ends"),
    (GoesOn, "an_aborted_recovery_ends"),
)
"""Each with the test of DataContract that finds it."""


class InDisorder(MemoryFiles):
    def units(self) -> Sequence[UnitInfo]:
        return super().units()[::-1]


class OneUnitIsAll(MemoryFiles):
    def images(self, unit: str, after: str, limit: int) -> Sequence[ImageInfo]:
        return super().images("unit", after, limit)


class NoSuchThing(MemoryFiles):
    def image(self, unit: str, name: str) -> ImageInfo:
        self._audit_unit(unit)
        return super().image(unit, name) if name in self.shown else ImageInfo(name, 0, ())


class FromNotAfter(MemoryFiles):
    def images(self, unit: str, after: str, limit: int) -> Sequence[ImageInfo]:
        return [self.image(unit, name) for name in sorted(self.shown) if name >= after][:limit]


class OutOfOrder(MemoryFiles):
    def image(self, unit: str, name: str) -> ImageInfo:
        found = super().image(unit, name)
        return replace(found, fragments=found.fragments[::-1])


class AnyFragment(MemoryFiles):
    def open_read(self, unit: str, image: str, fragment: int, algorithm: DigestAlgorithm) -> MemoryFragment:
        return super().open_read(unit, image, min(fragment, len(self.image(unit, image).fragments) - 1), algorithm)


class AnyName(MemoryFiles):
    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> MemoryFragment:
        return super().open_write(unit, image.replace("/", "").strip(".") or "x", fragment, name, size, algorithm)


class WithFragments(MemoryFiles):
    """Its open fragments are of another kind."""

    kind: type[MemoryFragment]

    def open_read(self, unit: str, image: str, fragment: int, algorithm: DigestAlgorithm) -> MemoryFragment:
        return self.turned(super().open_read(unit, image, fragment, algorithm))

    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> MemoryFragment:
        return self.turned(super().open_write(unit, image, fragment, name, size, algorithm))

    def turned(self, fragment: MemoryFragment) -> MemoryFragment:
        fragment.__class__ = self.kind
        return fragment


class NeverEnds(WithFragments):
    class kind(MemoryFragment):  # noqa: N801
        def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
            return replace(super().read_records(into, record_bytes), end=None)


class StandsStill(WithFragments):
    class kind(MemoryFragment):  # noqa: N801
        def space_records(self, count: int) -> int:
            return 0


class WrongDigest(WithFragments):
    def turned(self, fragment: MemoryFragment) -> MemoryFragment:
        fragment.algorithm = DigestAlgorithm.NONE
        return fragment


class ShownAtOnce(WithFragments):
    def turned(self, fragment: MemoryFragment) -> MemoryFragment:
        if fragment.kept is not None:
            self.shown["img"] = [("", b"abc")]
        return fragment


class KeepsPadding(WithFragments):
    def turned(self, fragment: MemoryFragment) -> MemoryFragment:
        if fragment.kept is not None:
            fragment.size = 1024
        return fragment


class DropsAll(WithFragments):
    class kind(MemoryFragment):  # noqa: N801
        def write_records(self, records: memoryview, record_bytes: int) -> object:  # type: ignore[override]
            fits = (records if self.size is None else records[: self.size - len(self.contents)]).tobytes()
            return super().write_records(memoryview(fits.ljust(len(records), b"\0")), record_bytes)


class KeepsHalves(WithFragments):
    class kind(MemoryFragment):  # noqa: N801
        def close(self, *, keep: bool) -> None:
            self.size = len(self.contents)
            super().close(keep=keep)


class CommitsHalves(MemoryFiles):
    def commit(self, unit: str, image: str, fragments: int) -> None:
        super().commit(unit, image, len(self.staged.get(image, ())))


class Replaces(MemoryFiles):
    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> MemoryFragment:
        self.shown.pop(image, None)
        return super().open_write(unit, image, fragment, name, size, algorithm)


class KeepsAll(MemoryFiles):
    def discard(self, unit: str, image: str) -> None:
        return


class DiscardsAll(MemoryFiles):
    def discard(self, unit: str, image: str) -> None:
        super().discard(unit, image)
        self.shown.pop(image, None)


class AlwaysPads(MemoryFiles):
    """It takes zeros at the end of a fragment for padding, also where no size was announced."""

    class kind(MemoryFragment):  # noqa: N801
        def close(self, *, keep: bool) -> None:
            if self.size is None:
                del self.contents[len(self.contents.rstrip(b"\0")) :]
            super().close(keep=keep)

    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> MemoryFragment:
        opened = super().open_write(unit, image, fragment, name, size, algorithm)
        opened.__class__ = self.kind
        return opened


class RemovesNothing(MemoryFiles):
    def remove(self, unit: str, image: str) -> None:
        self.image(unit, image)


class RemovesAnything(MemoryFiles):
    def remove(self, unit: str, image: str) -> None:
        self.staged.pop(image, None)
        self.shown.pop(image, None)


class RemovesWhatIsRead(MemoryFiles):
    def remove(self, unit: str, image: str) -> None:
        self.reading.clear()
        super().remove(unit, image)


BROKEN_FILES: Sequence[tuple[type[MemoryFiles], str]] = (
    (InDisorder, "units_are_listed_by_name"),
    (OneUnitIsAll, "an_unknown_unit"),
    (NoSuchThing, "an_unknown_image"),
    (FromNotAfter, "images_are_listed_page_by_page"),
    (OutOfOrder, "an_image_and_its_fragments"),
    (AnyFragment, "a_fragment_that_is_not_there"),
    (AnyName, "names_do_not_leave_the_unit"),
    (NeverEnds, "a_fragment_ends_with_a_filemark"),
    (StandsStill, "a_fragment_can_be_read_from_a_record_on"),
    (WrongDigest, "what_was_read_is_told"),
    (ShownAtOnce, "nothing_is_seen_before_the_commit"),
    (KeepsPadding, "the_padding_of_the_last_record_is_dropped"),
    (DropsAll, "more_than_was_announced_is_refused"),
    (KeepsHalves, "less_than_was_announced_is_not_kept"),
    (CommitsHalves, "an_image_that_lacks_fragments_is_not_committed"),
    (Replaces, "an_image_is_never_replaced"),
    (KeepsAll, "what_is_discarded_is_gone"),
    (DiscardsAll, "what_is_discarded_is_gone"),
    (AlwaysPads, "without_an_announced_size_all_that_came_is_kept"),
    (RemovesNothing, "what_is_removed_is_gone"),
    (RemovesAnything, "what_is_no_image_is_not_removed"),
    (RemovesWhatIsRead, "what_is_being_read_is_not_removed"),
)
"""Each with the test of FileServiceContract that finds it."""
