"""Volumes checked in to a pool, out to a vault, or back: what is taken, and what is refused and changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from duplicator.catalog import Catalog, Volume, VolumeState
from duplicator.media.barcodes import Barcode
from duplicator.media.holding import VolumeInUseError, holding
from duplicator.media.places import in_vault, vault
from duplicator.media.pools import PoolError, Pools

__all__ = ["Checking", "Direction", "FromVault", "Refusal", "RefusedError", "ToPool", "ToVault"]


class Refusal(Enum):
    """Why a volume is not taken, in a word for programs."""

    CLEANING = "cleaning"
    DUPLICATE = "duplicate"
    IN_USE = "in-use"
    IN_VAULT = "in-vault"
    NOT_IN_VAULT = "not-in-vault"
    UNKNOWN_VOLUME = "unknown-volume"
    WRONG_MEDIUM = "wrong-medium"
    WRONG_POOL = "wrong-pool"


class RefusedError(Exception):
    """A volume is not taken; the catalog is as it was."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        self.refusal = refusal
        super().__init__(text)


class Direction(Protocol):
    """Where volumes go."""

    @property
    def title(self) -> str:
        """It in words."""
        ...

    def take(self, catalog: Catalog, barcode: Barcode, known: Volume | None) -> Volume:
        """Note in the catalog that the volume went there; RefusedError before anything is noted."""
        ...


@dataclass(frozen=True, slots=True)
class ToPool:
    """Into a pool; volumes that the catalog does not know are new ones. ``location``: where they are put."""

    pool: str
    pools: Pools
    location: str = ""

    @property
    def title(self) -> str:
        """See Direction."""
        return f"to pool {self.pool}"

    def take(self, catalog: Catalog, barcode: Barcode, known: Volume | None) -> Volume:
        """See Direction."""
        self._check(barcode)
        if known is None:
            return catalog.add_volume(
                barcode.volume,
                tape_url="",
                state=VolumeState.SCRATCH,
                pool=self.pool,
                location=self.location,
                barcode=barcode.text,
                media=barcode.media.id,
            )
        if in_vault(known.location):
            raise RefusedError(
                Refusal.IN_VAULT, f"volume {known.label} is in the {known.location}: scan it --from-vault"
            )
        _check_pool(known, self.pool)
        if known.pool == self.pool and known.barcode:
            raise RefusedError(Refusal.DUPLICATE, f"volume {known.label} is in pool {self.pool} already")
        return catalog.update_volume(
            known.label,
            pool=self.pool,
            barcode=barcode.text,
            media=barcode.media.id,
            location=self.location or None,
        )

    def _check(self, barcode: Barcode) -> None:
        try:
            self.pools.check(self.pool, barcode.media.id)
        except PoolError as error:
            raise RefusedError(Refusal.WRONG_MEDIUM, f"{barcode.text}: {error}") from error


@dataclass(frozen=True, slots=True)
class ToVault:
    """Out to a vault; ``pool``: only volumes of this one, empty for any."""

    name: str = ""
    pool: str = ""

    @property
    def title(self) -> str:
        """See Direction."""
        return f"to the {vault(self.name)}"

    def take(self, catalog: Catalog, barcode: Barcode, known: Volume | None) -> Volume:
        """See Direction."""
        volume = _known(barcode, known)
        _check_pool(volume, self.pool)
        if in_vault(volume.location):
            raise RefusedError(Refusal.DUPLICATE, f"volume {volume.label} is in the {volume.location} already")
        return catalog.update_volume(volume.label, location=vault(self.name))


@dataclass(frozen=True, slots=True)
class FromVault:
    """Back from a vault, whichever if none is named; ``location``: where volumes are put."""

    name: str = ""
    pool: str = ""
    location: str = ""

    @property
    def title(self) -> str:
        """See Direction."""
        return f"from the {vault(self.name)}"

    def take(self, catalog: Catalog, barcode: Barcode, known: Volume | None) -> Volume:
        """See Direction."""
        volume = _known(barcode, known)
        _check_pool(volume, self.pool)
        is_there = volume.location == vault(self.name) if self.name else in_vault(volume.location)
        if not is_there:
            where = f"it is at {volume.location}" if volume.location else "where it is, is not known"
            raise RefusedError(Refusal.NOT_IN_VAULT, f"volume {volume.label} is not in the {vault(self.name)}: {where}")
        return catalog.update_volume(volume.label, location=self.location)


def _known(barcode: Barcode, known: Volume | None) -> Volume:
    if known is None:
        raise RefusedError(Refusal.UNKNOWN_VOLUME, f"the catalog does not know volume {barcode.volume}")
    return known


def _check_pool(volume: Volume, pool: str) -> None:
    if pool and volume.pool and volume.pool != pool:
        raise RefusedError(Refusal.WRONG_POOL, f"volume {volume.label} is of pool {volume.pool}, not {pool}")


class Checking:
    """One session with one direction: no volume twice."""

    def __init__(self, catalog: Catalog, direction: Direction) -> None:
        self._catalog = catalog
        self.direction = direction
        self.taken: list[str] = []
        """Barcodes, in their order."""
        self.refused: Counter[str] = Counter()
        """How many for each reason."""

    def take(self, barcode: Barcode) -> Volume:
        """Take a volume; RefusedError, or CatalogError if the catalog fails. Both change nothing."""
        try:
            volume = self._take(barcode)
        except RefusedError as refused:
            self.refuse(refused.refusal.value)
            raise
        self.taken.append(barcode.text)
        return volume

    def refuse(self, reason: str) -> None:
        """Count what was no label."""
        self.refused[reason] += 1

    def _take(self, barcode: Barcode) -> Volume:
        if barcode.cleaning:
            raise RefusedError(Refusal.CLEANING, f"{barcode.text} is a cleaning tape: it holds no data")
        if barcode.text in self.taken:
            raise RefusedError(Refusal.DUPLICATE, f"{barcode.text} was scanned before, in this session")
        known = self._catalog.volume(barcode.volume)
        if known is not None and known.media not in ("", barcode.media.id):
            words = (
                f"volume {known.label} is {known.barcode or known.media} in the catalog: another cartridge, or a label"
            )
            raise RefusedError(Refusal.WRONG_MEDIUM, f"{barcode.text}: {words} that was changed")
        if known is None:
            return self.direction.take(self._catalog, barcode, None)
        try:
            with holding(self._catalog, [known.label]):
                return self.direction.take(self._catalog, barcode, known)
        except VolumeInUseError as error:
            raise RefusedError(Refusal.IN_USE, str(error)) from error
