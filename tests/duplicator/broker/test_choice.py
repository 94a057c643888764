"""Which drives and volumes a job gets, or why it waits, or why that would be in vain: tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from duplicator.broker_choice import Choice, Wait, choose, choose_next
from duplicator.broker_needs import (
    Need,
    Pool,
    Reading,
    Situation,
    Writing,
    drive_resource,
    library_resource,
    volume_resource,
)
from duplicator.catalog import DriveUse, Resource, ResourceKind, Volume, VolumeState
from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.status import JobError, Status
from duplicator.urls import NdmpUrl

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
APPENDABLE, SCRATCH, FULL = VolumeState.APPENDABLE, VolumeState.SCRATCH, VolumeState.FULL


def drive(name: str, library: str | None = "lib") -> DriveSpec:
    return DriveSpec(name, NdmpUrl("u", "host", 10000, f"dev/{name}"), library)


D1, D2, D3, BY_HAND = drive("d1"), drive("d2"), drive("d3", "other"), drive("hand", None)


def volume(
    label: str,
    state: VolumeState = APPENDABLE,
    *,
    pool: str = "p",
    location: str = "lib slot 1000",
    media: str = "L8",
    size: int = 0,
) -> Volume:
    return Volume(
        label=label,
        state=state,
        pool=pool,
        barcode="",
        media=media,
        location=location,
        tape_url="",
        files=0,
        size=size,
        capacity=None,
        created=NOON,
        last_written=None,
        mounts=0,
        generation=1,
    )


def use(of: DriveSpec, *, volume: str = "", used: int | None = None, down: str = "") -> DriveUse:
    return DriveUse(drive_resource(of).name, volume, None if used is None else NOON + timedelta(hours=used), down)


def situation(
    *volumes: Volume,
    drives: tuple[DriveSpec, ...] = (D1, D2),
    uses: tuple[DriveUse, ...] = (),
    taken: Mapping[str | DriveSpec, str] | None = None,
    pools: tuple[Pool, ...] = (Pool("p"),),
    media: Mapping[str, frozenset[str]] | None = None,
    waits: Mapping[str, str] | None = None,
) -> Situation:
    return Situation(
        drives=drives,
        media=media or {},
        pools={pool.name: pool for pool in pools},
        volumes={volume.label: volume for volume in volumes},
        uses={each.name: each for each in uses},
        owners={what(one): owner for one, owner in (taken or {}).items()},
        waits=waits or {},
    )


def what(one: str | DriveSpec) -> Resource:
    return volume_resource(one) if isinstance(one, str) else drive_resource(one)


def chosen(choice: Choice | Wait) -> tuple[str, str, str]:
    """Write drive, read drive and volume by name."""
    assert isinstance(choice, Choice), choice
    names = [each.name if each else "-" for each in (choice.write_drive, choice.read_drive)]
    return names[0], names[1], choice.volume or "-"


WRITE = Need(writing=Writing("p"))
LENT = (Pool("p", scratch="s"),)

WRITES = {
    "an appendable one": (situation(volume("A")), ("d1", "A")),
    "a mounted one first, however full others are": (
        situation(volume("A", size=9), volume("B"), uses=(use(D2, volume="B", used=9),)),
        ("d2", "B"),
    ),
    "not the mounted one, if its drive is taken": (
        situation(volume("A"), volume("B"), uses=(use(D2, volume="B"),), taken={D2: "x", "B": "x"}),
        ("d1", "A"),
    ),
    "the fuller one": (situation(volume("A", size=1), volume("B", size=2)), ("d1", "B")),
    "the drive that was used longest ago": (
        situation(volume("A"), uses=(use(D1, used=2), use(D2, used=1))),
        ("d2", "A"),
    ),
    "the drive that was never used": (situation(volume("A"), uses=(use(D1, used=2),)), ("d2", "A")),
    "appendable before mounted scratch": (
        situation(volume("A"), volume("B", SCRATCH), uses=(use(D1, volume="B"),)),
        ("d1", "A"),
    ),
    "scratch of the pool": (situation(volume("A", FULL), volume("B", SCRATCH)), ("d1", "B")),
    "its own scratch before that of the scratch pool": (
        situation(volume("A", SCRATCH, pool="s"), volume("B", SCRATCH), pools=LENT),
        ("d1", "B"),
    ),
    "scratch of the scratch pool": (situation(volume("A", SCRATCH, pool="s"), pools=LENT), ("d1", "A")),
    "what fits the pool": (
        situation(volume("A", media="L7"), volume("B"), pools=(Pool("p", frozenset({"L8"})),)),
        ("d1", "B"),
    ),
    "what fits the drive": (
        situation(volume("A", media="L9"), media={"d1": frozenset({"L8"}), "d2": frozenset({"L8", "L9"})}),
        ("d2", "A"),
    ),
    "what its library has": (
        situation(volume("A", location="other slot 1"), volume("B"), drives=(D1, D3), taken={D1: "x"}),
        ("d3", "A"),
    ),
    "not a drive that is down": (situation(volume("A"), uses=(use(D1, down="dirty"),)), ("d2", "A")),
    "what is in the slots before what is in another drive": (
        situation(volume("A", size=5), volume("B"), drives=(D1, D2), uses=(use(D2, volume="A", down="dirty"),)),
        ("d1", "B"),
    ),
    "by hand: what the catalog knows": (situation(volume("A", location=""), drives=(BY_HAND,)), ("hand", "A")),
    "by hand: not what a library has": (situation(volume("A"), drives=(D1, BY_HAND), taken={D1: "x"}), ("hand", "-")),
    "by hand: not the vault, but something blank": (
        situation(volume("A", location="vault"), volume("B", location="vault east"), drives=(BY_HAND,)),
        ("hand", "-"),
    ),
    "by hand: not one of several vaults, either": (
        situation(volume("A", location="vault bank"), drives=(BY_HAND,)),
        ("hand", "-"),
    ),
}


@pytest.mark.parametrize("case", WRITES)
def test_to_write(case: str) -> None:
    there, expected = WRITES[case]
    write, _, label = chosen(choose(WRITE, there))
    assert (write, label) == expected


NEVER_WRITTEN = [
    *(volume("A", state) for state in VolumeState if state not in {APPENDABLE, SCRATCH}),
    volume("A", location="vault"),
    volume("A", location="vault east"),
    volume("A", location=""),
    volume("A", pool="q"),
    volume("A", SCRATCH, pool="q"),
    volume("A", pool="s"),
    volume("A", SCRATCH, media="CU"),
]


@pytest.mark.parametrize(
    "one", NEVER_WRITTEN, ids=lambda one: f"{one.state.value} {one.pool} {one.location} {one.media}"
)
def test_no_other_volume_is_written(one: Volume) -> None:
    for call in (
        lambda: choose(WRITE, situation(one, pools=LENT)),
        lambda: choose_next("p", D1, situation(one, pools=LENT, taken={D1: "me"}), owner="me"),
    ):
        with pytest.raises(JobError) as caught:
            call()
        assert caught.value.status == Status.NO_MEDIA


def test_a_volume_by_name() -> None:
    there = situation(volume("A"), volume("B", pool="q"), volume("C", FULL), volume("D", VolumeState.FOREIGN))
    assert chosen(choose(Need(writing=Writing("p", "B")), there)) == ("d1", "-", "B")
    for label, status in (("C", Status.NO_MEDIA), ("D", Status.MEDIA_PROTECTED), ("X", Status.NO_MEDIA)):
        with pytest.raises(JobError, match=f"volume {label}") as caught:
            choose(Need(writing=Writing("p", label)), there)
        assert caught.value.status == status
    by_hand = situation(volume("A"), drives=(BY_HAND,))
    assert chosen(choose(Need(writing=Writing("p", "X")), by_hand)) == ("hand", "-", "X")


def test_all_that_is_taken() -> None:
    found = choose(WRITE, situation(volume("A")))
    assert isinstance(found, Choice)
    assert found.resources == {drive_resource(D1), volume_resource("A")}
    # A volume in another drive comes with that drive.
    found = choose(
        Need(writing=Writing("p", drives=frozenset({"d1"}))), situation(volume("A"), uses=(use(D2, volume="A"),))
    )
    assert isinstance(found, Choice)
    assert (chosen(found), found.resources) == (
        ("d1", "-", "A"),
        {drive_resource(D1), drive_resource(D2), volume_resource("A")},
    )


def test_to_read() -> None:
    need = Need(reading=Reading(("A", "B")))
    full = volume("A", FULL), volume("B", FULL, pool="q")
    found = choose(need, situation(*full, uses=(use(D2, volume="B", used=5),)))
    assert isinstance(found, Choice)
    assert (chosen(found), found.resources) == (
        ("-", "d2", "-"),
        {drive_resource(D2), volume_resource("A"), volume_resource("B")},
    )
    assert chosen(choose(need, situation(*full, drives=(D3, D2)))) == ("-", "d2", "-")
    vaulted = volume("A", FULL, location="vault")
    assert chosen(choose(Need(reading=Reading(("A",))), situation(vaulted, drives=(BY_HAND,)))) == ("-", "hand", "-")


def test_to_copy_from_tape_to_tape() -> None:
    need = Need(writing=Writing("p"), reading=Reading(("A", "B")))
    volumes = volume("A"), volume("B", FULL), volume("C", SCRATCH)
    found = choose(need, situation(*volumes, uses=(use(D1, volume="A"),)))
    assert isinstance(found, Choice)
    # Not to the volume that it reads, although it is mounted and appendable.
    assert chosen(found) == ("d2", "d1", "C")
    assert found.resources == {*map(drive_resource, (D1, D2)), *map(volume_resource, "ABC")}


IN_VAIN = {
    "no drive of that name": (
        Need(writing=Writing("p", drives=frozenset({"dx"}))),
        situation(volume("A")),
        Status.NO_DRIVES,
    ),
    "no drive writes such media": (
        WRITE,
        situation(
            volume("A"),
            pools=(Pool("p", frozenset({"L9"})),),
            media={"d1": frozenset({"L8"}), "d2": frozenset({"L7"})},
        ),
        Status.NO_DRIVES,
    ),
    "no drives at all": (Need(reading=Reading(("A",))), situation(volume("A"), drives=()), Status.NO_DRIVES),
    "one drive, and two are needed": (
        Need(writing=Writing("p"), reading=Reading(("B",))),
        situation(volume("A"), volume("B"), drives=(D1,)),
        Status.NO_DRIVES,
    ),
    "all down": (
        WRITE,
        situation(volume("A"), uses=(use(D1, down="dirty"), use(D2, down="off"))),
        Status.DRIVES_DOWN,
    ),
    "no volume": (WRITE, situation(), Status.NO_MEDIA),
    "no volume where the drive is": (WRITE, situation(volume("A"), drives=(D3,)), Status.NO_MEDIA),
    "to be read, and in the vault": (
        Need(reading=Reading(("A",))),
        situation(volume("A", location="vault")),
        Status.NO_MEDIA,
    ),
    "to be read, and in two libraries": (
        Need(reading=Reading(("A", "B"))),
        situation(volume("A"), volume("B", location="other slot 1"), drives=(D1, D3)),
        Status.NO_MEDIA,
    ),
    "to be read, and not known": (Need(reading=Reading(("X",))), situation(), Status.NO_MEDIA),
}


@pytest.mark.parametrize("case", IN_VAIN)
def test_waiting_would_be_in_vain(case: str) -> None:
    need, there, status = IN_VAIN[case]
    with pytest.raises(JobError) as caught:
        choose(need, there)
    assert caught.value.status == status


WAITS = {
    "all drives are taken": (WRITE, situation(volume("A"), taken={D1: "x", D2: "y"}), "d1, d2", ()),
    "all volumes are taken": (WRITE, situation(volume("A"), taken={D1: "x", "A": "x"}), "all volumes of pool p", ()),
    "one drive of two: it is kept, and the volume": (
        Need(writing=Writing("p"), reading=Reading(("B",))),
        situation(volume("A"), volume("B"), taken={D1: "x"}),
        "d1, d2",
        (D2, "B"),
    ),
    "a volume is taken: the others are kept, drives not": (
        Need(reading=Reading(("A", "B"))),
        situation(volume("A"), volume("B"), taken={D1: "x", "A": "x"}),
        "volume A is in use",
        ("B",),
    ),
}


@pytest.mark.parametrize("case", WAITS)
def test_waiting(case: str) -> None:
    need, there, words, kept = WAITS[case]
    found = choose(need, there)
    assert isinstance(found, Wait)
    assert words in found.reason
    assert found.reserve == set(map(what, kept))


def test_what_is_kept_for_others_is_not_taken() -> None:
    there = situation(volume("A"), volume("B"), uses=(use(D1, volume="A"),))
    assert chosen(choose(WRITE, there, {volume_resource("A"), drive_resource(D1)})) == ("d2", "-", "B")
    assert isinstance(choose(WRITE, there, {drive_resource(D1), drive_resource(D2)}), Wait)


MINE: Mapping[str | DriveSpec, str] = {D1: "me", "A": "me"}


def test_the_next_volume() -> None:
    there = situation(volume("A", FULL), volume("B"), volume("C", size=1), taken=MINE)
    found = choose_next("p", D1, there, owner="me")
    assert isinstance(found, Choice)
    assert (found.volume, found.resources) == ("C", {drive_resource(D1), volume_resource("C")})
    by_hand = situation(volume("A", FULL), drives=(BY_HAND,), taken={BY_HAND: "me", "A": "me"})
    assert chosen(choose_next("p", BY_HAND, by_hand, owner="me")) == ("hand", "-", "-")


NEXT = {
    "somebody works with one": ({"B": "x", D2: "x"}, {}, True),
    "nobody has one": ({}, {}, False),
    "who has one waits itself": ({"B": "x", D2: "x"}, {"x": "p"}, False),
    "who has one waits for somebody who works": ({"B": "x", "C": "y"}, {"x": "p"}, True),
    "who has one waits for another pool, where nobody works": ({"B": "x", "Q": "z"}, {"x": "q", "z": "p"}, False),
    "who has one waits for another pool, where one is free": ({"B": "x"}, {"x": "q"}, True),
    "who has one waits for another pool, where somebody works": ({"B": "x", "Q": "y"}, {"x": "q"}, True),
}


@pytest.mark.parametrize("case", NEXT)
def test_waiting_for_the_next_volume(case: str) -> None:
    taken, waits, may_wait = NEXT[case]
    volumes = [volume("A", FULL), volume("Q", pool="q")]
    volumes += [volume(label) for label in ("B", "C") if label in taken]
    pools = Pool("p"), Pool("q")
    there = situation(*volumes, taken={**MINE, **taken}, waits={**waits, "me": "p"}, pools=pools)
    if may_wait:
        assert isinstance(choose_next("p", D1, there, owner="me"), Wait)
    else:
        with pytest.raises(JobError) as caught:
            choose_next("p", D1, there, owner="me")
        assert caught.value.status == Status.NO_MEDIA


def test_names_that_all_have_in_common() -> None:
    ours, theirs = NdmpUrl("me", "host", 10000, "dev/nst0"), NdmpUrl("you", "host", 10000, "dev/nst0")
    assert drive_resource(DriveSpec("a", ours)) == drive_resource(DriveSpec("b", theirs, "lib", 3))
    assert library_resource(LibrarySpec("a", ours)) == Resource(ResourceKind.LIBRARY, "host:10000/dev/nst0")
