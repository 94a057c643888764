"""Who keeps the files and who keeps the tape, when ndmjob backs up: it itself, or hosts of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.duplicator.processes import SECRET, USER, Host, Site
from tests.interop.sites import site_within
from tests.peers import Agent, Application, Namespace, Report, Word, formatter, ndmjob_daemon

__all__ = ["CHANGER", "DEVICE", "DRIVES", "PLACES", "Places", "Stage", "agent"]

DEVICE: Final = "tape"
CHANGER: Final = "robot"
DRIVES: Final = ("robot.drive0", "robot.drive1")
"""Of a library, the first at element 256."""
_WRAP = Path(__file__).with_name("wrap_gnu_tar.py")
_TAPE = f"{DEVICE}=virtual:{{}}/VOL001?capacity=1T"


@dataclass(frozen=True)
class Places:
    """A data server, a tape server, and the application that commands them."""

    application: Application
    data: Agent
    tape: Agent

    @property
    def tape_options(self) -> list[Word]:
        """How ndmjob is told of the tape; it is on the data server, in the same session, if nothing else is said."""
        elsewhere: list[Word] = [] if self.tape is self.data else ["-T", self.tape]
        return [*elsewhere, "-f", DEVICE, "-m", "VOL001"]

    def label(self) -> None:
        """Label the tape."""
        self.application.label(["-T", self.tape, "-f", DEVICE], "VOL001")

    def back_up(self, tree: Path, *options: Word, index: str = "index") -> Report:
        """Back up a tree, with an index."""
        return self.application.run("-c", "-D", self.data, *self.tape_options, "-C", tree, "-I", index, *options)

    def show(self, tree: Path, *options: Word, index: str = "contents") -> Report:
        """Read the backup for its history alone."""
        known = ["-J", "index", "-I", index, "-E", f"FILESYSTEM={tree}"]
        return self.application.run("-t", "-D", self.data, *self.tape_options, *known, *options)

    def restore(self, into: Path, *options: Word) -> Report:
        """Restore what the options name below a directory."""
        known: list[Word] = ["-J", "index", "-C", into, "-E", f"FILESYSTEM={into}"]
        return self.application.run("-x", "-D", self.data, *self.tape_options, *known, *options)


class Stage:
    """Makes hosts that run until the end."""

    def __init__(self, namespace: Namespace, folder: Path, stack: ExitStack) -> None:
        self.site: Site = stack.enter_context(site_within(namespace, folder))
        self.hosts: list[Host] = []
        """Ours."""
        self.namespace, self.folder, self._stack = namespace, folder, stack

    @property
    def application(self) -> Application:
        """ndmjob, with its files in the stage's folder."""
        return Application(self.namespace, self.folder)

    def ndmjob(self, port: int) -> Agent:
        """ndmjob's daemon, with GNU tar behind it."""
        directory = self.folder / f"ndmjob-{port}"
        directory.mkdir()
        environment = formatter(directory, _WRAP)
        self._stack.enter_context(ndmjob_daemon(self.namespace, directory, port, environment=environment))
        return Agent(port)

    def ours(self, *, tape: bool = False, tree: bool = False, profile: str = "ndmjob") -> Agent:
        """A host of ours, with a tape, with the stage's folder as a file system, or both."""
        offers = ["--tape", _TAPE.format(self.folder)] if tape else []
        return self.serve(*offers, *(self._tree_options() if tree else ()), profile=profile)

    def library(self, directory: Path, *, cartridges: int, capacity: int, tree: bool = False) -> Agent:
        """A host of ours with a library, and perhaps with the stage's folder as a file system."""
        url = f"virtual-library:{directory}?cartridges={cartridges}&capacity={capacity}"
        return self.serve("--changer", f"{CHANGER}={url}", *(self._tree_options() if tree else ()))

    def serve(self, *offers: str, profile: str = "ndmjob") -> Agent:
        """A host of ours as the command line makes it."""
        self.hosts.append(self.site.serve("--profile", profile, *offers))
        return agent(self.hosts[-1])

    def _tree_options(self) -> list[str]:
        return ["--tree", str(self.folder), "--state", str(self.folder / "state")]


def agent(host: Host) -> Agent:
    """Our host as ndmjob is told of it."""
    return Agent(host.port, USER, SECRET)


def _ndmjob_alone(stage: Stage) -> Places:
    return Places(stage.application, stage.ndmjob(10001), stage.ndmjob(10002))


def _our_tape(stage: Stage) -> Places:
    return Places(stage.application, stage.ndmjob(10001), stage.ours(tape=True))


def _our_data(stage: Stage) -> Places:
    return Places(stage.application, stage.ours(tree=True), stage.ndmjob(10002))


def _ours_apart(stage: Stage) -> Places:
    return Places(stage.application, stage.ours(tree=True), stage.ours(tape=True))


def _ours_in_one(stage: Stage) -> Places:
    both = stage.ours(tree=True, tape=True)
    return Places(stage.application, both, both)


PLACES: Final[Mapping[str, Callable[[Stage], Places]]] = {
    "ndmjob alone": _ndmjob_alone,
    "our tape": _our_tape,
    "our data": _our_data,
    "ours apart": _ours_apart,
    "ours in one": _ours_in_one,
}
