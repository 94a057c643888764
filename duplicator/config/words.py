"""pydantic's findings in plain words, each with what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Annotated, Any, Final, TypeAlias, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from duplicator.config.model import NAME_KEY, Config
from duplicator.config.positions import Path
from duplicator.config.problems import did_you_mean, in_words

__all__ = ["Wording", "explain", "known_keys", "path_of"]

Wording: TypeAlias = tuple[Path, str, str]
"""Where, what is wrong, and what to do."""

_SECRETS: Final = re.compile(r"pass(word|wd|phrase)?|pwd|pw|secret", re.IGNORECASE)
_EXAMPLE: Final = "see `ndmpdup config example`"
_SECRET_HINT: Final = (
    "take it out of this file: put it into a file of its own (chmod 600) and name that by `password_file`, or leave it "
    "to NDMPDUP_PASSWORD or to the keyring (`keyring set ndmpdup USER@HOST:PORT`)"
)
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "string_type": ("a text", "put it in quotes"),
    "int_type": ("a whole number", "write digits, without quotes"),
    "bool_type": ("true or false", "write one of these, without quotes"),
    "tuple_type": ("a list", 'write it as ["...", "..."]'),
}
_TABLE: Final = ("a table", f"write its keys below a header of that name; {_EXAMPLE}")
_TABLES: Final = ("dataclass_type", "dict_type", "mapping_type")


def explain(error: ErrorDetails) -> Wording:
    """A finding in words. The value is repeated only where it cannot be a secret."""
    path = path_of(error)
    explainer = _EXPLAINERS.get(error["type"], _explain_kind)
    text, hint = explainer(error, path)
    return path, text, hint


def path_of(error: ErrorDetails) -> Path:
    """Where in the document a finding is, without pydantic's own marks."""
    return tuple(key for key in error["loc"] if key != "[key]")


def known_keys(path: Path) -> list[str]:
    """The keys that a table may have; none where every name is one."""
    kind: object = Config
    for key in path:
        kind = _inner(kind, key)
    return list(_fields(kind))


def _explain_unknown(_error: ErrorDetails, path: Path) -> tuple[str, str]:
    key, table = str(path[-1]), path[:-1]
    if _SECRETS.fullmatch(key):
        return f"{key!r}: a secret does not belong in the configuration", _SECRET_HINT
    keys = known_keys(table)
    return f"unknown key {key!r} in {_name(table)}", did_you_mean(key, keys) or f"it has {in_words(keys)}"


def _explain_missing(_error: ErrorDetails, path: Path) -> tuple[str, str]:
    return f"{_name(path[:-1])} has no {str(path[-1])!r}", f"add it; {_EXAMPLE}"


def _explain_name(error: ErrorDetails, path: Path) -> tuple[str, str]:
    return f"{str(path[-1])!r} is no name", "write 1 to 64 letters, digits, dots, dashes and underscores"


def _explain_choice(error: ErrorDetails, path: Path) -> tuple[str, str]:
    choices = re.findall("'([^']*)'", str(error["ctx"]["expected"]))
    choose = f"choose {in_words(choices, 'or')}"
    value = error["input"]
    if not isinstance(value, str):
        return f"{_key(path)} is no text", choose
    return f"{_key(path)}: {value!r} is unknown here", f"{did_you_mean(value, choices)} {choose}".strip()


def _explain_own(error: ErrorDetails, path: Path) -> tuple[str, str]:
    text, _, hint = str(error["ctx"]["error"]).partition(": ")
    return f"{_key(path)} {text}", hint


def _explain_bound(error: ErrorDetails, path: Path) -> tuple[str, str]:
    ((_, bound),) = error["ctx"].items()
    side = "least" if error["type"] == "greater_than_equal" else "most"
    return f"{_key(path)} is {error['input']}", f"write a number of at {side} {bound}"


def _explain_empty(_error: ErrorDetails, path: Path) -> tuple[str, str]:
    return f"{_key(path)} is empty", "write something, or take the key out"


def _explain_kind(error: ErrorDetails, path: Path) -> tuple[str, str]:
    kind, hint = _TABLE if error["type"] in _TABLES else _KINDS.get(error["type"], ("what is meant", _EXAMPLE))
    return f"{_key(path)} is not {kind}", hint


_EXPLAINERS: Final[Mapping[str, Callable[[ErrorDetails, Path], tuple[str, str]]]] = {
    "unexpected_keyword_argument": _explain_unknown,
    "missing": _explain_missing,
    "string_pattern_mismatch": _explain_name,
    "enum": _explain_choice,
    "value_error": _explain_own,
    "greater_than_equal": _explain_bound,
    "less_than_equal": _explain_bound,
    "string_too_short": _explain_empty,
    "too_short": _explain_empty,
}


def _name(path: Path) -> str:
    """A table as its header has it."""
    return f"[{'.'.join(map(str, path))}]" if path else "the file"


def _key(path: Path) -> str:
    """A key, or an element of its list."""
    if isinstance(path[-1], int):
        return f"element {path[-1] + 1} of {_key(path[:-1])}"
    return repr(path[-1])


def _inner(kind: object, key: str | int) -> object:
    """The type of what a key names in a table of this type."""
    kind = _bare(kind)
    if is_dataclass(kind):
        return _fields(kind).get(str(key))
    return get_args(kind)[-1] if get_args(kind) else None


def _fields(kind: object) -> dict[str, Any]:
    """The types of a table's keys, as the file names these."""
    kind = _bare(kind)
    if not is_dataclass(kind):
        return {}
    hints = get_type_hints(kind, include_extras=True)
    fields = {_alias(hints[name], name): hints[name] for name in kind.__dataclass_fields__}
    return {name: hint for name, hint in fields.items() if name != NAME_KEY}


def _bare(kind: object) -> object:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _alias(hint: object, name: str) -> str:
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((note.alias for note in notes if isinstance(note, FieldInfo) and note.alias is not None), name)
