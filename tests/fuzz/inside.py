"""The fuzzer's own process: libFuzzer, led by the coverage of ndmp. Started by ``tests.fuzz.run``."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from types import FunctionType

import atheris  # type: ignore[import-untyped]


def main(target: str, options: list[str]) -> None:
    """Fuzz until libFuzzer's options say stop; it ends the process."""
    with atheris.instrument_imports(include=["ndmp"]):
        from tests.fuzz.targets import DECLARED, TARGETS
    _instrument_codecs(DECLARED)
    # libFuzzer starts itself again by this name, through a shell, to merge.
    atheris.Setup([f"{sys.executable} -m tests.fuzz.inside {target}", *options], TARGETS[target])
    atheris.Fuzz()


def _instrument_codecs(declared: list[type]) -> None:
    """The generated functions have no module that the import hook could see."""
    from ndmp.errors import XdrError
    from ndmp.wire import decode, encode

    for message in declared:
        with suppress(XdrError):
            decode(message, b"")
        with suppress(XdrError):
            encode(object.__new__(message))
    for found in gc.get_objects():
        if isinstance(found, FunctionType) and found.__code__.co_filename.startswith("<codec of"):
            atheris.instrument_func(found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
