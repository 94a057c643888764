"""What every command shares: `-v`, and errors as one line and an exit code."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Annotated, Any, Final, get_type_hints

import typer

from duplicator.cli.terminal import complain, plain

__all__ = ["command", "configure_logging"]

_SHOWN_ELSEWHERE: Final = "duplicator.recorder"
"""Its lines are those that the watcher of a job shows."""


class _TerminalLog(logging.Handler):
    """Writes where the progress bar also goes, so that they do not overwrite each other."""

    def emit(self, record: logging.LogRecord) -> None:
        complain("\n".join(map(plain, self.format(record).split("\n"))))


class _Lines(logging.Formatter):
    """One line a record, whatever strangers have put into it; a traceback follows in lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        return plain(super().formatMessage(record))


def configure_logging(*, verbose: bool) -> None:
    """Log to standard error: warnings, or with ``verbose`` what happens too. Called again, it only raises the level."""
    root = logging.getLogger()
    if not any(isinstance(handler, _TerminalLog) for handler in root.handlers):
        handler = _TerminalLog()
        handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handler.addFilter(lambda record: record.name != _SHOWN_ELSEWHERE)
        root.addHandler(handler)
        root.setLevel(logging.WARNING)
    if verbose:
        root.setLevel(logging.INFO)


_Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more, to standard error.")]


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command of `function`: takes `-v` too, and turns its errors into one line and an exit code."""

    @functools.wraps(function)
    def run(*args: Any, verbose: bool = False, **options: Any) -> None:  # noqa: ANN401
        configure_logging(verbose=verbose)
        try:
            function(*args, **options)
        except Exception as error:
            code = _tell(error)
            if code is None:
                raise
            raise typer.Exit(code) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    signature = inspect.signature(function)
    own = inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_Verbose)
    run.__annotations__ = {**get_type_hints(function, include_extras=True), "verbose": _Verbose}
    parameters = [p.replace(annotation=run.__annotations__[p.name]) for p in signature.parameters.values()]
    run.__signature__ = signature.replace(parameters=[*parameters, own])  # type: ignore[attr-defined]
    # Else it would be asked for the signature.
    del run.__wrapped__
    return run


def _tell(error: Exception) -> int | None:
    """Say what went wrong; gives the exit code, or None for an error that is not expected."""
    # Only now: most of these modules are slow to load, and loaded if the error comes from them.
    from duplicator.cli.failures import describe

    described = describe(error)
    if described is None:
        return None
    code, text = described
    if text:
        complain(f"ndmpdup: {plain(text)}")
    return code
