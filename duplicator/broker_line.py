"""The line in which jobs of all processes wait for drives and volumes, in the catalog."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from duplicator.broker_choice import Choice, choose
from duplicator.broker_needs import Need, Reading, Situation, Writing, drive_resource
from duplicator.catalog import Catalog, InLine, Resource
from duplicator.drives import DriveSpec
from duplicator.status import JobError

__all__ = ["OtherProcesses"]

_TRUST: Final = 10
"""Polls for which an entry of another process is believed, and for which what it could have is kept for it."""


@dataclass(slots=True)
class _Offer:
    """Since when somebody else could have what it needs."""

    since: float


class OtherProcesses:
    """What this process keeps for those of other processes who came first.

    They look for themselves once in a poll. Who does not take what it could have, as its configuration may see it
    otherwise, is left out after some polls.
    """

    def __init__(self, catalog: Catalog, drives: Sequence[DriveSpec], *, poll: float) -> None:
        self._catalog = catalog
        self._drives = {drive_resource(drive).name: drive.name for drive in drives}
        self._names = {drive.name: drive_resource(drive).name for drive in drives}
        self._poll = poll
        self._mine: set[str] = set()
        self._offers: dict[str, _Offer] = {}
        self._renewed = 0.0

    def join(self, owner: str, need: Need, *, since: datetime) -> None:
        """Tell them that one of this process waits."""
        if owner not in self._mine:
            seconds = self._poll * _TRUST
            self._catalog.join_line(owner, priority=need.priority, since=since, need=self._text(need), seconds=seconds)
            self._mine.add(owner)

    def leave(self, owner: str) -> None:
        """It waits no more."""
        if owner in self._mine:
            self._mine.remove(owner)
            self._catalog.leave_line(owner)

    def renew(self, now: float) -> None:
        """Tell them that those of this process still wait; ``now``: seconds of any clock."""
        if self._mine and now - self._renewed >= self._poll:
            self._renewed = now
            self._catalog.stay_in_line(seconds=self._poll * _TRUST)

    def others(self) -> list[InLine]:
        """Who else waits, in their turn."""
        found = [entry for entry in self._catalog.line() if entry.owner not in self._mine]
        owners = {entry.owner for entry in found}
        self._offers = {owner: offer for owner, offer in self._offers.items() if owner in owners}
        return found

    def kept(self, entry: InLine, situation: Situation, reserved: set[Resource], *, now: float) -> frozenset[Resource]:
        """What is kept for one of them, of what is not kept for others."""
        need = self._need(entry)
        if need is None:
            return frozenset()
        try:
            found = choose(need, situation, reserved)
        except JobError:
            return frozenset()
        if not isinstance(found, Choice):
            self._offers.pop(entry.owner, None)
            return found.reserve
        offer = self._offers.setdefault(entry.owner, _Offer(now))
        return found.resources if now - offer.since < self._poll * _TRUST else frozenset()

    # As JSON: drives by what all call them.

    def _text(self, need: Need) -> str:
        def half(part: Writing | Reading, **more: object) -> Mapping[str, object]:
            named = part.drives or self._names.keys()
            return {"drives": sorted(self._names[name] for name in named if name in self._names), **more}

        writing, reading = need.writing, need.reading
        return json.dumps(
            {
                "writing": half(writing, pool=writing.pool, volume=writing.volume) if writing else None,
                "reading": half(reading, volumes=reading.volumes) if reading else None,
            }
        )

    def _need(self, entry: InLine) -> Need | None:
        """What it needs, as this process can see it; None if it has none of these drives."""
        said: Mapping[str, Any] = json.loads(entry.need)
        drives: Callable[[Mapping[str, Any]], frozenset[str]] = lambda half: frozenset(  # noqa: E731
            self._drives[name] for name in half["drives"] if name in self._drives
        )
        writing, reading = said["writing"], said["reading"]
        if any(half and not drives(half) for half in (writing, reading)):
            return None
        return Need(
            writing=Writing(writing["pool"], writing["volume"], drives(writing)) if writing else None,
            reading=Reading(tuple(reading["volumes"]), drives(reading)) if reading else None,
        )
