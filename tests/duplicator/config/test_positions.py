"""Each key of a TOML text is found where it stands, whatever stands around it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from duplicator.config.positions import Path, Place, Positions

TRICKY = '''\
# [not.a.table]
top = 1
quoted."a.b".'c d' = "x # no comment"   # [no.header]
long = """
[no.table]
no_key = "1" \\""" still """""
literal = \'\'\'
no = 'key'
\'\'\'\'\'
list = [ # with
  "a, b]",
  [1, 2], { x = 1, y.z = [ "}" ] },
  1979-05-27 07:32:00,
]
empty = []
none = {}
  [ hosts . one ]
  address = "h"
[hosts]
[[row]]
n = 1
[row.inner]
deep = true
[[row]]
n = 2
[[row.more]]
k = "v"
[hosts."two.three"]
port=1
"esc\\u0061pe" = 2
'''
EXPECTED: dict[Path, Place] = {
    ("top",): (2, 1),
    ("quoted",): (3, 1),
    ("quoted", "a.b"): (3, 1),
    ("quoted", "a.b", "c d"): (3, 1),
    ("long",): (4, 1),
    ("literal",): (7, 1),
    ("list",): (10, 1),
    ("list", 0): (11, 3),
    ("list", 1): (12, 3),
    ("list", 1, 0): (12, 4),
    ("list", 1, 1): (12, 7),
    ("list", 2): (12, 11),
    ("list", 2, "x"): (12, 13),
    ("list", 2, "y"): (12, 20),
    ("list", 2, "y", "z"): (12, 20),
    ("list", 2, "y", "z", 0): (12, 28),
    ("list", 3): (13, 3),
    ("empty",): (15, 1),
    ("none",): (16, 1),
    ("hosts",): (19, 1),
    ("hosts", "one"): (17, 3),
    ("hosts", "one", "address"): (18, 3),
    ("row",): (20, 1),
    ("row", 0): (20, 1),
    ("row", 0, "n"): (21, 1),
    ("row", 0, "inner"): (22, 1),
    ("row", 0, "inner", "deep"): (23, 1),
    ("row", 1): (24, 1),
    ("row", 1, "n"): (25, 1),
    ("row", 1, "more"): (26, 1),
    ("row", 1, "more", 0): (26, 1),
    ("row", 1, "more", 0, "k"): (27, 1),
    ("hosts", "two.three"): (28, 1),
    ("hosts", "two.three", "port"): (29, 1),
    ("hosts", "two.three", "escape"): (30, 1),
}


def paths_of(value: object, path: Path = ()) -> Iterator[Path]:
    """Every path of a document as tomllib has it."""
    inner: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    for key, element in inner:
        yield (*path, key)
        yield from paths_of(element, (*path, key))


def test_a_text_by_hand() -> None:
    assert Positions(TRICKY).places == EXPECTED
    assert set(paths_of(tomllib.loads(TRICKY))) == set(EXPECTED)


def test_line_ends_of_another_system() -> None:
    assert Positions(TRICKY.replace("\n", "\r\n")).places == EXPECTED


def test_what_is_not_written_is_where_its_table_is() -> None:
    positions = Positions(TRICKY)
    for path, place in {
        ("hosts", "one", "port"): (17, 3),
        ("hosts", "none", "port"): (19, 1),
        ("row", 1, "more", 0, "k", "x"): (27, 1),
        ("absent", "key"): (1, 1),
        (): (1, 1),
    }.items():
        assert positions.of(path) == place, path
    assert Positions("").of(("hosts",)) == (1, 1)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6) | st.sampled_from(
    ['"', "'''", '"""', "#", "[a]", "a = 1", "\n[x]\n", "}", "],", "\\", ""]
)
SCALARS = TEXTS | st.integers(-(2**62), 2**62) | st.booleans() | st.datetimes()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_finds_what_tomllib_finds(document: dict[str, Any]) -> None:
    """tomlkit writes the text, tomllib says what is in it and in which order, and each key stands at its place."""
    text = tomlkit.dumps(document)
    lines = text.split("\n")
    written = list(paths_of(tomllib.loads(text)))
    places = Positions(text).places
    assert set(places) == set(written)
    assert [places[path] for path in written] == sorted(places.values())
    for path, (line, column) in places.items():
        rest = lines[line - 1][column - 1 :]
        key = path[-1]
        if isinstance(key, str) and not rest.startswith("["):
            assert rest.startswith((f"{key} = ", tomlkit.key(key).as_string(), '"', "'")), (path, rest)
