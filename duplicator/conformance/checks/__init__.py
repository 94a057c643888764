"""The tables, in the order in which they are worked through: what may cost the host something comes last."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.check import Check
from duplicator.conformance.checks import (
    conduct,
    config,
    connect,
    data,
    extensions,
    framing,
    logins,
    losses,
    mover,
    pairs,
    scratch,
    scsi,
    states,
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
    *data.CHECKS,
    *states.CHECKS,
    *transfer.CHECKS,
    *pairs.CHECKS,
    *tape_end.CHECKS,
    *losses.CHECKS,
    *mover.LATE,
    *logins.CHECKS,
    *conduct.CHECKS,
)
