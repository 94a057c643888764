"""Discovery and negotiation of extensions, and the test extension (draft 2.5.4, 3.2.9, 3.2.10, appendices A and B)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import EXTENSION, MUST, SHOULD, Check, Situation, Step, rows
from duplicator.conformance.expectation import Want
from duplicator.conformance.needs import ECHO, ECHO_2, EXTENSIONS
from duplicator.conformance.situations import LOGGED_IN
from duplicator.conformance.steps import ask
from ndmp.enums import Error
from ndmp.messages.config import ClassVersion, ConfigGetExtList, ConfigSetExtList
from ndmp.messages.extensions.echo import ECHO_CLASS, TestEcho, TestEcho2

__all__ = ["CHECKS"]

E: Final = Error
NOBODYS: Final = 0x7FED
"""A class of the proprietary range that nobody was given."""
_LISTED: Final = LOGGED_IN.then("extensions listed", ask(ConfigGetExtList()), needs=(EXTENSIONS,))


def _select(*pairs: tuple[int, int]) -> ConfigSetExtList:
    return ConfigSetExtList(tuple(ClassVersion(*pair) for pair in pairs))


def _speak(version: int) -> Step:
    """From here on replies of TEST_ECHO are read as those of a version."""

    async def step(bench: Bench) -> None:
        bench.session.extensions[ECHO_CLASS] = version

    return step


async def _first_offered_twice(bench: Bench) -> None:
    """A class that is offered, named twice."""
    classes = bench.facts.extensions
    pair = next(((number, versions[0]) for number, versions in classes.items() if versions), (NOBODYS, 1))
    wrong = (E.EXT_DUPL_CLASSES,) if classes else (E.EXT_DUPL_CLASSES, E.CLASS_NOT_SUPPORTED)
    await bench.ask(_select(pair, pair), wrong)


async def _all_first_versions(bench: Bench) -> None:
    """The default version of every class that is offered."""
    await bench.ask(_select(*((number, versions[0]) for number, versions in bench.facts.extensions.items())))


_SELECTED: Final = _LISTED.then("no extension selected", ask(_select()))
_V1: Final = _LISTED.then("TEST_ECHO 1 selected", ask(_select((ECHO_CLASS, 1))), _speak(1), needs=(ECHO,))
_V2: Final = _LISTED.then("TEST_ECHO 2 selected", ask(_select((ECHO_CLASS, 2))), _speak(2), needs=(ECHO_2,))


def _proprietary(number: int) -> bool:
    return 1 <= number <= 7 or 0x2000 <= number <= 0x7FFE


def _row(name: str, section: str, title: str, situation: Situation, *steps: Step, note: str = "") -> Check:
    return Check(name, section, MUST, title, situation, steps, (EXTENSIONS,), note)


_NEGOTIATION = rows(
    "extensions",
    Check(
        "list.answered",
        "2.5.3, 2.5.4.3",
        MUST,
        "CONFIG_GET_EXT_LIST is answered",
        LOGGED_IN,
        (ask(ConfigGetExtList()),),
        note="All hosts have it from version 4 on; the list may be empty.",
    ),
    Check(
        "select.answered",
        "2.5.3, 2.5.4.3",
        MUST,
        "CONFIG_SET_EXT_LIST is answered",
        LOGGED_IN,
        (ask(_select(), E.NO_ERR, E.PRECONDITION),),
    ),
    _row(
        "list.again",
        "3.2.9",
        "the list can be asked for again until a choice is made",
        _LISTED,
        ask(ConfigGetExtList()),
    ),
    _row(
        "list.distinct",
        "3.2.9",
        "each class is listed once, with a version at least",
        LOGGED_IN,
        ask(
            ConfigGetExtList(),
            classes=Want("each once", lambda c: len({x.class_id for x in c}) == len(c) and all(x.versions for x in c)),
        ),
    ),
    _row(
        "list.range",
        "2.5.4.4.1",
        "no class is of a reserved range",
        LOGGED_IN,
        ask(
            ConfigGetExtList(),
            classes=Want("classes 1 to 7 or 0x2000 to 0x7ffe", lambda c: all(_proprietary(x.class_id) for x in c)),
        ),
    ),
    _row(
        "select.first",
        "3.2.10",
        "a choice before the list was asked for is refused",
        LOGGED_IN,
        ask(_select(), E.PRECONDITION),
    ),
    _row("select.none", "3.2.10", "nothing can be chosen", _LISTED, ask(_select())),
    _row("select.all", "3.2.10", "all that is listed can be chosen", _LISTED, _all_first_versions),
    _row(
        "select.class",
        "3.2.10",
        "a class that is not offered is refused",
        _LISTED,
        ask(_select((NOBODYS, 1)), E.CLASS_NOT_SUPPORTED),
    ),
    Check(
        "select.version",
        "3.2.10",
        MUST,
        "a version that is not offered is refused",
        _LISTED,
        (ask(_select((ECHO_CLASS, 999)), E.VERSION_NOT_SUPPORTED),),
        (ECHO,),
    ),
    _row("select.twice", "3.2.10", "a class that is named twice is refused", _LISTED, _first_offered_twice),
    Check(
        "select.versions",
        "3.2.10",
        MUST,
        "two versions of a class are refused",
        _LISTED,
        (ask(_select((ECHO_CLASS, 1), (ECHO_CLASS, 2)), E.EXT_DUPL_CLASSES),),
        (ECHO, ECHO_2),
    ),
    _row(
        "select.retry",
        "3.2.10",
        "after a choice that is refused another one is accepted",
        _LISTED,
        ask(_select((NOBODYS, 1)), E.CLASS_NOT_SUPPORTED),
        ask(_select()),
    ),
    _row(
        "settled.select",
        "3.2.10",
        "a second choice is refused",
        _SELECTED,
        ask(_select(), E.EXT_DANDN_ILLEGAL),
    ),
    _row(
        "settled.list",
        "3.2.9",
        "the list is not told after a choice",
        _SELECTED,
        ask(ConfigGetExtList(), E.EXT_DANDN_ILLEGAL),
    ),
)

_ECHO = rows(
    "echo",
    Check("1", "B", EXTENSION, "TEST_ECHO says the text back", _V1, (ask(TestEcho("hello"), text="hello"),)),
    Check("1.empty", "B", EXTENSION, "TEST_ECHO says nothing back", _V1, (ask(TestEcho(""), text=""),)),
    Check(
        "1.long",
        "B",
        EXTENSION,
        "TEST_ECHO says a long text back",
        _V1,
        (ask(TestEcho("x" * 4001), text="x" * 4001),),
    ),
    Check("1.utf8", "B", EXTENSION, "TEST_ECHO says any letters back", _V1, (ask(TestEcho("aé€"), text="aé€"),)),
    Check(
        "2",
        "B",
        EXTENSION,
        "TEST_ECHO 2 says text and number back",
        _V2,
        (ask(TestEcho2("hi", 7), text="hi", number=7),),
    ),
    Check(
        "2.number",
        "2.12",
        EXTENSION,
        "a u_short comes back whole",
        _V2,
        (ask(TestEcho2("", 0xFFFF), number=0xFFFF),),
    ),
    Check(
        "default",
        "2.5.4.3, 3.2.9",
        EXTENSION,
        "without negotiation the first version that is listed holds",
        LOGGED_IN,
        (_default := ask(TestEcho("hi"), text="hi"),),
        (ECHO,),
    ),
    Check(
        "unselected",
        "2.5.4.3",
        EXTENSION,
        "a class that was left out of the choice is NOT_SUPPORTED",
        _SELECTED,
        (ask(TestEcho("hi"), E.NOT_SUPPORTED),),
        (ECHO,),
        note="The draft says nothing of it but that only what is selected is used.",
    ),
    Check(
        "settles.list",
        "2.8.1, 3.2.9",
        MUST,
        "after an extension was used the list is not told",
        LOGGED_IN,
        (_default, ask(ConfigGetExtList(), E.EXT_DANDN_ILLEGAL)),
        (ECHO, EXTENSIONS),
    ),
    Check(
        "settles.select",
        "2.8.1, 3.2.10",
        MUST,
        "after an extension was used no choice is made",
        _LISTED,
        (_default, ask(_select(), E.EXT_DANDN_ILLEGAL)),
        (ECHO,),
    ),
    Check(
        "both",
        "B",
        SHOULD,
        "who has TEST_ECHO has both versions of it",
        LOGGED_IN,
        (ask(ConfigGetExtList(), classes=Want("versions 1 and 2", lambda c: _has_both(c))),),
        (ECHO, EXTENSIONS),
    ),
)


def _has_both(classes: tuple[object, ...]) -> bool:
    return any(x.class_id == ECHO_CLASS and {1, 2} <= set(x.versions) for x in classes)  # type: ignore[attr-defined]


CHECKS: Final[tuple[Check, ...]] = (*_NEGOTIATION, *_ECHO)
