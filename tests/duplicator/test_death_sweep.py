"""Each party is killed at each step of a job over two volumes: nothing valid is lost, nothing else is called valid.

The steps are those that an undisturbed job tells. On every run each of them is the last one of some party, and each of
their names that of every party; the environment `long` has every line of the log with every party.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from duplicator.catalog import JobState
from tests.duplicator.blows import Call, Line
from tests.duplicator.sweeping import Case, Party, Sweep, sweep_in

_MANY = pytest.mark.timeout(3600)
"""Many jobs in one test; every one of them has a deadline of its own."""
_KILLED = -signal.SIGKILL
_ON_THE_SECOND_VOLUME = Line("move data", 3)
_UNNEEDED = {
    Party.APPLIANCE: {"write side: write trailer", "close both sides", "validate", "done"},
    Party.TAPE_SERVER: {"done"},
    Party.DUPLICATOR: set[str](),
}
"""Steps at which, behind the last fragment, nothing is wanted of them any more."""
_CATALOG = "duplicator.catalog.Catalog"
_CALLS = {"add_section": 4, "commit_fragment": 3, "set_copy_state": 2, "finish_job": 1}
"""What a job tells the catalog once something has happened, and how often."""
_OTHER_CALLS = (
    "start_copy",
    "take",
    "update_job",
    "clear_volume",
    "update_volume",
    "update_drive",
    "release",
)
"""What it tells beside that."""
_MOTIONS = (
    "scsi.virtual.drive.VirtualDrive.write_blocks",
    "scsi.virtual.drive.VirtualDrive.write_filemarks",
    "duplicator.adapters.ChangerHandle.execute",
)
"""What a tape server does for a job, besides reading: each block or mark of a label group, records, and the robot."""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    with sweep_in(tmp_path_factory.mktemp("sweep")) as made:
        yield made


class Failures:
    """Keeps what went wrong in one case, so that the others are tried too."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    @contextmanager
    def case(self, *words: object) -> Iterator[None]:
        """One case, named by these words."""
        try:
            yield
        except AssertionError as error:
            self._texts.append(f"{', '.join(map(str, words))}: {error}")

    def check(self) -> None:
        """AssertionError if there were any."""
        assert not self._texts, f"{len(self._texts)} cases failed:\n" + "\n".join(self._texts)


def undisturbed(sweep: Sweep) -> list[Line]:
    """The log of a job to which nothing happens."""
    with sweep.case() as case:
        ended = case.begin()
        assert ended.code == 0, ended.err
        case.check_end()
        return case.lines()


def steps_of(lines: Sequence[Line]) -> list[Line]:
    """The lines with which a step begins."""
    return [line for line in lines if line.number == 1]


def share(steps: Sequence[Line], party: Party) -> list[Line]:
    """The steps of one party: each name once, in another turn than the others have it; the last gets what is left."""
    number = list(Party).index(party)
    turns = {step.step: step.turn for step in steps}  # how often
    wanted = {name: min(number + 1, last) for name, last in turns.items()}
    is_last = number + 1 == len(Party)
    return [step for step in steps if step.turn == wanted[step.step] or (is_last and step.turn > number)]


def die(case: Case, at: Line | Call, party: Party) -> bool:
    """Begin the job, of which ``party`` dies then, and look what is left; whether the job could do without it."""
    struck = case.strike(at, party)
    ended = case.begin()
    assert struck.exists(), f"the job never came there: {ended.err}"
    assert ended.code in ((_KILLED,) if party is Party.DUPLICATOR else (1, 0)), ended.err
    case.repair(party)
    case.check_after_death()
    return ended.code == 0


def go_on(case: Case) -> None:
    """Resume the job to its good end; what was committed before stays where it is."""
    before, state = case.copies("big"), case.job().state
    if state is not JobState.DONE:
        ended = case.run("run") if state is JobState.QUEUED else case.resume()
        assert ended.code == 0, ended.err
    case.check_end(before)


def sweep_lines(sweep: Sweep, lines: Sequence[Line], party: Party) -> None:
    failures, survived = Failures(), set[str]()
    for line in lines:
        with failures.case(party.value, line), sweep.case() as case:
            if die(case, line, party):
                survived.add(line.step)
            go_on(case)
    failures.check()
    assert survived <= _UNNEEDED[party]


def test_every_step_has_its_deaths() -> None:
    steps = [Line("a", 1), Line("b", 1), Line("a", 2), Line("b", 2), Line("a", 3), Line("a", 4), Line("a", 5)]
    shares = [share(steps, party) for party in Party]
    assert shares[0] == [Line("a", 1), Line("b", 1)]
    assert shares[1] == [Line("a", 2), Line("b", 2)]
    assert shares[2] == [Line("b", 2), Line("a", 3), Line("a", 4), Line("a", 5)]


@_MANY
@pytest.mark.parametrize("party", Party)
def test_death_at_every_step(sweep: Sweep, party: Party) -> None:
    steps = steps_of(undisturbed(sweep))
    assert len(steps) > 30
    sweep_lines(sweep, share(steps, party), party)


@_MANY
@pytest.mark.long
@pytest.mark.parametrize("party", Party)
def test_death_at_every_line(sweep: Sweep, party: Party) -> None:
    sweep_lines(sweep, undisturbed(sweep), party)


# -- between what is done and what is recorded -------------------------------------------------------------------------


def die_before_calls(sweep: Sweep, calls: Sequence[Call]) -> None:
    failures = Failures()
    for call in calls:
        with failures.case(call), sweep.case() as case:
            die(case, call, Party.DUPLICATOR)
            go_on(case)
    failures.check()


def calls_in(told: Path) -> list[Call]:
    """Which calls were made, in their order."""
    names = told.read_text().split()
    return [Call(name, names[: number + 1].count(name)) for number, name in enumerate(names)]


@_MANY
def test_death_before_the_catalog_is_told(sweep: Sweep) -> None:
    calls = [Call(f"{_CATALOG}.{name}", turn) for name, last in _CALLS.items() for turn in range(1, last + 1)]
    die_before_calls(sweep, calls)


@_MANY
@pytest.mark.long
def test_death_before_anything_else_is_told(sweep: Sweep) -> None:
    with sweep.case() as case:
        told = case.count_calls([f"{_CATALOG}.{name}" for name in (*_CALLS, *_OTHER_CALLS)])
        assert case.begin().code == 0
        calls = calls_in(told)
    last = {call.method.rpartition(".")[2]: call.turn for call in calls}
    assert {name: last[name] for name in _CALLS} == _CALLS
    assert set(last) == {*_CALLS, *_OTHER_CALLS}
    die_before_calls(sweep, [call for call in calls if call.method.rpartition(".")[2] in _OTHER_CALLS])


def die_before_motions(sweep: Sweep, choose: Callable[[Sequence[Call]], Sequence[Call]]) -> None:
    """The tape server dies between two writes, marks or movements."""
    with sweep.case() as case:
        told = case.count_calls(_MOTIONS)
        case.restart_tape()
        assert case.begin().code == 0
        calls = choose(calls_in(told))
    failures = Failures()
    for call in calls:
        with failures.case(call), sweep.case() as case:
            struck = case.restart_tape(call)
            ended = case.begin()
            assert struck.exists(), ended.err
            assert ended.code == 1, ended.err
            case.repair(Party.TAPE_SERVER)
            case.check_after_death()
            go_on(case)
    failures.check()


@_MANY
@pytest.mark.long
def test_the_tape_server_dies_between_any_two_motions(sweep: Sweep) -> None:
    die_before_motions(sweep, lambda calls: calls)


@_MANY
def test_the_tape_server_dies_within_labels(sweep: Sweep) -> None:
    """Around the end of the first volume: a header, records or a trailer without marks, a volume label without any."""
    die_before_motions(sweep, lambda calls: [call for call in calls if call.method.endswith("marks")][3:8])


# -- more than one death -----------------------------------------------------------------------------------------------


def die_again(sweep: Sweep, choose: Callable[[Sequence[Line]], Sequence[Line]]) -> None:
    """The job dies on its second volume, and the resumed one too, at each of the lines that are chosen of its log."""
    with sweep.case() as case:
        die(case, _ON_THE_SECOND_VOLUME, Party.DUPLICATOR)
        go_on(case)
        lines = choose(case.lines())
    failures = Failures()
    for line in lines:
        with failures.case("resumed", line), sweep.case() as case:
            die(case, _ON_THE_SECOND_VOLUME, Party.DUPLICATOR)
            before = case.copies("big")
            struck = case.strike(line, Party.DUPLICATOR)
            ended = case.resume()
            assert struck.exists(), ended.err
            assert ended.code == _KILLED, ended.err
            case.check_after_death()
            go_on(case)
            case.check_end(before)
    failures.check()


@_MANY
def test_the_resumed_job_dies_too(sweep: Sweep) -> None:
    names = {"write side: position", "move data", "validate"}
    die_again(sweep, lambda lines: [line for line in steps_of(lines) if line.step in names and line.turn == 1])


@_MANY
@pytest.mark.long
def test_the_resumed_job_dies_at_every_step(sweep: Sweep) -> None:
    die_again(sweep, steps_of)


@_MANY
def test_a_policy_goes_on_with_what_died(sweep: Sweep) -> None:
    failures = Failures()
    for line in (Line("check image", 1), _ON_THE_SECOND_VOLUME, Line("validate", 1)):
        with failures.case("policy", line), sweep.case() as case:
            die(case, line, Party.DUPLICATOR)
            before = case.copies("big")
            for _ in range(2):
                ended = case.begin()
                assert ended.code == 0, ended.err
            case.check_end(before)
    failures.check()


# -- ends that somebody wants ------------------------------------------------------------------------------------------

_STOPS = (Line("move data", 2, 2), _ON_THE_SECOND_VOLUME, Line("validate", 1, 2))


def check_stopped(case: Case, state: JobState) -> None:
    """The job ended in order: every volume is whole again."""
    assert case.job().state is state
    case.check_after_death()
    case.check_volumes()
    go_on(case)


@_MANY
def test_interrupted(sweep: Sweep) -> None:
    failures = Failures()
    for line in _STOPS:
        with failures.case("Ctrl-C", line), sweep.case() as case:
            struck = case.strike(line, Party.DUPLICATOR, signal.SIGINT)
            ended = case.begin()
            assert struck.exists()
            assert ended.code == 130, ended.err
            check_stopped(case, JobState.CANCELLED)
    failures.check()


@_MANY
@pytest.mark.parametrize(("verb", "state"), [("suspend", JobState.SUSPENDED), ("cancel", JobState.CANCELLED)])
def test_stopped_from_another_process(sweep: Sweep, verb: str, state: JobState) -> None:
    failures = Failures()
    for line in _STOPS[:2]:
        with failures.case(verb, line), sweep.case() as case:
            struck = case.ask(line, verb)
            ended = case.begin()
            assert struck.exists()
            assert ended.code == 1, ended.err
            assert state.value in ended.err
            check_stopped(case, state)
    failures.check()
