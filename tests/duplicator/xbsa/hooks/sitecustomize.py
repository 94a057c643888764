"""Strikes a process of a stream exactly at a step: what XBSA_BLOW_FILE says when the process begins.

Its words: the process that strikes (``manager``, ``reader_main``, ``writer_main``), the point, and the victim
(``application``, ``daemon``, ``manager``, ``worker``). A point is ``step NAME``: the manager has just written this
event or step into the progress file; or ``call MODULE:QUALIFIED.NAME NUMBER``: the process is about to make this call.
"""

from __future__ import annotations

import functools
import os
import pkgutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PACKAGE = "duplicator.xbsa.server."


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _victim(name: str, me: str) -> int:
    manager = os.getpid() if me == "manager" else os.getppid()
    if name == "application":
        return int(Path(os.environ["XBSA_BLOW_FILE"]).with_name("application").read_text())
    if name == "daemon":
        return _parent(manager)
    if name == "manager":
        return manager
    if me != "manager":
        return os.getpid()
    return next(int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _is_child(each.name))


def _is_child(pid: str) -> bool:
    try:
        return _parent(int(pid)) == os.getpid()
    except (OSError, ValueError):
        return False


def _strike(name: str, me: str) -> None:
    victim = _victim(name, me)
    Path(os.environ["XBSA_BLOW_FILE"]).with_name("struck").write_text(str(victim))
    os.kill(victim, signal.SIGKILL)
    while _runs(victim):
        time.sleep(0.001)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _around(point: str, act: Callable[..., None], *, after: bool) -> None:
    module, _, path = point.partition(":")
    owner, _, name = path.rpartition(".")
    there = pkgutil.resolve_name(f"{module}:{owner}" if owner else module)
    original = getattr(there, name)

    @functools.wraps(original)
    def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        if after:
            found = original(*args, **options)
            act(*args, **options)
            return found
        act(*args, **options)
        return original(*args, **options)

    setattr(there, name, call)


def _install(striker: str, kind: str, point: str, number: int, victim: str) -> None:
    turns = iter(range(1, 1 << 30))

    def at_step(_: object, event: str, *__: object, step: str = "", **___: object) -> None:
        if point in (event, step) and next(turns) == number:
            _strike(victim, striker)

    def at_call(*_: object, **__: object) -> None:
        if next(turns) == number:
            _strike(victim, striker)

    if kind == "step":
        _around(f"{_PACKAGE}progress:ProgressFile.tell", at_step, after=True)
    else:
        _around(point, at_call, after=False)


def _begin() -> None:
    file = Path(os.environ.get("XBSA_BLOW_FILE", "/nowhere"))
    if not file.exists():
        return
    striker, kind, point, number, victim = file.read_text().split()
    if f"{_PACKAGE}{striker}" in sys.orig_argv:
        _install(striker, kind, point, int(number), victim)


_begin()
