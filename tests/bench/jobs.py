"""Whole jobs, from the start of the command to its end: `ndmpdup duplicate` beside ndmjob's three-way backup."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.pairing import GIB, Contestants, Goal, Measure, Row, Setting
from tests.bench.sessions import Server
from tests.bench.sources import make_image
from tests.duplicator.processes import Host
from tests.interop.sites import site_within
from tests.peers import Agent, Application, Namespace, formatter, network_namespace
from tests.peers.namespace import end_process
from tests.peers.requirements import require_peer

__all__ = ["JOB_ROWS"]

_IMAGE: Final = "big"
_VOLUME: Final = "VOL001"
_PATIENCE: Final = 300.0
_PLAIN: Final = "ndmpdup, not validated"
_VALIDATED: Final = "ndmpdup, read back by digest"
_NDMJOB: Final = "ndmjob, 3-way"
_PORTS: Final = (10001, 10002)
_HUGE_PAGES: Final = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
"""There where the kernel knows such a tmpfs."""


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class _Ours:
    """An appliance and a tape server of ours, and a blank cartridge for each job, new or to be overwritten."""

    namespace: Namespace
    folder: Path
    password: Path
    appliance: Host
    tape: Host
    overwrites: bool
    _blank: Mapping[Path, bytes] = field(default_factory=dict)

    @property
    def _cartridge(self) -> Path:
        return self.folder / _VOLUME

    def job(self, size: int, *options: str) -> Measure:
        """One job, from the start of the command to its end."""
        self._make_blank()
        command = [sys.executable, "-m", "duplicator.cli.main", "duplicate", _IMAGE, "--json", *options]
        command += ["--from", self.appliance.url("lsu"), "--from-password-file", str(self.password)]
        command += ["--to", self.tape.url("drive"), "--to-password-file", str(self.password)]
        hosts = {"appliance": self.appliance.pid, "tape": self.tape.pid}
        used, begin = {name: _used(pid) for name, pid in hosts.items()}, time.perf_counter()
        before = _children_cpu()
        ended = self.namespace.run(command, timeout=_PATIENCE, check=False, env=self._environment)
        elapsed = time.perf_counter() - begin
        if ended.returncode:
            raise RuntimeError(ended.stderr)
        cpu = {name: _used(pid) - used[name] for name, pid in hosts.items()}
        cpu["application"] = _children_cpu() - before
        return Measure(elapsed, size, cpu)

    @property
    def _environment(self) -> Mapping[str, str]:
        # Programs that are installed have their bytecode.
        dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        return {**kept, "NDMPDUP_CATALOG": f"sqlite:///{self.folder / 'catalog.db'}"}

    def _make_blank(self) -> None:
        """The cartridge as it was made, to its index at least, and a catalog that knows nothing."""
        for path in self.folder.glob("catalog.db*"):
            path.unlink()
        names = [self._cartridge.with_name(f"{_VOLUME}.{suffix}") for suffix in ("index", "data", "check")]
        self._blank = self._blank or {path: path.read_bytes() for path in names}
        for path, content in self._blank.items():
            if self.overwrites and path.suffix != ".index":
                continue
            path.unlink()
            path.touch(mode=0o600)
            path.write_bytes(content)


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Theirs:
    """ndmjob as data server, as tape server and as application."""

    application: Application
    folder: Path
    data: Server
    tape: Server
    overwrites: bool

    def job(self, image: Path, size: int) -> Measure:
        """One backup of one file, in records of 64 KiB, by `cat`."""
        self._make_blank()
        agents = {"data": self.data, "tape": self.tape}
        used, begin = {name: agent.cpu_seconds() for name, agent in agents.items()}, time.perf_counter()
        before = _children_cpu()
        report = self.application.run(
            *("-c", "-D", Agent(self.data.port), "-T", Agent(self.tape.port), "-f", "tape", "-m", _VOLUME),
            *("-b", "128", "-C", image, "-I", "index"),
            timeout=_PATIENCE,
        )
        elapsed = time.perf_counter() - begin
        if not report.ended_okay:
            raise RuntimeError(report.text)
        cpu = {name: agent.cpu_seconds() - used[name] for name, agent in agents.items()}
        cpu["application"] = _children_cpu() - before
        return Measure(elapsed, size, cpu)

    def _make_blank(self) -> None:
        for name in ("tape.pos", "tape.lck") if self.overwrites else ("tape", "tape.pos", "tape.lck"):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "tape").touch()
        self.application.label(["-T", Agent(self.tape.port), "-f", "tape"], _VOLUME)


@contextmanager
def _theirs(namespace: Namespace, folder: Path, *, overwrites: bool) -> Iterator[_Theirs]:
    environment = formatter(folder, Path(__file__).with_name("wrap_cat.py"))
    with ExitStack() as stack:
        agents = [stack.enter_context(_daemon(namespace, folder, port, environment)) for port in _PORTS]
        yield _Theirs(Application(namespace, folder), folder, *agents, overwrites)


@contextmanager
def _daemon(namespace: Namespace, folder: Path, port: int, environment: Mapping[str, str]) -> Iterator[Server]:
    """ndmjob as a daemon that logs nothing; it ends when its input does."""
    process = namespace.popen(
        [require_peer("ndmjob"), "-d0", "-o", "test-daemon", "-p", str(port)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=folder,
    )
    try:
        namespace.connect("127.0.0.1", port).close()
        yield Server(namespace, port, process)
    finally:
        end_process(process)


@contextmanager
def _ours(namespace: Namespace, folder: Path, unit: Path, *, overwrites: bool) -> Iterator[_Ours]:
    with site_within(namespace, folder) as site:
        appliance = site.serve("--lsu", f"lsu={unit}")
        tape = site.serve("--tape", f"drive=virtual:{folder / _VOLUME}?capacity=1T")
        yield _Ours(namespace, folder, site.password, appliance, tape, overwrites)


@contextmanager
def _scene(setting: Setting) -> Iterator[tuple[Namespace, Path, int, Callable[[str], Path]]]:
    """A network, the image's folder, its size, and a maker of other folders."""
    size, unit = setting.size(2 * GIB), setting.memory / "unit"
    unit.mkdir()
    make_image(unit / _IMAGE, size)

    def folder(name: str) -> Path:
        made = setting.memory / name
        made.mkdir()
        return made

    with network_namespace() as namespace:
        yield namespace, unit, size, folder


@contextmanager
def _small_pages(setting: Setting) -> Iterator[Setting]:
    """As a tmpfs is by itself."""
    yield setting


@contextmanager
def _huge_pages(setting: Setting) -> Iterator[Setting]:
    """On a tmpfs that takes pages of 2 MiB, so that finding pages costs next to nothing."""
    folder = setting.memory / "huge"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "huge=within_size,size=80%", "tmpfs", folder], check=True)
    try:
        yield setting.within(folder, setting.disk)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _whole(
    words: str, pages: Callable[[Setting], AbstractContextManager[Setting]] = _small_pages, *, overwrites: bool = False
) -> Row:
    @contextmanager
    def setup(given: Setting) -> Iterator[Contestants]:
        with (
            pages(given) as setting,
            _scene(setting) as (namespace, unit, size, folder),
            _ours(namespace, folder("ours"), unit, overwrites=overwrites) as ours,
            _theirs(namespace, folder("theirs"), overwrites=overwrites) as theirs,
        ):
            yield {
                _PLAIN: lambda: ours.job(size, "--validation", "none"),
                _VALIDATED: lambda: ours.job(size, "--validation", "digest"),
                _NDMJOB: lambda: theirs.job(unit / _IMAGE, size),
            }

    goals = (
        Goal("rate", _PLAIN, _NDMJOB, 2.0, 3.0),
        Goal("rate", _VALIDATED, _NDMJOB, 1.2, 2.0),
        Goal("CPU time of the tape side", _PLAIN, _NDMJOB, 0.5, 0.3, at_most=True, figure=_tape_cpu),
    )
    return Row(f"direct-to-tape job of 2 GiB, from the command's start to its end, to a {words}", goals, setup)


def _tape_cpu(measure: Measure) -> float:
    return measure.cpu_seconds["tape"] / measure.bytes


def _job_rows() -> Iterator[tuple[str, Row]]:
    yield "job", _whole("new tape")
    yield "job-used", _whole("tape used before", overwrites=True)
    if _HUGE_PAGES.exists():
        yield "job-huge", _whole("new tape in pages of 2 MiB", _huge_pages)


JOB_ROWS: Final[Mapping[str, Row]] = dict(_job_rows())
"""By the names that the command line has for them."""
