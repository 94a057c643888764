"""Our conformance suite on ndmjob's daemon: which tables are made together, each on a daemon and a tape of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.interop.sites import site_within
from tests.peers import Namespace, NdmjobDaemon, formatter, ndmjob_daemon

__all__ = ["RUNS", "fixture_row", "make_run"]

_WRAP: Final = Path(__file__).with_name("wrap_gnu_tar.py")
_MIB: Final = 12
"""The length of the tape."""

RUNS: Final[dict[str, tuple[float, tuple[str, ...]]]] = {
    "talk": (
        0.8,
        (
            *("connect", "early", "config", "auth", "extensions", "echo", "absent", "framing", "header", "unknown"),
            *("body", "scsi", "login", "conduct"),
        ),
    ),
    "tape": (2.0, ("tape.", "blocks", "marks", "motion", "implicit", "end")),
    "mover": (2.0, ("mover", "window", "state.MOVER", "state.TAPE", "to-tape", "from-tape", "pair")),
    "data": (3.0, ("data", "start", "backup", "recover", "state.DATA", "local")),
    "losses": (2.0, ("loss",)),
    "overflow": (2.0, ("overflow",)),
}
"""Deadline and tables. What ndmjob swallows costs a deadline each; what its files need takes it a second."""


def make_run(namespace: Namespace, folder: Path, only: Sequence[str], deadline: float) -> dict[str, Any]:
    """The document of one run."""
    with ExitStack() as stack:
        site = stack.enter_context(site_within(namespace, folder))
        first = _daemon(stack, namespace, folder / "first", 20001)
        second = _daemon(stack, namespace, folder / "second", 20002)
        tree = folder / "tree"
        tree.mkdir()
        for number in range(24):
            (tree / f"file{number}").write_bytes(bytes([number]) * 300_000)
        password = site.secret_file("ndmjob", NdmjobDaemon.password)
        allowed = ["--tape", first.tape, "--scratch", "--fill", _MIB, "--butype", "tar", "--path", tree]
        ended = site.start(
            *("conformance", f"ndmp://{first.user}@127.0.0.1:{first.port}", "--password-file", password),
            *map(str, allowed),
            *("--second", f"ndmp://{second.user}@127.0.0.1:{second.port}/{second.tape}"),
            *("--deadline", str(deadline), "--json"),
            *(word for table in only for word in ("--only", table)),
        ).end(deadline=300)
        assert ended.code in (0, 1), ended.err
        document: dict[str, Any] = ended.document
        return document


def _daemon(stack: ExitStack, namespace: Namespace, folder: Path, port: int) -> NdmjobDaemon:
    folder.mkdir()
    environment = formatter(folder, _WRAP)
    made = ndmjob_daemon(namespace, folder, port, tape_limit=_MIB << 20, environment=environment)
    return stack.enter_context(made)


def fixture_row(row: dict[str, Any]) -> dict[str, str]:
    """What of a check is the same in every run."""
    kept = {name: row[name] for name in ("id", "section", "level", "verdict", "expected", "came") if name in row}
    return {name: re.sub(r"port[= ]\d+", "port N", text) for name, text in kept.items()}
