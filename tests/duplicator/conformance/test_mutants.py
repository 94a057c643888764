"""The suite finds hosts that are broken in one way: each mutant fails a MUST or a SHOULD that our host passes.

That our host passes all of them is in test_suite.py. The score is that of this file: every mutant is found.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from pathlib import Path

import pytest

from duplicator.conformance import Level, Outcome, run_suite
from tests.duplicator.conformance.hosts import Ground, chosen, failed
from tests.duplicator.conformance.mutants import MUTANTS
from tests.duplicator.conformance.mutation import Mutant

SHORT = 0.4
"""Seconds that a mutant may hang."""


async def hunted(ground: Ground, mutant: Mutant) -> dict[str, Outcome]:
    async with ground.serving() as target:
        report = await run_suite(dataclasses.replace(target, deadline=SHORT), chosen(*mutant.checks))
        return failed(report)


# A host that is broken may leave sockets behind, and that is its own affair.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_suite_finds(mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.patch(monkeypatch)
    found = asyncio.run(hunted(Ground(tmp_path), mutant))
    gc.collect()  # what is left behind is not to be found in another test
    binding = [name for name, outcome in found.items() if outcome.check.level in (Level.MUST, Level.SHOULD)]
    assert binding, f"{mutant.name}: nothing that binds failed in {mutant.checks}"


def test_there_are_mutants_enough() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25
