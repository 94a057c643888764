"""Flat functions over ``struct``, generated from the declarations: what encodes and decodes every message.

:func:`reader` and :func:`writer` write a function in Python for a structure, and run it: each when it is first needed,
as most programs only write one half of the messages and read the other. Fixed-size fields that follow each other,
through nested structures too, become one call of ``struct``. The rules are those of xdr.py: tests hold the two to each
other. Generated code raises ``struct.error`` and builtin exceptions; wire.py turns them into ours.
"""

# ruff: noqa: ANN401 (values of fields have any type)
from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Flag
from functools import cache
from itertools import groupby
from struct import Struct
from typing import Any, Final

from ndmp import xdr
from ndmp.blank import blank_of

__all__ = ["reader", "source", "writer"]

_PADDING: Final = (b"", bytes(3), bytes(2), bytes(1))
"""The zeros after counted bytes, by the lowest two bits of the count."""
_TURNS: Final = tuple((None,) * count for count in range(8))
"""What a loop of few turns runs over; making a range costs more than such a turn's other overhead."""
_FLAGS_KEPT: Final = 8
"""Bits at most of a flags type whose combinations are kept: 256 objects."""
_TESTS: Final = ("if", *["elif"] * 999)
_TEXT: Final = '("utf-8", "surrogateescape")'


def reader(record: xdr.Record) -> Callable[[bytes, int], Any]:
    """Generate what gives the value that is all of a body from an offset on."""
    return _generated("read", _Reader, record)  # type: ignore[no-any-return]


def writer(record: xdr.Record) -> Callable[[Any], Sequence[bytes]]:
    """Generate what gives the parts whose concatenation is the wire form of a value.

    Counted bytes are a part of their own, not copied.
    """
    return _generated("write", _Writer, record)  # type: ignore[no-any-return]


def source(record: xdr.Record) -> str:
    """The source of both."""
    return "\n\n".join(kind(_names()).function(record) for kind in (_Reader, _Writer))


def _names() -> dict[str, Any]:
    return {"PADDING": _PADDING, "TURNS": _TURNS}


def _generated(name: str, kind: type[_Reader] | type[_Writer], record: xdr.Record) -> Any:
    names = _names()
    text = kind(names).function(record)
    filename = f"<codec of {record.declared.__module__}.{record.declared.__qualname__}: {name}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), names)
    return names[name]


class _Members(dict[int, Any]):
    """Number -> member of an open enum; looking up costs a tenth of calling the class."""

    def __init__(self, kind: Any) -> None:
        super().__init__({int(member): member for member in kind})
        self._kind = kind
        named = sum(self) if issubclass(kind, Flag) else 0
        self._kept = named if named.bit_count() <= _FLAGS_KEPT else 0

    def __missing__(self, number: int) -> Any:
        member = self._kind(number)
        if self._kept and not number & ~self._kept:
            self[number] = member
        return member


def _code(wire: Any) -> str:
    """What struct calls a number of this wire type."""
    return "Q" if wire is xdr.u64 else "i" if wire is xdr.i32 else "I"


@cache
def _members_of(kind: Any) -> _Members:
    return _Members(kind)


class _Function:
    """Source under construction. ``run`` is what the next call of struct takes: code and variable or expression."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.lines: list[str] = []
        self.run: list[tuple[str, str]] = []
        self._indent = 1
        self._variables = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self._indent + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(head)
        before = len(self.lines)
        self._indent += 1
        yield
        if len(self.lines) == before:
            self.line("pass")
        self._indent -= 1

    def refuse_if(self, condition: str, reason: str) -> None:
        self.line(f"if {condition}: raise ValueError({reason!r})")

    def variable(self, name: str) -> str:
        self._variables += 1
        return f"{name}_{self._variables}"

    def bind(self, name: str, value: object) -> str:
        """The global name of a value in the generated code."""
        while self.names.setdefault(name, value) is not value:
            name += "_"
        return name

    def take_run(self, method: str) -> tuple[str, list[str], int]:
        """The name of the run's function of struct, its variables or expressions, and its size in bytes."""
        grouped = ((code, len(list(same))) for code, same in groupby(code for code, _ in self.run))
        codes = "".join(f"{count}{code}" if count > 1 and code in "IQ" else code * count for code, count in grouped)
        values, self.run = [value for _, value in self.run], []
        run = Struct(">" + codes)
        self.names[f"{method}_{codes}"] = getattr(run, method)
        return f"{method}_{codes}", values, run.size


class _Reader(_Function):
    """Writes ``read``. Lines about a run's variables wait in ``_later`` until the run is read."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__(names)
        self._later: list[str] = []
        self._ahead = 0  # bytes read that ``at`` does not count yet

    def function(self, record: xdr.Record) -> str:
        value = self._value(record, "body")
        self._flush()
        end = f"at + {self._ahead}" if self._ahead else "at"
        self.line(f'if len(body) != {end}: raise ValueError(f"{{len(body) - ({end})}} bytes after its end")')
        return "\n".join(["def read(body, at):", *self.lines, f"    return {value}", ""])

    def line(self, text: str) -> None:
        if self.run:
            self._later.append(text)
        else:
            super().line(text)

    def _flush(self) -> None:
        if self.run:
            unpack_from, variables, size = self.take_run("unpack_from")
            at = f"at + {self._ahead}" if self._ahead else "at"
            self.line(f"{', '.join(variables)}, = {unpack_from}(body, {at})")
            self._ahead += size
        later, self._later = self._later, []
        for text in later:
            self.line(text)

    def _advance(self, length: str = "") -> None:
        steps = [step for step in (str(self._ahead or ""), length) if step]
        if steps:
            self.line(f"at += {' + '.join(steps)}")
        self._ahead = 0

    def _settle(self) -> None:
        self._flush()
        self._advance()

    def _value(self, wire: Any, name: str) -> str:
        """An expression for a value of this wire type, to be used once."""
        match wire:
            case xdr.Record():
                return self._record(wire)
            case xdr.Union():
                return self._union(wire, name)
            case xdr.Array():
                return self._array(wire, name)
            case xdr.String():
                return self._counted(wire.subcon.limit, name) + f".decode{_TEXT}"
            case xdr.Opaque():
                return self._counted(wire.limit, name)
            case xdr.FixedOpaque():
                return self._fixed(wire.length, name)
            case _:
                return self._number(wire, self._word(wire, name), name)

    def _word(self, wire: Any, name: str, code: str = "") -> str:
        variable = self.variable(name)
        self.run.append((code or _code(wire), variable))
        return variable

    def _number(self, wire: Any, word: str, name: str) -> str:
        if isinstance(wire, xdr.Ranged):
            self.refuse_if(f"{word} > {wire.limit}", f"{name} is over {wire.limit}")
        if isinstance(wire, xdr.Boolean):
            return f"{word} == 1"
        if isinstance(wire, xdr.Number):
            return f"{self.bind(wire.kind.__name__, _members_of(wire.kind))}[{word}]"
        return word

    def _counted(self, limit: int, name: str) -> str:
        count = self._word(xdr.u32, f"{name}_length")
        self._flush()
        self._advance(count)
        # With no padding to compare, startswith still refuses an offset after the end.
        bad = f"{count} > {limit} or not body.startswith(PADDING[{count} & 3], at)"
        self.refuse_if(bad, f"{name} is too long, cut short, or padded with other than zeros")
        value = self.variable(name)
        self.line(f"{value} = body[at - {count} : at]")
        self.line(f"at += -{count} & 3")
        return value

    def _fixed(self, length: int, name: str) -> str:
        value = self._word(None, name, f"{length}s")
        if length % 4:
            padding = self._word(None, "padding", f"{-length % 4}s")
            self.refuse_if(f"any({padding})", f"{name} is padded with other than zeros")
        return value

    def _array(self, wire: xdr.Array, name: str) -> str:
        count = self._word(xdr.u32, f"{name}_count")
        self._settle()
        self.refuse_if(f"{count} > {wire.limit} or {count} > len(body) - at >> 2", f"{name} has too many elements")
        elements = self.variable(name)
        self.line(f"{elements} = []")
        with self.block(f"for _ in TURNS[{count}] if {count} < {len(_TURNS)} else range({count}):"):
            element = self._value(wire.subcon, name)
            self._settle()
            self.line(f"{elements}.append({element})")
        return f"tuple({elements})"

    def _record(self, record: xdr.Record) -> str:
        values = {name: self._value(wire, name) for name, wire in record.fields.items()}
        return self._made(record.declared, values)

    def _made(self, declared: Any, values: dict[str, str]) -> str:
        blank = blank_of(declared)
        name = self.bind(declared.__name__, declared)
        if not values:  # frozen and empty: one serves all
            return self.bind(f"THE_{name}", declared())
        if not blank:
            return f"{name}({', '.join(f'{field}={value}' for field, value in values.items())})"
        made = self.variable("made")
        self.line(f"{made} = {self.bind(blank.__name__, blank)}()")
        for field, value in values.items():
            self.line(f"{made}.{field} = {value}")
        self.line(f"{made}.__class__ = {name}")
        return made

    def _union(self, union: xdr.Union, name: str) -> str:
        kind, arm = self._word(xdr.u32, f"{name}_kind"), self.variable(name)
        self._settle()
        for test, (number, record) in zip(_TESTS, union.arms.items(), strict=False):
            with self.block(f"{test} {kind} == {number}:"):
                self._settle_as(arm, self._record(record))
        with self.block("else:"):
            self._stray(union, kind, arm)
        return arm

    def _settle_as(self, variable: str, value: str) -> None:
        self._settle()
        self.line(f"{variable} = {value}")

    def _stray(self, union: xdr.Union, kind: str, arm: str) -> None:
        if union.default is None:
            self.line(f"{arm} = {self.bind(union.stray.__name__, union.stray)}({kind}, body[at:])")
            self.line("at = len(body)")
            return
        (first, number), *others = union.default.fields.items()
        values = {first: self._number(number, kind, first)} | {name: self._value(wire, name) for name, wire in others}
        self._settle_as(arm, self._made(union.default.declared, values))


class _Writer(_Function):
    """Writes ``write``. ``_parts`` are expressions for bytes that are complete but not yet in ``out``."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__(names)
        self._parts: list[str] = []

    def function(self, record: xdr.Record) -> str:
        self._record(record, "value")
        self._pack()
        if any("out +=" in line for line in self.lines):
            self._flush()
            self.lines = ["    out = []", *self.lines, "    return out"]
        else:
            self.line(f"return [{', '.join(self._parts)}]")
        return "\n".join(["def write(value):", *self.lines, ""])

    def _pack(self) -> None:
        if self.run:
            pack, values, _ = self.take_run("pack")
            self._parts.append(f"{pack}({', '.join(values)})")

    def _flush(self) -> None:
        self._pack()
        if self._parts:
            self.line(f"out += {', '.join(self._parts)},")
        self._parts = []

    def _value(self, wire: Any, value: str, name: str) -> None:
        """Write what the expression ``value`` is, of this wire type."""
        match wire:
            case xdr.Record():
                self._record(wire, self._assign(name, value))
            case xdr.Union():
                self._union(wire, self._assign(name, value))
            case xdr.Array():
                self._array(wire, self._assign(name, value), name)
            case xdr.String():
                self._counted(wire.subcon.limit, self._assign(name, f"{value}.encode{_TEXT}"), name)
            case xdr.Opaque():
                self._counted(wire.limit, self._octets(value, name), name)
            case xdr.FixedOpaque():
                self._fixed(wire.length, self._assign(name, value), name)
            case _:
                self._number(wire, value, name)

    def _assign(self, name: str, value: str) -> str:
        if value.isidentifier():
            return value
        variable = self.variable(name)
        self.line(f"{variable} = {value}")
        return variable

    def _number(self, wire: Any, value: str, name: str) -> None:
        if isinstance(wire, xdr.Ranged):
            value = self._assign(name, value)
            self.refuse_if(f"{value} > {wire.limit}", f"{name} is over {wire.limit}")
        self.run.append((_code(wire), value))

    def _octets(self, value: str, name: str) -> str:
        """A variable for bytes, or for the bytes of another buffer."""
        octets = self._assign(name, value)
        self.line(f'if type({octets}) is not bytes: {octets} = memoryview({octets}).cast("B")')
        return octets

    def _counted(self, limit: int, octets: str, name: str) -> None:
        count = self._assign(f"{name}_length", f"len({octets})")
        self.refuse_if(f"{count} > {limit}", f"{name} has over {limit} bytes")
        self.run.append(("I", count))
        self._pack()
        self._parts += octets, f"PADDING[{count} & 3]"

    def _fixed(self, length: int, octets: str, name: str) -> None:
        self.refuse_if(f"len({octets}) != {length}", f"{name} has not {length} bytes")
        self.run.append((f"{length}s" + (f"{-length % 4}x" if length % 4 else ""), octets))

    def _array(self, wire: xdr.Array, elements: str, name: str) -> None:
        count = self._assign(f"{name}_count", f"len({elements})")
        self.refuse_if(f"{count} > {wire.limit}", f"{name} has over {wire.limit} elements")
        self.run.append(("I", count))
        self._flush()
        element = self.variable(name)
        with self.block(f"for {element} in {elements}:"):
            self._value(wire.subcon, element, name)
            self._flush()

    def _record(self, record: xdr.Record, value: str) -> None:
        for name, wire in record.fields.items():
            self._value(wire, f"{value}.{name}", name)

    def _union(self, union: xdr.Union, arm: str) -> None:
        before = self.run, self._parts
        for test, (declared, number) in zip(_TESTS, union.kinds.items(), strict=False):
            with self._arm(f"{test} type({arm}) is", declared, before):
                self.run.append(("I", str(number)))
                self._record(union.arms[number], arm)
        if union.default is not None:
            with self._arm(f"elif type({arm}) is", union.default.declared, before):
                self._record(union.default, arm)
        else:
            with self._arm(f"elif type({arm}) is", union.stray, before):
                self.run.append(("I", f"{arm}.kind"))
                self._pack()
                self._parts.append(self._octets(f"{arm}.rest", "rest"))
        with self.block("else:"):
            self.line(f'raise TypeError(f"{{type({arm}).__name__}} is no arm")')

    @contextmanager
    def _arm(self, test: str, declared: Any, before: tuple[list[tuple[str, str]], list[str]]) -> Iterator[None]:
        """The block for an arm of this class; it also writes what comes ``before`` the union."""
        self.run, self._parts = list(before[0]), list(before[1])
        with self.block(f"{test} {self.bind(declared.__name__, declared)}:"):
            yield
            self._flush()
