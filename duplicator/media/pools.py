"""Which pools there are and what goes into them: as configured, or as named where nothing is configured."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["PoolError", "Pools"]

_LONGEST_NAME: Final = 64


class PoolError(Exception):
    """There is no such pool, or this medium is not for it; the text says what there is."""


@dataclass(frozen=True, slots=True)
class Pools:
    """``media``: the identifiers that each pool takes, empty for any; None: no pool is configured, so any name will do.

    A volume whose medium is not known passes: what it is shows in the drive.
    """

    media: Mapping[str, Collection[str]] | None = None

    def check(self, pool: str, medium: str = "") -> None:
        """PoolError if there is no such pool, or it takes no such medium."""
        if not pool or len(pool) > _LONGEST_NAME or not pool.isprintable():
            raise PoolError(f"pool {pool!r} is not 1 to {_LONGEST_NAME} characters that can be printed")
        if self.media is None:
            return
        if pool not in self.media:
            raise PoolError(f"there is no pool {pool!r}; configured are {', '.join(sorted(self.media)) or 'none'}")
        allowed = self.media[pool]
        if medium and allowed and medium not in allowed:
            raise PoolError(f"pool {pool} takes {' '.join(sorted(allowed))}, not {medium}")
