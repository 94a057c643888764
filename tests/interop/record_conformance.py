"""Makes `ndmjob_conformance.json` anew: ``python -m tests.interop.record_conformance fixtures`` (as root)."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.interop.conformance_runs import RUNS, fixture_row, make_run
from tests.peers import network_namespace


def main(fixtures: Path) -> None:
    checks, host = [], {}
    for deadline, only in RUNS.values():
        with tempfile.TemporaryDirectory() as folder, network_namespace() as namespace:
            document = make_run(namespace, Path(folder), only, deadline)
        checks += [fixture_row(row) for row in document["checks"]]
        host = {name: document["host"][name] for name in ("vendor", "product", "revision", "ndmp_version")}
    text = json.dumps({"format": "ndmpdup conformance 1", "host": host, "checks": checks}, indent=1)
    (fixtures / "ndmjob_conformance.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
