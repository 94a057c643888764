"""`ndmpdup media scan`: volumes in and out by a hand-held scanner."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from duplicator.cli.endings import Interrupted, UsageProblem
from duplicator.cli.media_options import Vault, find_pools, volume_document
from duplicator.cli.options import CatalogUrl, ConfigFile
from duplicator.cli.terminal import plain, say

if TYPE_CHECKING:
    from duplicator.media.barcodes import Barcode
    from duplicator.media.checking import Checking, Direction
    from duplicator.media.misreads import MisreadError
    from duplicator.media.scanner import Scanner

__all__ = ["scan"]

_BELL: Final = "\a"
_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def scan(
    *,
    port: Annotated[
        str, typer.Option("--port", metavar="URL", help="/dev/ttyACM0, socket://HOST:PORT or rfc2217://HOST:PORT.")
    ],
    to_pool: Annotated[
        str | None, typer.Option("--to-pool", metavar="POOL", help="Check volumes in to this pool; new ones are added.")
    ] = None,
    to_vault: Annotated[bool, typer.Option("--to-vault", help="Check volumes out to the vault.")] = False,
    from_vault: Annotated[bool, typer.Option("--from-vault", help="Check volumes in that were in the vault.")] = False,
    vault: Vault = "",
    pool: Annotated[
        str,
        typer.Option("--pool", metavar="POOL", help="For the vault: only volumes of this pool.", show_default=False),
    ] = "",
    location: Annotated[
        str, typer.Option("--location", metavar="TEXT", help="Where volumes are put that are checked in.")
    ] = "",
    check_character: Annotated[
        bool, typer.Option("--check-character", help="Labels must carry a check character. Default: they may.")
    ] = False,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="What the scanner adds in front.")] = "",
    suffix: Annotated[str, typer.Option(metavar="TEXT", help="What the scanner adds behind.")] = "",
    baud: Annotated[int, typer.Option(min=50, max=4_000_000, help="Speed of a serial port.")] = 9600,
    idle: Annotated[
        float,
        typer.Option("--idle-timeout", min=0.1, metavar="SECONDS", help="End when nothing comes for so long."),
    ] = 3600.0,
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document a line, and nothing else, on standard output.")
    ] = False,
) -> None:
    """Check volumes in and out by a bar code scanner.

    Each label counts at once. A misread, a volume that was scanned before or is there already, and one of the wrong
    pool or medium rings the bell, is told, and changes nothing. Ctrl-C ends the session, and shows what was done.

    \b
    Examples:
      ndmpdup media scan --port /dev/ttyACM0 --to-pool daily
      ndmpdup media scan --port socket://porter:4001 --to-vault --vault "bank, box 3"
      ndmpdup media scan --port rfc2217://porter:2217 --from-vault --location "shelf 2"
    """
    from duplicator.cli.batch import open_catalog
    from duplicator.media.checking import Checking
    from duplicator.media.framing import Framing
    from duplicator.media.scanner import Waits, open_scanner

    direction = _direction(
        to_pool, to_vault=to_vault, from_vault=from_vault, vault=vault, pool=pool, location=location, config=config
    )
    framing = Framing(prefix, suffix, checked=check_character)
    with (
        _signals() as received,
        open_catalog(catalog, config) as opened,
        open_scanner(port, baud=baud, framing=framing, waits=Waits(idle=idle)) as scanner,
    ):
        _Session(Checking(opened, direction), as_json=as_json).run(scanner, received)
    # Ctrl-C is how a session ends.
    if received and received[0] != signal.SIGINT:
        raise Interrupted(received[0])


def _direction(
    to_pool: str | None,
    *,
    to_vault: bool,
    from_vault: bool,
    vault: str,
    pool: str,
    location: str,
    config: Path | None,
) -> Direction:
    from duplicator.media.checking import FromVault, ToPool, ToVault

    if (to_pool is not None) + to_vault + from_vault != 1:
        raise UsageProblem("say where the volumes go: one of --to-pool POOL, --to-vault, --from-vault")
    pools = find_pools(config)
    if pool:
        pools.check(pool)
    if to_pool is not None:
        if vault or pool:
            raise UsageProblem("--vault and --pool go with --to-vault or --from-vault")
        pools.check(to_pool)
        return ToPool(to_pool, pools, location)
    if to_vault:
        if location:
            raise UsageProblem("--location is for volumes that come in; name a vault by --vault")
        return ToVault(vault, pool)
    return FromVault(vault, pool, location)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals that came, instead of their usual effect: nothing is left half done by them."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in _ENDINGS}
    try:
        yield received
    finally:
        for number, action in before.items():
            signal.signal(number, action)


class _Session:
    """Shows each label at once, and a summary at the end, however it comes."""

    def __init__(self, checking: Checking, *, as_json: bool) -> None:
        self._checking = checking
        self._as_json = as_json

    def run(self, scanner: Scanner, received: list[int]) -> None:
        """Until it is ended, or the scanner is gone."""
        title = self._checking.direction.title
        self._tell({"event": "ready", "port": scanner.name, "direction": title}, f"scan labels {title}; Ctrl-C ends it")
        ended = "scanner gone"
        try:
            for reading in scanner.readings(lambda: not received):
                self._take(reading)
            ended = "signal" if received else "idle"
        finally:
            self._summarize(ended)

    def _take(self, reading: Barcode | MisreadError) -> None:
        from duplicator.media.checking import RefusedError
        from duplicator.media.misreads import MisreadError

        if isinstance(reading, MisreadError):
            self._checking.refuse(reading.kind)
            self._refuse(reading.kind, f"not read: {reading}")
            return
        try:
            volume = self._checking.take(reading)
        except RefusedError as refused:
            self._refuse(refused.refusal.value, f"not taken: {refused}", barcode=reading.text)
            return
        number = len(self._checking.taken)
        where = volume.location or (f"pool {volume.pool}" if volume.pool else "no pool")
        self._tell(
            {"event": "taken", "number": number, **volume_document(volume)}, f"{number}: {reading.text}, {where}"
        )

    def _refuse(self, kind: str, text: str, *, barcode: str | None = None) -> None:
        """Heard by who looks at the cartridges: a bell, also where a terminal is only at the other end of a pipe."""
        if self._as_json:
            _print_line({"event": "refused", "reason": kind, "barcode": barcode, "text": text})
        sys.stderr.write(f"{_BELL}ndmpdup: {plain(text)}\n")
        sys.stderr.flush()

    def _summarize(self, ended: str) -> None:
        taken, refused = self._checking.taken, self._checking.refused
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(refused.items()))
        words = f"{self._checking.direction.title}: {len(taken)} taken, {refused.total()} refused"
        document = {"event": "end", "ended": ended, "taken": len(taken), "refused": dict(sorted(refused.items()))}
        self._tell(document, words + (f" ({reasons})" if reasons else ""))

    def _tell(self, document: dict[str, Any], words: str) -> None:
        if self._as_json:
            _print_line(document)
        else:
            say(plain(words))


def _print_line(document: dict[str, Any]) -> None:
    say(json.dumps(document))
