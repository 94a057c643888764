"""How the library reaches the service: from the session's environment, the process's, a file, or as usual."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

from platformdirs import user_config_path, user_runtime_path

from duplicator.xbsa.codes import CallError, ReturnCode

__all__ = ["FILE_NAME", "FILE_VARIABLE", "NAMES", "Settings", "find_settings"]

FILE_NAME: Final = "xbsa.toml"
FILE_VARIABLE: Final = "NDMPDUP_XBSA_CONFIG"
"""Names another file; only the process's environment has it."""
_PREFIX: Final = "NDMPDUP_XBSA_"
_OF_ROOT: Final = Path("/run/ndmpdup/xbsa")
_LONGEST_SECONDS: Final = 7 * 24 * 3600.0

DataPath: TypeAlias = Literal["auto", "shared-memory", "socket"]
Source: TypeAlias = Literal["any", "disk", "tape"]


@dataclass(frozen=True, slots=True)
class Settings:
    """``service``: this user's folder of the service. ``data``: how an object's bytes travel.

    ``source``: which copies may be read. Seconds: ``deadline`` for an answer, ``start`` until a stream's data flows.
    """

    service: Path
    data: DataPath = "auto"
    source: Source = "any"
    deadline: float = 300.0
    start: float = 900.0


def _path(value: object) -> Path:
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value)
    text = "is an absolute path"
    raise ValueError(text)


def _one_of(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and value in choices:
            return value
        text = f"is one of {', '.join(choices)}"
        raise ValueError(text)

    return read


def _seconds(value: object) -> float:
    text = f"is a number of seconds, at most {_LONGEST_SECONDS:.0f}"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(text)
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError(text) from None
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(text)
    return seconds


NAMES: Final[Mapping[str, Callable[[object], Any]]] = {
    "service": _path,
    "data": _one_of("auto", "shared-memory", "socket"),
    "source": _one_of("any", "disk", "tape"),
    "deadline": _seconds,
    "start": _seconds,
}


def find_settings(session: Mapping[str, str], process: Mapping[str, str] = os.environ) -> Settings:
    """The settings that count, each from the first place that has it; CallError with INVALID_ENV."""
    values: dict[str, Any] = {"service": _usual_service()}
    given = _from_file(process)
    for place, environment in (("the process's environment", process), ("the session's environment", session)):
        given |= {n: (environment[_variable(n)], place) for n in NAMES if _variable(n) in environment}
    for name, (value, place) in given.items():
        values[name] = _read(name, value, place)
    return Settings(**values)


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


def _read(name: str, value: object, place: str) -> Any:  # noqa: ANN401  (of the setting's type)
    read = NAMES.get(name)
    if read is None:
        raise CallError(ReturnCode.INVALID_ENV, f"{place}: there is no setting {name!r}; there are {', '.join(NAMES)}")
    try:
        return read(value)
    except ValueError as error:
        raise CallError(ReturnCode.INVALID_ENV, f"{place}: {name} {error}") from None


def _usual_service() -> Path:
    """Where `ndmpdup xbsa serve` has it for this user unless told otherwise: run by the user, else by root."""
    import pwd

    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    if os.geteuid() == 0:
        return _OF_ROOT / user
    with warnings.catch_warnings():
        # It warns where a login has made no folder; the service has its own in the same place then.
        warnings.simplefilter("ignore")
        own = user_runtime_path("ndmpdup", appauthor=False) / "xbsa" / user
    return own if own.exists() or not (_OF_ROOT / user).exists() else _OF_ROOT / user


def _from_file(process: Mapping[str, str]) -> dict[str, tuple[object, str]]:
    """Its settings; a file that was named must be there."""
    import tomllib

    named = process.get(FILE_VARIABLE)
    path = Path(named) if named else user_config_path("ndmpdup", appauthor=False) / FILE_NAME
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not named:
            return {}
        raise CallError(ReturnCode.INVALID_ENV, f"{FILE_VARIABLE}: there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise CallError(ReturnCode.INVALID_ENV, f"{path}: {error}") from error
    return {name: (value, str(path)) for name, value in cast("dict[str, object]", content).items()}
