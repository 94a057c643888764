"""A site where one job after another dies, and what has to be true whatever died, and when."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path

from duplicator.catalog import Catalog, Copy, CopyState, Job, JobState, VolumeState
from scsi.virtual.tap import export_tap
from tests.duplicator.blows import Blow, Call, Line, SpawnHooked, Tally, lines_of
from tests.duplicator.plain_tape import LabelledFile, first_files, labelled_files, read_tap, user_text
from tests.duplicator.processes import USER, Ended, Host, Site

__all__ = ["Case", "Party", "Sweep", "sweep_in"]

_BIG = (90_000, 700_000, 40_000)
"""Bytes of the fragments; the second one spans."""
_SMALL = 100_000
_CARTRIDGES = 4
_LIBRARY = f"drives=1&slots={_CARTRIDGES}&cartridges={_CARTRIDGES}&capacity=600K&sync=no"
_POOL = "daily"
_CONFIG = """\
[hosts.appliance]
address = "127.0.0.1"
port = {appliance}
user = "{user}"
password_file = "password"
[hosts.tapehost]
address = "127.0.0.1"
port = {tape}
user = "{user}"
password_file = "password"
[storage.disk.unit]
host = "appliance"
unit = "lsu"
[storage.tape.lto]
library = "lib"
pool = "daily"
[libraries.lib]
host = "tapehost"
changer = "lib"
drives = {{ d0 = 0 }}
[drives.d0]
host = "tapehost"
device = "lib.drive0"
[pools.daily]
[policies.small]
from = "unit"
to = "lto"
images = "small"
[policies.big]
from = "unit"
to = "lto"
images = "big"
retries = 0
deadlines = {{ connect = "5s", request = "10s", tape = "10s", mount = "10s", stall = "5s" }}
"""


class Party(Enum):
    """Who dies."""

    APPLIANCE = "appliance"
    TAPE_SERVER = "tape server"
    DUPLICATOR = "duplicator"


class Sweep:
    """Both hosts keep their ports for all cases; every case has its own catalog and library."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._cases = 0
        self.library_files = set[str]()
        self.spawn = SpawnHooked()
        self.contents = {"small": [_noise("small", _SMALL)], "big": [_noise(f"big{n}", s) for n, s in enumerate(_BIG)]}
        self._unit = self._make_unit()
        self.appliance_port, self.tape_port = (stack.enter_context(owned_port()) for _ in range(2))
        self._site = self._make_site(folder)
        self.appliance = self.start_appliance()
        self._template = self._make_template()

    def _make_unit(self) -> Path:
        unit = self._folder / "unit"
        (unit / "big").mkdir(parents=True)
        (unit / "small").write_bytes(self.contents["small"][0])
        for number, content in enumerate(self.contents["big"]):
            (unit / "big" / f"part{number}").write_bytes(content)
        return unit

    def _make_site(self, folder: Path) -> Site:
        site = Site(folder, self.spawn)
        self._stack.callback(site.close)
        config = _CONFIG.format(user=USER, appliance=self.appliance_port, tape=self.tape_port)
        (folder / "ndmpdup.toml").write_text(config)
        return site

    def start_appliance(self) -> Host:
        """Where it was."""
        self.appliance = self._site.serve("--lsu", f"lsu={self._unit}", listen=f"127.0.0.1:{self.appliance_port}")
        return self.appliance

    def _make_template(self) -> Path:
        """A library with a good copy on its first volume, and an expired one on the next, which is scratch."""
        folder = self._folder / "template"
        folder.mkdir()
        case = Case(self, self._make_site(folder), folder)
        with Catalog(case.site.catalog) as catalog:
            for label in case.labels:
                catalog.add_volume(label, tape_url="", state=VolumeState.SCRATCH, pool=_POOL, barcode=f"{label}L8")
            self._make_scratch(case, catalog, case.labels[1])
        ended = case.run("run", "--policy", "small")
        assert ended.code == 0, ended.err
        case.close()
        self.library_files = {path.name for path in (folder / "lib").iterdir()}
        return folder

    def _make_scratch(self, case: Case, catalog: Catalog, label: str) -> None:
        """Have a copy on this volume that nobody needs."""
        ended = case.run("duplicate", "small", "--from", "unit", "--to", "lto", "--volume", label)
        assert ended.code == 0, ended.err
        (copy,) = case.copies("small")
        catalog.expire_copy(copy.id)
        assert catalog.free_volumes() == [label]

    @contextmanager
    def case(self) -> Iterator[Case]:
        """A library and a catalog as they were at the beginning."""
        self._cases += 1
        folder = self._folder / f"case{self._cases}"
        shutil.copytree(self._template, folder, ignore=shutil.ignore_patterns("port-*", "out-*"))
        case = Case(self, self._make_site(folder), folder)
        try:
            yield case
        finally:
            case.close()
        shutil.rmtree(folder)


class Case:
    """One job, from its beginning to its good end, whatever comes between."""

    def __init__(self, sweep: Sweep, site: Site, folder: Path) -> None:
        self._sweep = sweep
        self.site = site
        self._folder = folder
        self.config = ("--config", folder / "ndmpdup.toml")
        self.labels = [f"VT{number:04}" for number in range(1, _CARTRIDGES + 1)]
        self.tape = self.start_tape()
        self._blows = 0

    def start_tape(self) -> Host:
        """Where it was, with what it left."""
        library = f"lib=virtual-library:{self._folder / 'lib'}?{_LIBRARY}"
        self.tape = self.site.serve("--changer", library, listen=f"127.0.0.1:{self._sweep.tape_port}")
        return self.tape

    def close(self) -> None:
        """End the case's processes."""
        self.site.close()

    # -- the job -------------------------------------------------------------------------------------------------

    def run(self, *words: str) -> Ended:
        """A command with the case's configuration."""
        return self.site.run(*words, *self.config)

    def begin(self) -> Ended:
        """Queue the job and run it."""
        return self.run("run", "--policy", "big")

    def resume(self) -> Ended:
        """Go on with it."""
        return self.run("resume", str(self.job().id))

    def job(self) -> Job:
        """The job."""
        with Catalog(self.site.catalog) as catalog:
            return catalog.jobs(limit=1)[0]

    def lines(self) -> list[Line]:
        """The log of its last try."""
        with Catalog(self.site.catalog) as catalog:
            job = catalog.jobs(limit=1)[0]
            return lines_of(event.step for event in catalog.events(job.id) if event.attempt == job.tries)

    def copies(self, image: str) -> list[Copy]:
        """The copies of an image, oldest first."""
        with Catalog(self.site.catalog) as catalog:
            return [copy for copy in catalog.copies() if copy.image.name == image]

    # -- what befalls it -----------------------------------------------------------------------------------------

    def strike(self, at: Line | Call, party: Party, number: signal.Signals = signal.SIGKILL) -> Path:
        """Have the next command struck; gives the file that tells whether it was."""
        pids = {Party.APPLIANCE: self._sweep.appliance.pid, Party.TAPE_SERVER: self.tape.pid}
        return self._hook(Blow(at, pids.get(party), number, self._struck()))

    def ask(self, at: Line | Call, verb: str) -> Path:
        """Have somebody else run a command on the job, while the next command runs it, which then has to notice."""
        command = (sys.executable, "-m", "duplicator.cli.main", verb)
        return self._hook(Blow(at, None, signal.SIGKILL, self._struck(), command))

    def count_calls(self, methods: Sequence[str]) -> Path:
        """Have the next process write down which of these methods it calls."""
        self._sweep.spawn.hook = tally = Tally(methods, self._folder / "calls")
        return tally.file

    def _struck(self) -> Path:
        self._blows += 1
        return self._folder / f"struck{self._blows}"

    def _hook(self, blow: Blow) -> Path:
        self._sweep.spawn.hook = blow
        return blow.struck

    def restart_tape(self, at: Call | None = None) -> Path:
        """End the tape server in order and start one that kills itself at this call; gives the file that tells."""
        assert self.tape.stop().code == 0
        struck = self._struck()
        if at is not None:
            self._hook(Blow(at, None, signal.SIGKILL, struck))
        self.start_tape()
        return struck

    def repair(self, party: Party) -> None:
        """Start what died."""
        if party is Party.APPLIANCE:
            self._sweep.start_appliance()
        elif party is Party.TAPE_SERVER:
            self.start_tape()

    # -- what has to be true -------------------------------------------------------------------------------------

    def check_after_death(self) -> None:
        """No copy is wrongly valid, none is lost, nobody has anything."""
        listed = self.site.ask("jobs")["jobs"][0]  # as a user looks; it marks what died
        assert listed["state"] != JobState.RUNNING.value
        self._check_nothing_held()
        self._check_copies()

    def check_end(self, before: Sequence[Copy] = ()) -> None:
        """The job is done, both copies are valid, and catalog and tapes tell the same."""
        assert self.job().state is JobState.DONE, self.job()
        self._check_nothing_held()
        self._check_copies()
        states = [copy.state for copy in self.copies("big")]
        assert states[-1] is CopyState.VALID, states
        assert set(states[:-1]) <= {CopyState.FAILED}, states
        for copy in before:
            self._check_kept(copy)
        self.check_volumes()
        self._check_library()

    def _check_nothing_held(self) -> None:
        with Catalog(self.site.catalog) as catalog:
            assert catalog.leases() == []
        self._sweep.appliance.wait_until_idle()
        self.tape.wait_until_idle()

    def _check_copies(self) -> None:
        *expired, small = self.copies("small")
        assert small.state is CopyState.VALID
        assert {copy.state for copy in expired} <= {CopyState.EXPIRED}
        for copy in (small, *self.copies("big")):
            if copy.state is CopyState.VALID:
                self._check_whole(copy)

    def _check_whole(self, copy: Copy) -> None:
        contents = self._sweep.contents[copy.image.name]
        assert [fragment.size for fragment in copy.fragments] == [len(content) for content in contents]
        for fragment, content in zip(copy.fragments, contents, strict=True):
            joined = b""
            for section in fragment.sections:
                file = first_files(self._objects(section.volume), section.file_sequence)[-1]
                assert user_text(file.trailer, "UTL")["COPY"] == copy.id
                joined += b"".join(file.blocks)[: section.size]
            assert joined == content, f"fragment {fragment.index} of copy {copy.id}"

    def _check_kept(self, before: Copy) -> None:
        """What was committed is where it was: it was not written again."""
        if before.state in (CopyState.INCOMPLETE, CopyState.WRITTEN, CopyState.VALID):
            (after,) = [copy for copy in self.copies(before.image.name) if copy.id == before.id]
            assert after.state is CopyState.VALID
            assert after.fragments[: len(before.fragments)] == before.fragments

    def check_volumes(self) -> None:
        """Each tape file of each cartridge is known: part of a copy, or dead; and there are no others."""
        parts = {
            (section.volume, section.file_sequence): copy.id
            for copy in self.copies("big") + self.copies("small")
            for fragment in copy.fragments
            for section in fragment.sections
        }
        with Catalog(self.site.catalog) as catalog:
            for label in self.labels:
                found = self._files(label)
                volume = catalog.volume(label)
                assert volume is not None
                assert volume.files == len(found), f"{label} has {len(found)} files, and {volume.files} are known"
                known = [(file.file_sequence, file.copy_id, file.dead) for file in catalog.volume_files(label)]
                on_tape = [(n, user_text(file.trailer, "UTL")["COPY"]) for n, file in enumerate(found, 1)]
                assert known == [(n, copy, parts.get((label, n)) != copy) for n, copy in on_tape], label

    def _check_library(self) -> None:
        """Every cartridge is in one place of its own, and nothing else lies in the library's folder."""
        library = self._folder / "lib"
        places = [
            (each["barcode"], each["at"]) for each in json.loads((library / "library.json").read_text())["cartridges"]
        ]
        assert sorted(barcode for barcode, _ in places) == [f"{label}L8" for label in self.labels]
        assert len({at for _, at in places}) == _CARTRIDGES
        assert {path.name for path in library.iterdir()} == self._sweep.library_files

    def _files(self, label: str) -> list[LabelledFile]:
        objects = self._objects(label)
        if not objects:
            return []
        found, files = labelled_files(objects)
        assert found[4:10] == label
        return files

    def _objects(self, label: str) -> list[bytes | None]:
        tap = self._folder / "exported.tap"
        export_tap(self._folder / "lib" / f"{label}L8", tap)
        objects = read_tap(tap)
        tap.unlink()
        return objects


def _noise(seed: str, size: int) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(size)


@contextmanager
def owned_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which only processes of ours listen, also while none of them runs.

    A bound socket that does not listen keeps the kernel from giving it to anybody.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def sweep_in(folder: Path) -> Iterator[Sweep]:
    """A site whose processes end with the block."""
    with ExitStack() as stack:
        yield Sweep(folder, stack)
