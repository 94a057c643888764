"""What a queued job is to do, by names of the configuration: kept in the catalog as JSON, and without any secret."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from duplicator.config.model import Config, DiskUnit, PolicySpec, TapeUnit
from duplicator.plan import DEFAULT_RECORD_BYTES, Deadlines, Route, Step, Validation
from duplicator.status import JobError, Status

__all__ = ["CopyOrder", "matches", "order_of_policy"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOrder:
    """Copy ``image`` of a disk unit, or the copy ``from_copy`` on tape, to a tape unit.

    ``volume``: the one to use, by name; None leaves the choice to the broker. ``keep``: how long the copy is needed.
    """

    image: str
    source: str
    target: str
    from_copy: str | None = None
    policy: str = ""
    volume: str | None = None
    digest: str | None = None
    validation: Validation = Validation.DIGEST
    routes: tuple[Route, ...] = tuple(Route)
    record_bytes: int = DEFAULT_RECORD_BYTES
    keep: timedelta | None = None
    retries: int = 0
    back_off: timedelta = timedelta(minutes=5)
    agents: tuple[str, ...] = ()
    deadlines: Deadlines = field(default_factory=Deadlines)
    version: int = _VERSION

    def document(self) -> Mapping[str, Any]:
        """As the catalog keeps it."""
        kept: Mapping[str, Any] = _adapter().dump_python(self, mode="json")
        return kept

    @classmethod
    def from_json(cls, text: str) -> CopyOrder:
        """What was kept; JobError when this program cannot read it."""
        try:
            order = _adapter().validate_json(text)
        except ValidationError as error:
            raise _unreadable(f"{error.error_count()} of its values are not understood") from error
        if order.version != _VERSION:
            raise _unreadable(f"it was written by another version of this program ({order.version})")
        return order

    def units(self, config: Config) -> tuple[DiskUnit | TapeUnit, TapeUnit]:
        """Both units, as the configuration has them today; JobError if it does not."""
        source = config.storage.disk.get(self.source) or config.storage.tape.get(self.source)
        target = config.storage.tape.get(self.target)
        if source is None:
            raise _no_unit(self.source, "disk or tape")
        if target is None:
            raise _no_unit(self.target, "tape")
        return source, target


@cache
def _adapter() -> TypeAdapter[CopyOrder]:
    return TypeAdapter(CopyOrder)


def order_of_policy(config: Config, policy: PolicySpec, image: str, *, number: int = 0) -> CopyOrder:
    """What a policy says of an image; ``number``: which of its copies, from 0."""
    target = policy.targets[number % len(policy.targets)]
    unit = config.storage.tape[target]
    return CopyOrder(
        image=image,
        source=policy.source,
        target=target,
        policy=policy.name,
        digest=policy.digest,
        validation=policy.validation,
        routes=policy.routes,
        record_bytes=policy.record_bytes or unit.record_bytes,
        keep=config.retention(policy, unit),
        retries=policy.retries,
        back_off=policy.back_off,
        agents=policy.agents,
        deadlines=policy.deadlines,
    )


def matches(policy: PolicySpec, images: Iterable[str]) -> list[str]:
    """The images that a policy is for."""
    return [image for image in images if any(fnmatch.fnmatchcase(image, pattern) for pattern in policy.images)]


def _unreadable(why: str) -> JobError:
    reason = f"what the job is to do cannot be read: {why}; queue it again"
    return JobError(Status.CATALOG_FAILED, step=Step.PREPARE.value, reason=reason)


def _no_unit(name: str, kind: str) -> JobError:
    reason = f"the configuration has no {kind} storage unit {name!r}"
    return JobError(Status.NO_STORAGE_UNIT, step=Step.PREPARE.value, reason=reason)
