"""`ndmpdup media`: volumes by hand, those commands that only change the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.media_options import Labels, find_pools, known_volumes, volume_document
from duplicator.cli.options import CatalogUrl, ConfigFile, Json
from duplicator.cli.terminal import complain, plain, print_json, print_table, say, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duplicator.catalog import Account, Copy, Volume

__all__ = ["add", "forget", "list_volumes", "media", "suspend"]

_HEADINGS: Final = ("volume", "barcode", "pool", "state", "location", "files", "live", "dead", "room")
_NUMBERS: Final = ("files", "live", "dead", "room")


def media() -> None:
    """Volumes by hand: make them known, label them, check them in and out, send them to a vault, drop them.

    A volume is named by its label or by the whole barcode on its cartridge.

    \b
    Examples:
      ndmpdup media add A00001L8 A00002L8 --pool daily
      ndmpdup media scan --port /dev/ttyACM0 --to-pool daily
      ndmpdup media list
    """


def add(
    volumes: Annotated[list[str], typer.Argument(metavar="LABEL|BARCODE...", help="A00001, or A00001L8.")],
    *,
    pool: Annotated[str, typer.Option(metavar="POOL", help="The pool they are for.")],
    location: Annotated[str, typer.Option(metavar="TEXT", help="Where they are.", show_default=False)] = "",
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
    as_json: Json = False,
) -> None:
    """Make new volumes known, as scratch: jobs label them when they need one.

    All of them are added, or none.

    \b
    Examples:
      ndmpdup media add A00001L8 A00002L8 --pool daily
    """
    from duplicator.catalog import VolumeState
    from duplicator.cli.batch import open_catalog
    from duplicator.media.naming import name_volume

    pools = find_pools(config)
    named = [name_volume(text) for text in volumes]
    for each in named:
        pools.check(pool, each.media)
    labels = [each.label for each in named]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise UsageProblem(f"named twice: {', '.join(twice)}")
    with open_catalog(catalog, config) as opened:
        if known := [label for label in labels if opened.volume(label)]:
            raise UsageProblem(f"the catalog knows {', '.join(known)} already; nothing was added")
        added = [
            opened.add_volume(
                each.label,
                tape_url="",
                state=VolumeState.SCRATCH,
                pool=pool,
                barcode=each.barcode,
                media=each.media,
                location=location,
            )
            for each in named
        ]
    _tell(added, as_json=as_json)


def list_volumes(
    *,
    pool: Annotated[
        str | None, typer.Option(metavar="POOL", help="Only those of this pool.", show_default=False)
    ] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only those in this state.", show_default=False)
    ] = None,
    catalog: CatalogUrl = None,
    as_json: Json = False,
) -> None:
    """List the volumes: where they are, what is on them, and how much room is left.

    Live bytes belong to copies that are needed, dead ones to those that failed or expired. The room is what the medium
    takes without compression.

    \b
    Examples:
      ndmpdup media list --pool daily --state scratch
    """
    from duplicator.catalog import VolumeState
    from duplicator.cli.batch import open_catalog

    states = [each.value for each in VolumeState]
    if state is not None and state not in states:
        raise UsageProblem(f"--state: {state!r} is none of {', '.join(states)}")
    with open_catalog(catalog) as opened:
        found = [each for each in opened.volumes() if state in (None, each.state.value) and pool in (None, each.pool)]
        accounts = {account.volume: account for account in opened.accounts()}
    # Another process may have forgotten one meanwhile.
    found = [each for each in found if each.label in accounts]
    if as_json:
        print_json({"volumes": [_document(volume, accounts[volume.label]) for volume in found]})
    elif found:
        print_table(_HEADINGS, [_row(volume, accounts[volume.label]) for volume in found], right=_NUMBERS)
    else:
        say("no such volumes" if pool or state else "no volumes yet")


def suspend(
    labels: Labels,
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Take files again.")] = False,
    catalog: CatalogUrl = None,
    as_json: Json = False,
) -> None:
    """Have volumes take no files, until they are resumed; what is on them can be read.

    \b
    Examples:
      ndmpdup media suspend A00001
      ndmpdup media suspend A00001 --resume
    """
    from duplicator.catalog import VolumeState
    from duplicator.cli.batch import open_catalog
    from duplicator.media.states import resumed_state, suspendable

    with open_catalog(catalog) as opened:
        found = known_volumes(opened, labels)
        for volume in found:
            right = volume.state is VolumeState.SUSPENDED if resume else suspendable(volume)
            if not right:
                doing = "resume" if resume else "suspend"
                raise UsageProblem(f"volume {volume.label} is {volume.state.value}: there is nothing to {doing}")
        states = [resumed_state(volume) if resume else VolumeState.SUSPENDED for volume in found]
        changed = [opened.update_volume(volume.label, state=state) for volume, state in zip(found, states, strict=True)]
    _tell(changed, as_json=as_json)


def forget(
    labels: Labels,
    *,
    copies_too: Annotated[bool, typer.Option("--copies-too", help="Lose the copies that need them.")] = False,
    catalog: CatalogUrl = None,
    as_json: Json = False,
) -> None:
    """Drop volumes from the catalog.

    A volume that a copy needs stays, unless its copies are given up too. The tapes are not touched.

    \b
    Examples:
      ndmpdup media forget A00001
      ndmpdup media forget A00001 --copies-too
    """
    from duplicator.cli.batch import open_catalog
    from duplicator.media.holding import holding

    with open_catalog(catalog) as opened:
        found = known_volumes(opened, labels)
        lost = opened.copies_on([volume.label for volume in found])
        if lost and not copies_too:
            for copy in lost:
                complain(plain(_lost(copy)))
            raise UsageProblem(f"copies that need these volumes: {len(lost)}; --copies-too loses them")
        with holding(opened, [volume.label for volume in found]):
            opened.forget_volumes([volume.label for volume in found])
    if as_json:
        print_json({"forgotten": [volume.label for volume in found], "lost_copies": [copy.id for copy in lost]})
        return
    for copy in lost:
        say(f"lost: {plain(_lost(copy))}")
    for volume in found:
        say(f"{volume.label}: forgotten")


def _lost(copy: Copy) -> str:
    volumes = " ".join(copy.volumes)
    return f"copy {copy.id}, {copy.state.value}: {copy.image.name}, {size_text(copy.image.size)}, on {volumes}"


def _tell(volumes: Sequence[Volume], *, as_json: bool) -> None:
    if as_json:
        print_json({"volumes": [volume_document(volume) for volume in volumes]})
        return
    for volume in volumes:
        pool = f"pool {volume.pool}" if volume.pool else "no pool"
        say(plain(f"{volume.label}: {volume.state.value}, {pool}"))


def _capacity(volume: Volume) -> int | None:
    """What is known of the volume, or of its medium; bytes."""
    from duplicator.media.barcodes import MEDIA

    if volume.capacity is not None:
        return volume.capacity
    medium = MEDIA.get(volume.media)
    return medium.capacity if medium else None


def _room(volume: Volume) -> int | None:
    from duplicator.catalog import VolumeState

    if volume.state is VolumeState.FULL:
        return 0
    capacity = _capacity(volume)
    return None if capacity is None else max(0, capacity - volume.size)


def _row(volume: Volume, account: Account) -> tuple[str, ...]:
    room = _room(volume)
    return (
        volume.label,
        volume.barcode or "-",
        volume.pool or "-",
        volume.state.value,
        volume.location or "-",
        str(volume.files),
        size_text(account.live),
        size_text(account.failed + account.dead),
        "-" if room is None else size_text(room),
    )


def _document(volume: Volume, account: Account) -> dict[str, Any]:
    return volume_document(volume) | {
        "tape_url": volume.tape_url or None,
        "files": volume.files,
        "live_bytes": account.live,
        "dead_bytes": account.failed + account.dead,
        "capacity_bytes": _capacity(volume),
        "room_bytes": _room(volume),
        "mounts": volume.mounts,
        "last_written": volume.last_written.isoformat() if volume.last_written else None,
    }
