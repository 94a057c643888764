"""Makes the checks one after the other, each on a session of its own. No failure stops it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import Check, Outcome, Verdict
from duplicator.conformance.conduct import Conduct
from duplicator.conformance.deviation import Deviation, Hang, HungUp, Unavailable
from duplicator.conformance.probe import probe
from duplicator.conformance.report import Report
from duplicator.conformance.target import Facts, Target

__all__ = ["run_checks", "run_suite"]

_log: Final = logging.getLogger(__name__)
_REVIVAL: Final = 0.1
"""Seconds between looks for a host that is gone."""

Watcher = Callable[[Outcome], None]


async def run_suite(target: Target, checks: Sequence[Check], *, watcher: Watcher | None = None) -> Report:
    """Probe a host and make all checks; ProbeFailed when there is nothing to test. ``watcher`` hears of each."""
    began, start = datetime.now(UTC), time.monotonic()
    facts = await probe(target)
    outcomes = await run_checks(target, facts, checks, watcher=watcher)
    return Report(target, facts, tuple(outcomes), began, time.monotonic() - start)


async def run_checks(
    target: Target, facts: Facts, checks: Sequence[Check], *, watcher: Watcher | None = None
) -> list[Outcome]:
    """Make checks on a host that is known."""
    run = _Run(target, facts)
    for check in checks:
        outcome = await run.make(check)
        if watcher:
            watcher(outcome)
    return run.outcomes


class _Run:
    def __init__(self, target: Target, facts: Facts) -> None:
        self.outcomes: list[Outcome] = []
        self._target, self._facts = target, facts
        self._conduct = Conduct()
        self._is_dead = False

    async def make(self, check: Check) -> Outcome:
        """One check; afterwards the host is as before."""
        start = time.monotonic()
        if missing := check.missing(self._facts):
            outcome = Outcome(check, Verdict.NOT_OFFERED, came=missing)
        elif self._is_dead:
            outcome = Outcome(check, Verdict.NOT_RUN, came="the host died before")
        else:
            outcome = await self._try(check)
        self.outcomes.append(replace(outcome, seconds=time.monotonic() - start))
        return self.outcomes[-1]

    async def _try(self, check: Check) -> Outcome:
        bench = Bench(self._target, self._facts, self._conduct)
        try:
            await bench.dial()
        except OSError:
            await bench.tidy()
            if not await self._is_back():
                self._bury()
                return Outcome(check, Verdict.NOT_RUN, came="nobody answers at the host's address")
            bench = Bench(self._target, self._facts, self._conduct)
        except Deviation as deviation:
            await bench.tidy()
            return _outcome(check, Verdict.BLOCKED, bench, deviation)
        try:
            if not bench.sessions:
                await bench.dial()
            outcome = await _carry_out(check, bench)
        finally:
            await bench.tidy()
        return await self._after(outcome, bench)

    async def _after(self, outcome: Outcome, bench: Bench) -> Outcome:
        """Where a session was lost or hangs, look whether anybody is still there."""
        suspicious = outcome.is_deviation and any(s.is_closed or s.has_hung for s in bench.sessions.values())
        if not suspicious or await self._answers():
            return outcome
        self._is_dead = not await self._is_back()
        return replace(outcome, verdict=Verdict.DIED, came=f"{outcome.came}; then nobody answered any more")

    async def _answers(self) -> bool:
        bench = Bench(self._target, self._facts, Conduct())
        try:
            await bench.dial()
        except (OSError, Deviation):
            return False
        finally:
            await bench.tidy()
        return True

    async def _is_back(self) -> bool:
        """Whether the host answers again within the deadline: something may start it anew."""
        end = time.monotonic() + self._target.deadline
        while time.monotonic() < end:
            if await self._answers():
                return True
            await asyncio.sleep(_REVIVAL)
        return False

    def _bury(self) -> None:
        """The check before is the one that the host did not survive."""
        self._is_dead = True
        for index in reversed(range(len(self.outcomes))):
            if self.outcomes[index].verdict not in (Verdict.NOT_OFFERED, Verdict.NOT_RUN):
                self.outcomes[index] = replace(
                    self.outcomes[index], verdict=Verdict.DIED, came="afterwards nobody answered any more"
                )
                return


async def _carry_out(check: Check, bench: Bench) -> Outcome:
    verdict = Verdict.BLOCKED
    try:
        for step in check.situation.steps:
            await step(bench)
        verdict = Verdict.FAILED
        for step in check.steps:
            await step(bench)
    except Deviation as deviation:
        return _outcome(check, verdict, bench, deviation)
    except Unavailable as reason:
        return Outcome(check, Verdict.NOT_OFFERED, came=str(reason))
    except OSError as error:
        return _outcome(check, verdict, bench, Deviation("a connection", str(error) or "none in time"))
    except Exception as error:  # noqa: BLE001  (a failure never stops the run, and whose it is can be read)
        _log.exception("check %s fails by itself", check.id)
        came = f"the suite's own failure: {type(error).__name__}: {error}"
        return Outcome(check, Verdict.BLOCKED, "an answer that it can judge", came, transcript=tuple(bench.transcript))
    return _outcome(check, Verdict.PASSED, bench, None)


def _outcome(check: Check, verdict: Verdict, bench: Bench, deviation: Deviation | None) -> Outcome:
    if deviation is None:
        return Outcome(check, verdict, transcript=tuple(bench.transcript))
    came = deviation.came
    if isinstance(deviation, Hang | HungUp) and deviation.sent is not None:
        came = f"{came} after {deviation.sent.line.split(' ', 2)[-1][:60]}"
    if verdict is Verdict.BLOCKED:
        came = f"in the set-up ({check.situation.name}): {came}"
    return Outcome(
        check,
        verdict,
        deviation.expected,
        came,
        deviation.sent,
        deviation.answer,
        tuple(bench.transcript),
    )
