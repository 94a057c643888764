"""Our host, broken in one way each; beside it, which checks are to find it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.duplicator.conformance.mutants.config import CONFIG
from tests.duplicator.conformance.mutants.data import DATA
from tests.duplicator.conformance.mutants.mover import MOVER
from tests.duplicator.conformance.mutants.scsi import SCSI
from tests.duplicator.conformance.mutants.session import SESSION
from tests.duplicator.conformance.mutants.tape import TAPE
from tests.duplicator.conformance.mutation import Mutant

__all__ = ["MUTANTS"]

MUTANTS: Sequence[Mutant] = (*SESSION, *CONFIG, *TAPE, *MOVER, *DATA, *SCSI)
