"""The contract of a data server: ndmp.backends.DataBackend (draft 3.5, 4.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from unittest import SkipTest

from ndmp.backends import BackupType, DataBackend, HistoryFile, HistoryNode, OperationEnded, WantedPath
from ndmp.contracts.asking import refused
from ndmp.contracts.channels import MemoryBackup, MemoryHistory, MemoryRecovery
from ndmp.contracts.history import directories_of, files_of
from ndmp.enums import ButypeAttribute, EnvName, FileType, RecoveryStatus

__all__ = ["FILES", "DataContract"]

FILES: Final[Mapping[str, bytes]] = {
    "/empty": b"",
    "/one": b"1",
    "/d/large": bytes(range(256)) * 400,
    "/d/e/deep": b"down here",
    "/d/e/odd \n name": b"names are bytes",
    "/d/z": b"z" * 513,
    "/latin \udce9": b"not UTF-8",
}
"""What is backed up, by its path below the backup's root."""

_DIRECTORIES: Final = {"/", "/d", "/d/e"}
_OK: Final = RecoveryStatus.SUCCESSFUL
Environment = dict[str, str]


@contextmanager
def _ending() -> Iterator[None]:
    """The block must let OperationEnded pass."""
    try:
        yield
    except OperationEnded:
        return
    raise AssertionError("OperationEnded was kept from the host")


class DataContract(ABC):
    """Subclass it and give the four methods; docs/hosts.md says how to run it."""

    butype: str = "tar"
    """Which backup type is tried."""

    @abstractmethod
    def server(self) -> DataBackend:
        """The data server; a test may ask several times, and then for the same."""

    @abstractmethod
    def fill(self, files: Mapping[str, bytes]) -> Environment:
        """Make these files, and the directories they need, below a new root; the variables that back it up."""

    @abstractmethod
    def place(self) -> str:
        """A new empty directory to recover to, as a destination path."""

    @abstractmethod
    def found(self, place: str) -> Mapping[str, bytes]:
        """The files that are now below ``place``, as in :meth:`fill`."""

    # -- what there is -------------------------------------------------------------------------------------------

    def test_butypes_are_described(self) -> None:
        butypes = self.server().butypes
        names = [butype.name for butype in butypes]
        assert self.butype in names
        assert len(names) == len(set(names)), "each name once"
        assert all(isinstance(text, str) for butype in butypes for pair in butype.environment for text in pair)

    def test_file_systems_have_names_and_sizes(self) -> None:
        self.fill({})
        for found in self.server().file_systems():
            assert found.name, "the name is what FILESYSTEM takes"
            sizes = (found.total_bytes, found.used_bytes, found.available_bytes, found.total_inodes, found.used_inodes)
            assert all(size is None or size >= 0 for size in sizes)

    # -- there and back ------------------------------------------------------------------------------------------

    def test_everything_comes_back(self) -> None:
        environment, place = self.fill(FILES), self.place()
        channel = self._recover(self._backup(environment), [WantedPath("", place)])
        assert self.found(place) == FILES
        assert {status for _, status in channel.outcomes} <= {_OK}

    def test_nothing_comes_back_as_nothing(self) -> None:
        environment, place = self.fill({}), self.place()
        self._recover(self._backup(environment), [WantedPath("", place)])
        assert self.found(place) == {}

    def test_single_files_come_back_by_their_names(self) -> None:
        """With a name it is the last component; without one, the destination path is all of it (draft 3.5.2.4)."""
        self._needs(ButypeAttribute.RECOVER_FILELIST)
        environment, place = self.fill(FILES), self.place()
        wanted = [
            WantedPath("/d/e/deep", f"{place}/new/whole"),
            WantedPath("/one", place, name="renamed"),
            WantedPath("/latin \udce9", place, name="latin"),
        ]
        channel = self._recover(self._backup(environment), wanted)
        assert self.found(place) == {"/new/whole": b"down here", "/renamed": b"1", "/latin": b"not UTF-8"}
        assert sorted(channel.outcomes) == sorted((path.original_path, _OK) for path in wanted)

    def test_a_directory_comes_back_with_what_is_in_it(self) -> None:
        self._needs(ButypeAttribute.RECOVER_FILELIST)
        environment, place = self.fill(FILES), self.place()
        channel = self._recover(self._backup(environment), [WantedPath("/d", place, name="again")])
        assert self.found(place) == {
            "/again" + path[2:]: body for path, body in FILES.items() if path.startswith("/d/")
        }
        assert set(channel.outcomes) == {("/d", _OK)}

    def test_a_path_that_is_not_there_is_told_and_the_others_come_back(self) -> None:
        self._needs(ButypeAttribute.RECOVER_FILELIST)
        environment, place = self.fill(FILES), self.place()
        wanted = [WantedPath("/nowhere", place, name="a"), WantedPath("/one", place, name="b")]
        channel = self._recover(self._backup(environment), wanted)
        assert self.found(place) == {"/b": b"1"}
        assert sorted(channel.outcomes) == [("/nowhere", RecoveryStatus.NOT_FOUND), ("/one", _OK)]

    def test_a_file_comes_back_by_its_position(self) -> None:
        self._needs(ButypeAttribute.BACKUP_DIRECT | ButypeAttribute.RECOVER_DIRECT)
        environment, place = self.fill(FILES) | {EnvName.HIST: self._history_kind(), EnvName.DIRECT: "y"}, self.place()
        channel = self._backup(environment)
        node, position = self._where(channel.history, "/d/z")
        assert position is not None, "no position, though the butype says it can recover by one"
        self._recover(channel, [WantedPath("/d/z", place, name="z", node=node, position=position)])
        assert self.found(place) == {"/z": FILES["/d/z"]}

    def test_half_a_stream_is_not_recovered_in_silence(self) -> None:
        environment, place = self.fill(FILES), self.place()
        channel = self._backup(environment)
        del channel.stream[len(channel.stream) // 2 :]
        self._fails(channel, place)

    def test_a_stream_of_something_else_is_not_recovered_in_silence(self) -> None:
        environment, place = self.fill(FILES), self.place()
        channel = self._backup(environment)
        channel.stream[:] = b"\xa5" * len(channel.stream)
        self._fails(channel, place)
        assert self.found(place) == {}

    # -- variables -----------------------------------------------------------------------------------------------

    def test_variables_that_nobody_knows_do_no_harm(self) -> None:
        environment, place = self.fill(FILES) | {"X-NOBODY": "knows", "": "", "x\udcff": "\udcff"}, self.place()
        self._recover(self._backup(environment), [WantedPath("", place)])
        assert self.found(place) == FILES

    def test_what_cannot_be_backed_up_is_refused_at_once(self) -> None:
        environment, server = self.fill(FILES), self.server()
        with refused():
            server.backup(self.butype, environment | {EnvName.FILESYSTEM: "/no/such/place/\udcff"})
        with refused():
            server.backup(self.butype, environment | {EnvName.FILESYSTEM: ""})
        with refused():
            server.backup("no such butype", environment)
        with refused():
            server.recover("no such butype", environment, [WantedPath("", self.place())])

    # -- file history --------------------------------------------------------------------------------------------

    def test_no_history_unless_asked_for(self) -> None:
        environment = self.fill(FILES)
        for asked in ({}, {EnvName.HIST: "n"}):
            assert self._backup(environment | asked).history.told == []

    def test_history_by_files(self) -> None:
        self._needs(ButypeAttribute.BACKUP_FH_FILE)
        channel = self._backup(self.fill(FILES) | {EnvName.HIST: "f"})
        self._check_files(channel.history, len(channel.stream))

    def test_history_by_directories(self) -> None:
        self._needs(ButypeAttribute.BACKUP_FH_DIR)
        channel = self._backup(self.fill(FILES) | {EnvName.HIST: "d"})
        self._check_directories(channel.history, len(channel.stream))

    def test_history_that_the_server_chooses(self) -> None:
        self._needs(ButypeAttribute.BACKUP_FH_DIR, ButypeAttribute.BACKUP_FH_FILE)
        assert self._backup(self.fill(FILES) | {EnvName.HIST: "y"}).history.told

    def test_history_read_back_from_a_backup(self) -> None:
        server, environment = self.server(), self.fill(FILES)
        if ButypeAttribute.RECOVER_FILEHIST not in self._butype(server).attributes:
            with refused():
                server.recover_history(self.butype, environment, [WantedPath("", "")])
            raise SkipTest("the butype does not offer it")
        environment[EnvName.HIST] = self._history_kind()
        backup, recovery = MemoryBackup(), MemoryRecovery()
        server.backup(self.butype, environment)(backup)
        recovery.stream = bytes(backup.stream)
        server.recover_history(self.butype, environment | backup.variables, [WantedPath("", "")])(recovery)
        told, again = (sorted(map(repr, channel.history.told)) for channel in (backup, recovery))
        assert told == again, "the same as the backup told"

    # -- ends ----------------------------------------------------------------------------------------------------

    def test_an_aborted_backup_ends(self) -> None:
        environment = self.fill(FILES)
        complete = self._backup(environment)
        for patience in {0, complete.calls // 2, complete.calls - 1}:
            with _ending():
                self.server().backup(self.butype, environment)(MemoryBackup(patience))
        assert len(self._backup(environment).stream) == len(complete.stream), "after those that were aborted"

    def test_an_aborted_recovery_ends(self) -> None:
        backup = self._backup(self.fill(FILES))
        complete = self._recover(backup, [WantedPath("", self.place())])
        for patience in {0, complete.calls // 2, complete.calls - 1}:
            run = self.server().recover(self.butype, backup.variables, [WantedPath("", self.place())])
            with _ending():
                run(MemoryRecovery(patience, stream=bytes(backup.stream)))

    # -- in other words ------------------------------------------------------------------------------------------

    def _butype(self, server: DataBackend) -> BackupType:
        (found,) = (butype for butype in server.butypes if butype.name == self.butype)
        return found

    def _needs(self, *alternatives: ButypeAttribute) -> None:
        attributes = self._butype(self.server()).attributes
        if not any(needed in attributes for needed in alternatives):
            raise SkipTest(f"the butype does not offer {' or '.join(str(needed) for needed in alternatives)}")

    def _history_kind(self) -> str:
        return "d" if ButypeAttribute.BACKUP_FH_DIR in self._butype(self.server()).attributes else "f"

    def _backup(self, environment: Environment) -> MemoryBackup:
        channel = MemoryBackup()
        self.server().backup(self.butype, environment)(channel)
        channel.variables = environment | channel.variables
        return channel

    def _recover(self, backup: MemoryBackup, wanted: Sequence[WantedPath]) -> MemoryRecovery:
        channel = MemoryRecovery(stream=bytes(backup.stream))
        self.server().recover(self.butype, backup.variables, wanted)(channel)
        return channel

    def _fails(self, backup: MemoryBackup, place: str) -> None:
        channel = MemoryRecovery(stream=bytes(backup.stream))
        run = self.server().recover(self.butype, backup.variables, [WantedPath("", place)])
        try:
            run(channel)
        except Exception:  # noqa: BLE001  (any tells the host that the recovery failed)
            return
        assert any(status != _OK for _, status in channel.outcomes), "nobody would know that files are missing"

    def _where(self, history: MemoryHistory, path: str) -> tuple[int, int | None]:
        told = (directories_of if self._history_kind() == "d" else files_of)(history)[path]
        return told.node, told.position

    def _check_files(self, history: MemoryHistory, size: int) -> None:
        files = files_of(history)
        assert FILES.keys() <= files.keys() <= FILES.keys() | _DIRECTORIES
        self._check_described(files, size)

    def _check_directories(self, history: MemoryHistory, size: int) -> None:
        nodes = directories_of(history)
        assert nodes.keys() == FILES.keys() | _DIRECTORIES
        self._check_described(nodes, size)

    def _check_described(self, told: Mapping[str, HistoryFile] | Mapping[str, HistoryNode], size: int) -> None:
        for path, each in told.items():
            is_file = path in FILES
            assert each.attributes.file_type == (FileType.REG if is_file else FileType.DIR), path
            assert not is_file or each.attributes.size == len(FILES[path]), path
            assert each.position is None or 0 <= each.position < size, f"{path} is said to be at {each.position}"
            assert 0 <= each.node < (1 << 64) - 1, "all ones is no node"
