"""The tables, in the order in which they are worked through: what may cost the host something comes last."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.check import Check
from duplicator.conformance.checks import (
    config,
    connect,
    extensions,
    framing,
    logins,
    mover,
    scratch,
    scsi,
    tape,
    tape_end,
    transfer,
)

__all__ = ["CHECKS"]

CHECKS: Final[tuple[Check, ...]] = (
    *connect.CHECKS,
    *config.CHECKS,
    *extensions.CHECKS,
    *framing.CHECKS,
    *scsi.CHECKS,
    *tape.CHECKS,
    *scratch.CHECKS,
    *mover.CHECKS,
    *transfer.CHECKS,
    *tape_end.CHECKS,
    *logins.CHECKS,
)
