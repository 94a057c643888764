"""What the commands of `ndmpdup media` share: options, and how a volume is written for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duplicator.cli.endings import UsageProblem

if TYPE_CHECKING:
    from duplicator.catalog import Catalog, Volume
    from duplicator.media.pools import Pools

__all__ = ["Labels", "Vault", "find_pools", "known_volumes", "volume_document"]

Labels = Annotated[list[str], typer.Argument(metavar="LABEL...", help="Volumes, by label or barcode.")]
Vault = Annotated[
    str, typer.Option("--vault", metavar="NAME", help="Which vault, where there are several.", show_default=False)
]


def find_pools(file: Path | None) -> Pools:
    """The pools of the configuration, if there is one; ConfigError."""
    from duplicator.config import load
    from duplicator.media.pools import Pools

    config = load(file)
    return Pools(None if config.file is None else {name: pool.media for name, pool in config.pools.items()})


def known_volumes(catalog: Catalog, texts: Sequence[str]) -> list[Volume]:
    """The volumes of these labels or barcodes, each once; UsageProblem for one that the catalog does not know.

    A barcode counts as such: another medium's is another cartridge.
    """
    from duplicator.media.naming import name_volume

    found: dict[str, Volume] = {}
    for text in texts:
        named = name_volume(text)
        volume = catalog.volume(named.label)
        if volume is None or (named.media and volume.media not in ("", named.media)):
            raise UsageProblem(f"the catalog does not know volume {text}: `ndmpdup media list` shows those it knows")
        found[volume.label] = volume
    return list(found.values())


def volume_document(volume: Volume) -> dict[str, Any]:
    """A volume as `--json` has it."""
    return {
        "volume": volume.label,
        "barcode": volume.barcode or None,
        "media": volume.media or None,
        "pool": volume.pool or None,
        "state": volume.state.value,
        "location": volume.location or None,
    }
