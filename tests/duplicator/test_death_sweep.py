"""Each party is killed at each step of a job over two volumes: nothing valid is lost, nothing else is called valid."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from duplicator.catalog import JobState
from tests.duplicator.blows import Call, Line
from tests.duplicator.sweeping import Case, Party, Sweep, sweep_in

_SWEEPS = pytest.mark.timeout(900)
"""Many jobs in one test; every one of them has a deadline of its own."""
_KILLED = -signal.SIGKILL
_ON_THE_SECOND_VOLUME = Line("move data", 3)


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
    before = case.copies("big")
    if case.job().state is not JobState.DONE:
        ended = case.resume()
        assert ended.code == 0, ended.err
    case.check_end(before)


def sweep_lines(sweep: Sweep, lines: list[Line], party: Party) -> set[str]:
    """Try each; gives the steps at which the job did not need ``party`` any more."""
    failures, survived = Failures(), set[str]()
    for line in lines:
        with failures.case(party.value, line), sweep.case() as case:
            if die(case, line, party):
                survived.add(line.step)
            go_on(case)
    failures.check()
    return survived


_SURVIVED = {
    Party.APPLIANCE: {"write side: write trailer", "close both sides", "validate", "done"},
    Party.TAPE_SERVER: {"done"},
    Party.DUPLICATOR: set[str](),
}
"""The steps at which, for the last fragment, nothing is wanted of them any more."""


@_SWEEPS
@pytest.mark.parametrize("party", Party)
def test_death_at_every_step(sweep: Sweep, party: Party) -> None:
    steps = [line for line in undisturbed(sweep) if line.number == 1]
    assert len(steps) > 30
    assert sweep_lines(sweep, steps, party) == _SURVIVED[party]


_WRITES = (
    "start_copy",
    "take",
    "update_job",
    "reserve_volume",
    "add_volume",
    "clear_volume",
    "update_volume",
    "count_mount",
    "update_drive",
    "add_section",
    "commit_fragment",
    "resume_copy",
    "set_copy_state",
    "stop_copy",
    "release",
    "finish_job",
)
"""What a job tells the catalog, beside its log."""


@_SWEEPS
def test_the_duplicator_dies_before_it_tells_the_catalog(sweep: Sweep) -> None:
    with sweep.case() as case:
        told = case.count_calls(_WRITES)
        assert case.begin().code == 0
        calls = told.read_text().split()
    assert [calls.count(name) for name in ("add_section", "commit_fragment", "set_copy_state")] == [4, 3, 2]
    failures = Failures()
    for number, name in enumerate(calls):
        at = Call(name, calls[: number + 1].count(name))
        with failures.case(at), sweep.case() as case:
            die(case, at, Party.DUPLICATOR)
            go_on(case)
    failures.check()


@_SWEEPS
def test_the_resumed_job_dies_at_every_step(sweep: Sweep) -> None:
    with sweep.case() as case:
        die(case, _ON_THE_SECOND_VOLUME, Party.DUPLICATOR)
        go_on(case)
        steps = [line for line in case.lines() if line.number == 1]
    assert len(steps) > 20
    failures = Failures()
    for line in steps:
        with failures.case("resumed", line), sweep.case() as case:
            die(case, _ON_THE_SECOND_VOLUME, Party.DUPLICATOR)
            before = case.copies("big")
            struck = case.strike(line, Party.DUPLICATOR)
            assert case.resume().code == _KILLED
            assert struck.exists()
            case.check_after_death()
            go_on(case)
            case.check_end(before)
    failures.check()


_NORMAL = (
    Line("check image", 1),
    Line("write side: position", 1),
    Line("move data", 2, 2),
    Line("write side: next volume", 1, 2),
    Line("write side: header", 3),
    _ON_THE_SECOND_VOLUME,
    Line("validate", 1, 2),
)
"""Where somebody ends the job."""


@_SWEEPS
def test_interrupted(sweep: Sweep) -> None:
    failures = Failures()
    for line in _NORMAL:
        with failures.case("Ctrl-C", line), sweep.case() as case:
            struck = case.strike(line, Party.DUPLICATOR, signal.SIGINT)
            ended = case.begin()
            assert struck.exists()
            assert ended.code == 130, ended.err
            assert case.job().state is JobState.CANCELLED
            case.check_after_death()
            case.check_volumes()
            go_on(case)
    failures.check()


@_SWEEPS
@pytest.mark.parametrize(("verb", "state"), [("suspend", JobState.SUSPENDED), ("cancel", JobState.CANCELLED)])
def test_stopped_from_another_process(sweep: Sweep, verb: str, state: JobState) -> None:
    failures = Failures()
    for line in _NORMAL[::3]:
        with failures.case(verb, line), sweep.case() as case:
            struck = case.ask(line, verb)
            ended = case.begin()
            assert struck.exists()
            assert ended.code == 1, ended.err
            assert case.job().state is state
            case.check_after_death()
            case.check_volumes()
            go_on(case)
    failures.check()
