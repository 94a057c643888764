"""`ndmpdup media scan` as a process, and what the catalog holds around it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

from tests.duplicator.media.ports import FakeScanner
from tests.duplicator.processes import Ended, Running, Site, wait_until

__all__ = ["ScanSession", "dump"]


def dump(site: Site) -> list[str]:
    """All that the catalog holds, as SQL."""
    with closing(sqlite3.connect(f"file:{site.folder / 'catalog.db'}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


class ScanSession:
    """A session that is ready for labels."""

    def __init__(self, site: Site, scanner: FakeScanner, *options: str) -> None:
        known = set(site.folder.glob("out-*"))
        self.scanner = scanner
        self.running: Running = site.start("media", "scan", "--port", scanner.url, "--json", *options)
        (self._out,) = set(site.folder.glob("out-*")) - known
        self._seen = 0
        assert self.next()["event"] == "ready"

    def _lines(self) -> list[str]:
        return [line for line in self._out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def next(self) -> dict[str, Any]:
        """The next line that it prints."""
        process = self.running.process
        wait_until(
            lambda: len(self._lines()) > self._seen or process.poll() is not None, f"line {self._seen} of the session"
        )
        lines = self._lines()
        assert len(lines) > self._seen, self.running.err
        self._seen += 1
        return dict(json.loads(lines[self._seen - 1]))

    def scan(self, text: bytes) -> dict[str, Any]:
        """Scan something; what it says of that."""
        self.scanner.send(text)
        return self.next()

    def end(self, code: int = 0) -> tuple[dict[str, Any], Ended]:
        """Its summary, and how it ended."""
        ended = self.running.end()
        assert ended.code == code, ended.err
        return dict(json.loads(ended.out.splitlines()[-1])), ended
