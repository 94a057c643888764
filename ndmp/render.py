"""Any message as text, from its declaration alone: one line for logs, in full for people, plain values for JSON.

Secrets never show, control characters are escaped, and the texts are bounded whatever a peer sends.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
from ipaddress import IPv4Address
from typing import Annotated, Any, Final, Protocol, get_args, get_origin, get_type_hints

from ndmp.enums import Error, MessageType, ObsoleteMessage, SnapshotMessage
from ndmp.messages.connect import AuthMd5, AuthText
from ndmp.types import ALL_ONES_32, ALL_ONES_64
from ndmp.wire import POSTS, REQUESTS, U32, U64, Message, OtherArm, Post, Tagged

__all__ = ["MAX_FULL", "MAX_LINE", "HeaderWords", "document", "full", "message_name", "one_line", "wire_noun"]

MAX_LINE: Final = 1000
"""Characters of ``one_line`` at most."""
MAX_FULL: Final = 64 * 1024
"""Characters of ``full`` at most."""
_OPAQUE_IN_TEXT: Final = 16
_OPAQUE_IN_DOCUMENT: Final = 64
_ELEMENTS_IN_LINE: Final = 4
_ELEMENTS_IN_FULL: Final = 64
_CHARACTERS_IN_LINE: Final = 64
_CHARACTERS_IN_FULL: Final = 512
_CUT: Final = "... (cut)"

_NAMED_ONLY: Final[Mapping[int, str]] = {
    **{int(message): message.name for message in ObsoleteMessage},
    **{int(message): f"SNAPSHOT_{message.name}" for message in SnapshotMessage},
}
"""Codes that are known without a declaration."""
_SECRETS: Final[Mapping[type, str]] = {AuthText: "password", AuthMd5: "digest"}
_HIDDEN: Final = "(hidden)"
_HINTS: Final[dict[type, dict[str, Any]]] = {}
_ALL_ONES: Final = {get_args(U32)[1]: ALL_ONES_32, get_args(U64)[1]: ALL_ONES_64}


class HeaderWords(Protocol):
    """The words of a message header (draft 2.7), as :class:`ndmp.connection.Header` has them."""

    @property
    def sequence(self) -> int: ...
    @property
    def time_stamp(self) -> int: ...
    @property
    def message_type(self) -> MessageType: ...
    @property
    def code(self) -> int: ...
    @property
    def reply_sequence(self) -> int: ...
    @property
    def error(self) -> Error: ...


def wire_noun(declared: type) -> str:
    """The specification's name of a declared message: MOVER_GET_STATE of MoverGetState and of its reply."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", declared.__name__.removesuffix("Reply")).upper()


def message_name(code: int) -> str:
    """The name of a message code, or class and code in hex where none is declared."""
    declared = next((made for found in (REQUESTS, POSTS) for key, made in found.items() if key[0] == code), None)
    if declared:
        return wire_noun(declared)
    if code in _NAMED_ONLY:
        return _NAMED_ONLY[code]
    return f"class {code >> 16:#06x} code {code & 0xFFFF:#06x}" if code >> 16 else f"code {code:#06x}"


def one_line(header: HeaderWords, message: Message | None) -> str:
    """Header and body in a line of at most MAX_LINE characters; ``message`` is None where there is no decoded body."""
    parts = [_kind(header, message), str(header.sequence)]
    if header.message_type == MessageType.REPLY:
        parts += ["to", str(header.reply_sequence)]
    parts.append(_name(header, message))
    if header.error:
        parts.append(f"header error {_number(header.error)}")
    parts += [f"{name}={_brief(value, hint)}" for name, value, hint in _fields(message)]
    line = " ".join(parts)
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - len(_CUT)] + _CUT


def full(header: HeaderWords, message: Message | None) -> str:
    """Header and body, a field a line, in at most MAX_FULL characters."""
    kept, left = list[str](), MAX_FULL - len(_CUT)
    for line in _all_lines(header, message):
        left -= len(line) + 1
        if left < 0:
            return "\n".join([*kept, _CUT])
        kept.append(line)
    return "\n".join(kept)


def document(header: HeaderWords, message: Message | None) -> dict[str, Any]:
    """Header and body as values that JSON has: enums by name, opaque bytes by length and the first 64 in hex."""
    return {
        "name": _name(header, message),
        "header": {
            "sequence": header.sequence,
            "time_stamp": header.time_stamp,
            "type": _kind(header, message),
            "code": header.code,
            "reply_sequence": header.reply_sequence,
            "error": header.error.name,
        },
        "fields": None if message is None else {name: _plain(value, hint) for name, value, hint in _fields(message)},
    }


def _kind(header: HeaderWords, message: Message | None) -> str:
    is_post = isinstance(message, Post) or (message is None and any(code == header.code for code, _ in POSTS))
    if is_post and header.message_type == MessageType.REQUEST:
        return "post"
    return header.message_type.name.lower()


def _name(header: HeaderWords, message: Message | None) -> str:
    return message_name(header.code) if message is None else wire_noun(type(message))


def _all_lines(header: HeaderWords, message: Message | None) -> Iterator[str]:
    yield f"{_kind(header, message)} {_name(header, message)} ({header.code:#06x})"
    yield f"  sequence: {header.sequence}"
    yield f"  time: {datetime.fromtimestamp(header.time_stamp, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if header.message_type == MessageType.REPLY:
        yield f"  reply to: {header.reply_sequence}"
    yield f"  header error: {_number(header.error)}"
    if message is not None:
        yield "  body:" if _hints(type(message)) else "  body: empty"
    for name, value, hint in _fields(message):
        yield from _lines(name, value, hint, depth=2)


def _lines(name: str, value: object, hint: object, *, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(value, tuple):
        yield f"{pad}{name}: {_count(len(value))}"
        for index, element in enumerate(value[:_ELEMENTS_IN_FULL]):
            yield from _lines(f"[{index}]", element, _element(hint), depth=depth + 1)
        if len(value) > _ELEMENTS_IN_FULL:
            yield f"{pad}  ... {len(value) - _ELEMENTS_IN_FULL} more"
    elif dataclasses.is_dataclass(value):
        yield f"{pad}{name}: {type(value).__name__}"
        for inner, part, part_hint in _fields(value):
            yield from _lines(inner, part, part_hint, depth=depth + 1)
    else:
        yield f"{pad}{name}: {_leaf(value, hint, characters=_CHARACTERS_IN_FULL)}"


def _brief(value: object, hint: object) -> str:
    if isinstance(value, tuple):
        parts = [_brief(element, _element(hint)) for element in value[:_ELEMENTS_IN_LINE]]
        more = [f"... {len(value) - len(parts)} more"] if len(value) > len(parts) else []
        return f"[{', '.join(parts + more)}]"
    if dataclasses.is_dataclass(value):
        inner = ", ".join(f"{name}={_brief(part, part_hint)}" for name, part, part_hint in _fields(value))
        return f"{type(value).__name__}({inner})"
    return _leaf(value, hint, characters=_CHARACTERS_IN_LINE)


def _leaf(value: object, hint: object, *, characters: int) -> str:
    match value:
        case _Hidden():
            return _HIDDEN
        case IntFlag() | IntEnum():
            return _number(value)
        case bool():
            return "yes" if value else "no"
        case int():
            return _integer(value, hint)
        case bytes():
            return _octets(value)
        case str():
            return _quoted(value, characters)
    return str(value)


def _plain(value: object, hint: object) -> Any:  # noqa: ANN401 (JSON)
    match value:
        case tuple():
            return [_plain(element, _element(hint)) for element in value]
        case _Hidden():
            return _HIDDEN
        case IntFlag():
            return _flag_names(value)
        case IntEnum():
            return value.name
        case bytes():
            return {"bytes": len(value), "hex": value[:_OPAQUE_IN_DOCUMENT].hex()}
        case str() | int():
            return value
    if not dataclasses.is_dataclass(value):
        return str(value)
    arm = {"arm": type(value).__name__} if _arms(hint) else {}
    return {**arm, **{name: _plain(part, part_hint) for name, part, part_hint in _fields(value)}}


class _Hidden:
    """Stands for a secret, so that no later step has it."""


def _fields(value: object) -> Iterator[tuple[str, object, object]]:
    """Name, value and type of each field as it may be shown, in wire order."""
    if not dataclasses.is_dataclass(value):
        return
    for name, hint in _hints(type(value)).items():
        field = getattr(value, name)
        if _SECRETS.get(type(value)) == name or _may_be_secret(field, hint):
            field = _Hidden()
        elif name == "ipv4":
            field = IPv4Address(field)
        yield name, field, hint


def _may_be_secret(field: object, hint: object) -> bool:
    """An arm without a name stands for one that is a secret elsewhere."""
    return isinstance(field, OtherArm) and any(arm in _SECRETS for arm in _arms(hint))


def _hints(declared: Any) -> dict[str, Any]:  # noqa: ANN401 (any dataclass)
    """Types of the fields, in wire order."""
    if declared not in _HINTS:
        hints = get_type_hints(declared, include_extras=True)
        _HINTS[declared] = {field.name: hints[field.name] for field in dataclasses.fields(declared)}
    return _HINTS[declared]


def _notes(hint: object) -> tuple[Any, ...]:
    """What a declaration says of a field besides its Python type: wire type first, then a unit if it gives one."""
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _element(hint: object) -> object:
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return get_args(plain)[0] if get_args(plain) else None


def _arms(hint: object) -> tuple[type, ...]:
    tagged = [note for note in _notes(hint) if isinstance(note, Tagged)]
    return tuple(arm for note in tagged for arm in (*note.arms.values(), note.default) if arm is not None)


def _number(value: IntEnum | IntFlag) -> str:
    if isinstance(value, IntFlag):
        return f"{'|'.join(_flag_names(value)) or 'none'}({int(value):#x})"
    return f"{value.name}({int(value)})"


def _flag_names(value: IntFlag) -> list[str]:
    """Names of the bits that are set; those without a name together, in hex."""
    named = [bit for bit in type(value) if bit in value]
    rest = int(value) & ~sum(named)
    return [str(bit.name) for bit in named] + ([f"{rest:#x}"] if rest else [])


def _integer(value: int, hint: object) -> str:
    notes = _notes(hint)
    if notes and value == _ALL_ONES.get(notes[0]):
        return "unknown (all ones)"
    return " ".join([str(value), *(note for note in notes if isinstance(note, str))])


def _octets(value: bytes) -> str:
    shown = value[:_OPAQUE_IN_TEXT].hex()
    return f"<{len(value)} bytes{' ' if shown else ''}{shown}{'...' if len(value) > _OPAQUE_IN_TEXT else ''}>"


def _quoted(text: str, characters: int) -> str:
    """The text in quotes, with what a terminal would obey escaped."""
    shown = "".join(_escaped(c) for c in text[:characters])
    more = f"... {len(text) - characters} more" if len(text) > characters else ""
    return f'"{shown}"{more}'


def _escaped(character: str) -> str:
    if character in '\\"':
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _count(length: int) -> str:
    return "none" if length == 0 else "1 element" if length == 1 else f"{length} elements"
