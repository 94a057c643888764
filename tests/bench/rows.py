"""All rows of the benchmark, by the names that the command line has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.bench.digests import DIGEST_ROWS
from tests.bench.iscsi import ISCSI_ROWS
from tests.bench.jobs import JOB_ROWS
from tests.bench.movers import MOVER_ROWS
from tests.bench.pairing import Row

__all__ = ["ROWS"]

ROWS: Final[Mapping[str, Row]] = {**MOVER_ROWS, **ISCSI_ROWS, **JOB_ROWS, **DIGEST_ROWS}
