"""Policies: which images are copied where, and what a copy has to stand."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer

from duplicator.config.tables import EntryName, NameOrNames, OneOrMore, Table
from duplicator.config.values import (
    Count,
    DigestName,
    Duration,
    RecordSize,
    Seconds,
    Text,
    Whole,
    as_list,
    duration_text,
)
from duplicator.plan import Deadlines, Route, Validation

__all__ = ["PolicyDeadlines", "PolicySpec"]

_USUAL: Final = Deadlines()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDeadlines(Table, Deadlines):
    """The deadlines of a policy's jobs, in seconds."""

    connect: Seconds = _USUAL.connect
    request: Seconds = _USUAL.request
    tape: Seconds = _USUAL.tape
    mount: Seconds = _USUAL.mount
    stall: Seconds = _USUAL.stall


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec(Table):
    """What is copied where, and how. Copy n of an image goes to the nth target, the first again after the last."""

    name: EntryName
    source: Annotated[Text, Field(alias="from")]
    """A disk unit, or a tape unit for tape to tape."""
    targets: Annotated[OneOrMore, Field(alias="to")]
    images: OneOrMore = ("*",)
    """Patterns of image names, as a shell has them."""
    validation: Validation = Validation.DIGEST
    digest: DigestName | None = None
    """None: what the source prefers."""
    copies_given: Annotated[Annotated[Count, Field(ge=1)] | None, Field(alias="copies")] = None
    priority: Whole = 0
    """Higher ones go first."""
    retention: Duration | None = None
    """None: as the pool has it."""
    retries: Count = 2
    back_off: Duration = timedelta(minutes=5)
    """Before the first retry; doubled before each further one."""
    routes: Annotated[tuple[Route, ...], BeforeValidator(as_list), Field(min_length=1)] = tuple(Route)
    """Those allowed, in the order in which they are tried."""
    record_bytes: Annotated[RecordSize | None, Field(alias="record_size")] = None
    """None: as the tape unit has it."""
    agents: NameOrNames = ()
    """Those that may run it; empty: all."""
    deadlines: Annotated[PolicyDeadlines, PlainSerializer(lambda waits: _waits(waits))] = field(
        default_factory=PolicyDeadlines
    )

    @property
    def copies(self) -> int:
        """How many of each image: as given, or one for each target."""
        return self.copies_given or len(self.targets)


def _waits(waits: PolicyDeadlines) -> dict[str, str | float]:
    return {wait.name: duration_text(timedelta(seconds=getattr(waits, wait.name))) for wait in fields(waits)}
