"""Fuzzing led by coverage: ``python -m tests.fuzz.run TARGET... --seconds N [--keep]`` (needs atheris).

Begins with the corpus and the captures. ``--keep`` writes the minimised corpus back. Exit status 1 if an input broke a
target: it is shown in hex, to be put into tests/fuzz/corpus.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import corpus_file, kept, seeds
from tests.fuzz.targets import TARGETS

MAX_INPUT = 4096
"""Bytes of an input."""
LIMITS = (f"-max_len={MAX_INPUT}", "-timeout=10", "-rss_limit_mb=1024")
"""Seconds and memory for one input: more is a finding."""
MAX_KEPT = 48 * 1024
"""Bytes of a corpus in the repository: its smallest inputs."""


def main() -> int:
    """Fuzz the targets one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run")
    parser.add_argument("targets", nargs="+", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=15, help="for each target")
    parser.add_argument("--keep", action="store_true", help="write the minimised corpus back")
    asked = parser.parse_args()
    return max(fuzz(target, seconds=asked.seconds, keep=asked.keep) for target in asked.targets)


def fuzz(target: str, *, seconds: int, keep: bool) -> int:
    """Fuzz one target; 0 if nothing was found."""
    with tempfile.TemporaryDirectory() as made:
        corpus, smaller, found = (Path(made, name) for name in ("corpus", "smaller", "found"))
        for directory in (corpus, smaller, found):
            directory.mkdir()
        _write([*kept(target), *seeds(target)], corpus)
        ends = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/", "-print_final_stats=1", str(corpus)]
        status = _inside(target, *ends)
        for path in sorted(found.iterdir()):
            sys.stdout.write(f"{target}: {path.name}\n{path.read_bytes().hex()}\n")
        if keep:
            _inside(target, "-merge=1", str(smaller), str(corpus))
            _keep(target, sorted((path.read_bytes() for path in smaller.iterdir()), key=len))
        return 1 if status else 0


def _inside(target: str, *options: str) -> int:
    command = [sys.executable, "-m", "tests.fuzz.inside", target, *LIMITS, *options]
    return subprocess.run(command, check=False).returncode


def _write(inputs: list[bytes], directory: Path) -> None:
    for number, given in enumerate(inputs):
        (directory / f"{number:05}").write_bytes(given[:MAX_INPUT])


def _keep(target: str, inputs: list[bytes]) -> None:
    comments = [line for line in corpus_file(target).read_text().splitlines() if "#" in line]
    totals = itertools.accumulate(map(len, inputs))
    small = [given.hex() for given, total in zip(inputs, totals, strict=True) if given and total <= MAX_KEPT]
    corpus_file(target).write_text("\n".join([*comments, *small]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
