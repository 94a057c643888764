"""Copies end, volumes become free, and every byte is accounted for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from duplicator.catalog import (
    Account,
    Catalog,
    CatalogError,
    CopyState,
    Expired,
    JobKind,
    Resource,
    ResourceKind,
    VolumeState,
)
from tests.duplicator.catalog.facts import COPY, NOON, SECOND, copy, fragment, on_volume, section, sql

OTHER = "1f8fad5b-d9cb-469f-a165-70867728950e"
DAY = timedelta(days=1)
V1 = Resource(ResourceKind.VOLUME, "ND0001")


@pytest.fixture(autouse=True)
def two_volumes(catalog: Catalog) -> None:
    for label in ("ND0001", "ND0002"):
        catalog.add_volume(label, tape_url="")


def add(catalog: Catalog, copy_id: str, *sequences: int, state: CopyState, expires: timedelta | None = None) -> None:
    copy(catalog, copy_id, expires=None if expires is None else NOON + expires)
    catalog.add_fragments(copy_id, [fragment(index, sequence) for index, sequence in enumerate(sequences)])
    catalog.set_copy_state(copy_id, state)


def test_copies_expire_when_they_are_due(catalog: Catalog) -> None:
    cases = {
        CopyState.VALID: CopyState.EXPIRED,
        CopyState.WRITTEN: CopyState.EXPIRED,
        CopyState.INCOMPLETE: CopyState.EXPIRED,
        CopyState.FAILED: CopyState.EXPIRED,
        CopyState.WRITING: CopyState.WRITING,
        CopyState.EXPIRED: CopyState.EXPIRED,
    }
    ids = {state: f"{number}f8fad5b-d9cb-469f-a165-70867728950e" for number, state in enumerate(cases)}
    for number, state in enumerate(cases, start=1):
        add(catalog, ids[state], number, state=state, expires=DAY)
    copy(catalog, "af8fad5b-d9cb-469f-a165-70867728950e")
    assert catalog.expire_due(time=NOON + DAY - SECOND) == []
    due = [ids[state] for state, after in cases.items() if after is CopyState.EXPIRED and state is not after]
    assert catalog.expire_due(time=NOON + DAY) == due
    assert {state: catalog.copy(ids[state]).state for state in cases} == cases
    assert catalog.copy(ids[CopyState.VALID]).validated is None
    assert catalog.copy("af").state is CopyState.WRITING
    assert catalog.expire_due(time=NOON + DAY) == []


def test_expiry_can_be_set_and_asked_for(catalog: Catalog) -> None:
    add(catalog, COPY, 1, state=CopyState.VALID)
    catalog.set_expiry(COPY, NOON)
    assert catalog.copy(COPY).expires == NOON
    catalog.set_expiry(COPY, None)
    assert catalog.expire_due() == []
    catalog.expire_copy(COPY)
    assert catalog.copy(COPY).state is CopyState.EXPIRED
    copy(catalog, OTHER)
    with pytest.raises(CatalogError, match="a job is writing copy"):
        catalog.expire_copy(OTHER)


@pytest.mark.parametrize("state", list(CopyState))
def test_a_volume_is_free_when_no_copy_needs_it(catalog: Catalog, state: CopyState) -> None:
    add(catalog, COPY, 1, state=CopyState.EXPIRED)
    add(catalog, OTHER, 2, state=state)
    is_free = state in {CopyState.FAILED, CopyState.EXPIRED}
    assert catalog.free_volumes() == ["ND0001"] * is_free
    assert on_volume(catalog).state is (VolumeState.SCRATCH if is_free else VolumeState.APPENDABLE)


def test_a_copy_over_two_volumes_keeps_both(catalog: Catalog) -> None:
    copy(catalog)
    catalog.add_section(COPY, 0, "", section(1, 1))
    catalog.add_section(COPY, 0, "", section(2, 1, volume="ND0002", offset=131072))
    assert catalog.free_volumes() == []
    catalog.commit_fragment(COPY, 0, 2 * 131072, b"")
    catalog.set_copy_state(COPY, CopyState.VALID)
    assert catalog.free_volumes() == []
    catalog.expire_copy(COPY)
    assert catalog.free_volumes() == ["ND0001", "ND0002"]


def test_dead_space_of_a_live_copy_keeps_nothing(catalog: Catalog) -> None:
    copy(catalog)
    catalog.add_section(COPY, 0, "", section(1, 1))
    catalog.add_section(COPY, 0, "", section(2, 1, volume="ND0002", offset=131072))
    catalog.abandon_sections(COPY, 0)
    catalog.add_fragments(COPY, [fragment(0, 2, volume="ND0002")])
    assert catalog.free_volumes() == ["ND0001"]


def test_volumes_that_are_not_freed(catalog: Catalog) -> None:
    assert catalog.free_volumes() == []
    add(catalog, COPY, 1, state=CopyState.EXPIRED)
    for state in VolumeState:
        if state not in {VolumeState.APPENDABLE, VolumeState.FULL}:
            catalog.update_volume("ND0001", state=state)
            assert catalog.free_volumes() == [], state
    catalog.update_volume("ND0001", state=VolumeState.FULL)
    assert catalog.take("a job", [V1])
    assert catalog.free_volumes() == []
    catalog.release("a job")
    # A tape file that the catalog does not know.
    catalog.update_volume("ND0001", files=2)
    assert catalog.free_volumes() == []
    catalog.update_volume("ND0001", files=1)
    assert catalog.free_volumes() == ["ND0001"]


def test_a_dead_job_keeps_no_volume(catalog: Catalog, url: str) -> None:
    add(catalog, COPY, 1, state=CopyState.EXPIRED)
    assert catalog.take("a job", [V1])
    sql(url, "UPDATE leases SET process = 'one that is gone'")
    assert catalog.free_volumes() == ["ND0001"]


def test_a_tape_file_that_nobody_told_of_is_dead_space(catalog: Catalog) -> None:
    add(catalog, COPY, 1, state=CopyState.VALID)
    before = on_volume(catalog)
    catalog.update_volume("ND0001", files=2)  # as its next writer found
    assert [account.unknown_files for account in catalog.accounts()] == [1, 0]
    catalog.add_dead_file(COPY, 0, section(1, 2))
    catalog.add_dead_file(OTHER, 0, section(1, 3))  # of a catalog elsewhere
    assert [(file.file_sequence, file.copy_id, file.dead) for file in catalog.volume_files("ND0001")] == [
        (1, COPY, False),
        (2, COPY, True),
    ]
    assert on_volume(catalog).size == 2 * before.size
    (account, _) = catalog.accounts()
    assert (account.live, account.dead, account.unknown_files) == (before.size, before.size, 0)
    catalog.expire_copy(COPY)
    assert catalog.free_volumes() == ["ND0001"]


def test_a_scratch_volume_that_is_written_is_none(catalog: Catalog) -> None:
    catalog.update_volume("ND0001", state=VolumeState.SCRATCH)
    copy(catalog)
    catalog.add_fragments(COPY, [fragment(0, 1)])
    assert on_volume(catalog).state is VolumeState.APPENDABLE


def test_a_fresh_label(catalog: Catalog) -> None:
    add(catalog, COPY, 1, 2, state=CopyState.VALID)
    with pytest.raises(CatalogError, match=r"copy .* on volume ND0001 is valid"):
        catalog.clear_volume("ND0001")
    assert len(catalog.volume_files("ND0001")) == 2
    catalog.expire_copy(COPY)
    with pytest.raises(CatalogError, match="takes room on volume ND0001"):
        catalog.forget_copy(COPY)
    catalog.clear_volume("ND0001")
    cleared = on_volume(catalog)
    assert (cleared.files, cleared.size, cleared.generation) == (0, 0, 2)
    assert catalog.volume_files("ND0001") == []
    gone = catalog.copy(COPY)
    assert (gone.volumes, [(one.size, one.sections, one.volume) for one in gone.fragments]) == (
        (),
        [(100_000, (), "")] * 2,
    )
    catalog.forget_copy(COPY)
    assert catalog.copies() == []
    add(catalog, OTHER, 1, state=CopyState.VALID)
    with pytest.raises(CatalogError, match="is valid"):
        catalog.forget_copy(OTHER)


def test_what_is_on_a_volume(catalog: Catalog) -> None:
    third = "2f8fad5b-d9cb-469f-a165-70867728950e"
    add(catalog, COPY, 1, state=CopyState.VALID)
    catalog.add_section(COPY, 1, "", section(1, 2, size=65536))
    catalog.abandon_sections(COPY, 1)
    add(catalog, OTHER, 3, 4, state=CopyState.FAILED)
    add(catalog, third, 5, state=CopyState.EXPIRED)
    catalog.update_volume("ND0001", files=7)
    room = 131072
    assert catalog.accounts() == [
        Account("ND0001", live=room, failed=2 * room, dead=room + 65536, unknown_files=2),
        Account("ND0002", live=0, failed=0, dead=0, unknown_files=0),
    ]
    first = on_volume(catalog)
    assert first.size == 4 * room + 65536
    assert [one.id for one in catalog.copies_on("ND0001")] == [COPY]
    assert [one.id for one in catalog.copies_on(["ND0001", "ND0002"])] == [COPY]
    assert catalog.copies_on("ND0002") == []


def test_a_copy_is_gone_on_with(catalog: Catalog) -> None:
    first, second = (catalog.start_job(JobKind.DUPLICATE, image="", source="", target="") for _ in range(2))
    copy(catalog, job_id=first)
    catalog.stop_copy(COPY)
    assert catalog.copy(COPY).state is CopyState.FAILED
    assert catalog.resume_copy(COPY, second) == 2
    catalog.add_fragments(COPY, [fragment(0, 1)])
    catalog.add_section(COPY, 1, "", section(1, 2))
    catalog.stop_copy(COPY)
    catalog.stop_copy(COPY)
    assert catalog.copy(COPY).state is CopyState.INCOMPLETE
    assert [one.dead for one in catalog.volume_files("ND0001")] == [False, True]
    assert (catalog.resume_copy(COPY, second), catalog.job(second).copy_id) == (3, COPY)
    assert catalog.copy(COPY).state is CopyState.WRITING
    catalog.set_copy_state(COPY, CopyState.VALID, validation="digest")
    catalog.stop_copy(COPY)
    assert (catalog.copy(COPY).state, catalog.copy(COPY).validation) == (CopyState.VALID, "digest")
    catalog.expire_copy(COPY)
    with pytest.raises(CatalogError, match="is expired"):
        catalog.resume_copy(COPY, second)


def test_one_round(catalog: Catalog) -> None:
    """Expiry, free volumes and what is forgotten, together or not at all."""
    add(catalog, COPY, 1, state=CopyState.VALID, expires=DAY)
    add(catalog, OTHER, 2, state=CopyState.VALID)
    assert catalog.expire(time=NOON + DAY, dry_run=True) == Expired((COPY,), (), ())
    assert catalog.copy(COPY).state is CopyState.VALID
    assert catalog.expire(time=NOON + DAY) == Expired((COPY,), (), ())
    assert catalog.expire([OTHER], dry_run=True) == Expired((OTHER,), ("ND0001",), ())
    assert on_volume(catalog).state is VolumeState.APPENDABLE
    assert catalog.expire([COPY, OTHER]) == Expired((OTHER,), ("ND0001",), ())
    assert on_volume(catalog).state is VolumeState.SCRATCH
    assert catalog.expire(time=NOON + DAY) == Expired((), (), ())
    catalog.clear_volume("ND0001")
    assert catalog.expire(dry_run=True) == Expired((), (), (COPY, OTHER))
    assert len(catalog.copies()) == 2
    assert catalog.expire() == Expired((), (), (COPY, OTHER))
    assert catalog.copies() == []


def test_a_copy_that_is_written_keeps_the_others(catalog: Catalog) -> None:
    add(catalog, COPY, 1, state=CopyState.VALID)
    copy(catalog, OTHER)
    with pytest.raises(CatalogError, match="a job is writing copy"):
        catalog.expire([COPY, OTHER])
    assert catalog.copy(COPY).state is CopyState.VALID
