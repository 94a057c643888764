"""Images, copies and where their bytes lie."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from duplicator.catalog import Catalog, CatalogError, Copy, CopyState, Fragment, JobKind
from ndmp.enums import DigestAlgorithm
from tests.duplicator.catalog.facts import COPY, NOON, SECOND, copy, fragment, image, on_volume, section, start


def test_images_are_recorded_once(catalog: Catalog) -> None:
    first = image(catalog)
    assert (first.size, first.fragments) == (2**40, 2)
    assert image(catalog) == first
    assert image(catalog, modified=2).id != first.id


def test_a_copy_and_its_fragments(catalog: Catalog) -> None:
    number = start(catalog)
    catalog.add_volume("ND0001", tape_url="ndmp://u@b:1/t0", created=NOON)
    assert copy(catalog, job_id=number) == COPY
    assert catalog.job(number).copy_id == COPY
    for index, file_sequence in ((1, 2), (0, 1)):
        catalog.add_fragments(COPY, [fragment(index, file_sequence)])
    catalog.set_copy_state(COPY, CopyState.VALID, time=NOON + SECOND)
    found = catalog.copy(COPY)
    assert found == Copy(
        id=COPY,
        image=image(catalog),
        number=1,
        job_id=number,
        state=CopyState.VALID,
        tape_url="ndmp://u@b:1/t0",
        algorithm=DigestAlgorithm.SHA256,
        record_bytes=65536,
        created=NOON,
        validated=NOON + SECOND,
        validation="",
        expires=None,
        route="",
        fragments=(fragment(0, 1), fragment(1, 2)),
    )
    assert catalog.copies() == [found]
    volume = on_volume(catalog)
    assert (volume.files, volume.size, volume.created) == (2, 2 * 2 * 65536, NOON)
    catalog.set_copy_state(COPY, CopyState.FAILED)
    assert catalog.copy(COPY).validated is None
    verify = catalog.start_job(JobKind.VERIFY, image="etc.tar", source="", target="")
    catalog.use_copy(verify, COPY)
    assert catalog.job(verify).copy_id == COPY


def test_copies_by_prefix(catalog: Catalog) -> None:
    other = "0f8fad5b-0000-469f-a165-70867728950e"
    for copy_id in (COPY, other):
        copy(catalog, copy_id)
    assert catalog.copy("0f8fad5b-d").id == COPY
    assert catalog.copy("0F8FAD5B-0").id == other
    for prefix, words in [("0f8f", "more than one"), ("", "more than one"), ("1", "no copy"), ("%d9", "no copy")]:
        with pytest.raises(CatalogError, match=words):
            catalog.copy(prefix)


def test_fragments_come_all_or_none(catalog: Catalog) -> None:
    catalog.add_volume("ND0001", tape_url="")
    copy(catalog)
    with pytest.raises(CatalogError, match="refuses this entry"):
        catalog.add_fragments(COPY, [fragment(0, 1), fragment(1, 1)])
    volume = on_volume(catalog)
    assert (volume.files, volume.size, catalog.copy(COPY).fragments) == (0, 0, ())
    catalog.add_fragments(COPY, [fragment(0, 1), fragment(1, 2)])
    volume = on_volume(catalog)
    assert (volume.files, volume.size) == (2, 2 * 2 * 65536)
    assert catalog.copy(COPY).fragments == (fragment(0, 1), fragment(1, 2))


def test_a_fragment_over_several_volumes(catalog: Catalog) -> None:
    for label in ("ND0001", "ND0002"):
        catalog.add_volume(label, tape_url="")
    copy(catalog)
    catalog.add_section(COPY, 0, "part0", section(1, 1), time=NOON)
    with pytest.raises(CatalogError, match=r"131072 bytes are on tape of fragment 0 of copy .*, not 200000"):
        catalog.commit_fragment(COPY, 0, 200_000, b"d")
    assert catalog.copy(COPY).fragments == ()
    second = section(2, 1, volume="ND0002", offset=131072, size=68_928)
    catalog.add_section(COPY, 0, "part0", second)
    catalog.commit_fragment(COPY, 0, 200_000, b"d")
    found = catalog.copy(COPY)
    assert found.fragments == (Fragment(0, "part0", 200_000, b"d", (section(1, 1), second)),)
    assert found.volumes == ("ND0001", "ND0002")
    assert (found.fragments[0].volume, found.fragments[0].blocks) == ("ND0001", 4)
    first = on_volume(catalog)
    assert (first.files, first.size, first.last_written) == (1, 131072, NOON)
    for call, words in [
        (lambda: catalog.add_section(COPY, 0, "part0", section(3, 2)), "is committed"),
        (lambda: catalog.abandon_sections(COPY, 0), "is committed"),
        (lambda: catalog.commit_fragment(COPY, 1, 0, b""), "nothing is on tape"),
    ]:
        with pytest.raises(CatalogError, match=words):
            call()
    assert catalog.copy(COPY) == found


def test_a_missing_section_is_seen(catalog: Catalog) -> None:
    catalog.add_volume("ND0001", tape_url="")
    copy(catalog)
    catalog.add_section(COPY, 0, "", section(2, 1, offset=131072))
    with pytest.raises(CatalogError, match=r"section 1 of fragment 0 of copy .* is missing"):
        catalog.commit_fragment(COPY, 0, 131072, b"")


def test_what_was_abandoned_takes_room_until_it_is_written_over(catalog: Catalog) -> None:
    for label in ("ND0001", "ND0002"):
        catalog.add_volume(label, tape_url="")
    copy(catalog)
    catalog.add_fragments(COPY, [fragment(0, 1)])
    catalog.add_section(COPY, 1, "part1", section(1, 2))
    catalog.add_section(COPY, 1, "part1", section(2, 1, volume="ND0002", offset=131072))
    catalog.abandon_sections(COPY, 1)
    catalog.abandon_sections(COPY, 1)
    files = [
        (one.file_sequence, one.fragment, one.section, one.size, one.dead) for one in catalog.volume_files("ND0001")
    ]
    assert files == [(1, 0, 1, 131072, False), (2, 1, 1, 131072, True)]
    assert [one.dead for one in catalog.volume_files("ND0002")] == [True]
    sizes = [(volume.files, volume.size) for volume in catalog.volumes()]
    assert sizes == [(2, 2 * 131072), (1, 131072)]
    catalog.add_section(COPY, 1, "part1", section(1, 3, size=65536))
    # The dead file is the first of what comes later: writing there ends the tape behind it.
    catalog.abandon_sections(COPY, 1)
    catalog.add_section(COPY, 1, "part1", section(1, 2, size=65536))
    catalog.commit_fragment(COPY, 1, 65536, b"d")
    assert [(one.file_sequence, one.dead) for one in catalog.volume_files("ND0001")] == [(1, False), (2, False)]
    volume = on_volume(catalog)
    assert (volume.files, volume.size) == (2, 131072 + 65536)


def test_what_the_catalog_refuses(catalog: Catalog) -> None:
    catalog.add_volume("ND0001", tape_url="")
    copy(catalog)
    catalog.add_fragments(COPY, [fragment(0, 1)])
    berlin = datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1)))
    catalog.set_copy_state(COPY, CopyState.VALID, time=berlin)
    assert catalog.copy(COPY).validated == NOON
    cases = [
        (lambda: catalog.job(99), "no job 99"),
        (lambda: catalog.events(99), "no job 99"),
        (lambda: catalog.event(99, "s", "t"), "no job 99"),
        (lambda: catalog.set_copy_state("x", CopyState.VALID), "no copy x"),
        (lambda: catalog.update_volume("ND0002"), "does not know volume ND0002"),
        (lambda: catalog.add_volume("ND0001", tape_url=""), "refuses this entry"),
        (lambda: catalog.add_fragments(COPY, [fragment(0, 2)]), "refuses this entry"),
        (lambda: catalog.add_fragments(COPY, [fragment(1, 1)]), "refuses this entry"),
        (lambda: copy(catalog), "refuses this entry"),
        (lambda: copy(catalog, "a", job_id=99), "refuses this entry"),
        (lambda: catalog.set_copy_state(COPY, CopyState.VALID, time=NOON.replace(tzinfo=None)), "without a zone"),
        (lambda: image(catalog, modified=2**63), "failed"),
    ]
    before = catalog.copies(), catalog.volumes(), catalog.jobs()
    for call, words in cases:
        with pytest.raises(CatalogError, match=words):
            call()
    assert (catalog.copies(), catalog.volumes(), catalog.jobs()) == before
