"""What labels tell, put into a catalog: in any order, over several imports, and beside what is known already."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import permutations
from typing import Any

import pytest

from duplicator.catalog import (
    Catalog,
    CopyState,
    JobKind,
    Lesson,
    VolumeContents,
    VolumeState,
)
from duplicator.labels import FileHeader, FileTrailer
from ndmp.enums import DigestAlgorithm
from tests.duplicator.catalog.facts import COPY, NOON, copy, fragment, on_volume, section
from tests.duplicator.tape_facts import facts

RECORD = 65536
OTHER = "1f8fad5b-d9cb-469f-a165-70867728950e"
TAPE = "ndmp://u@b:1/t0"
DIGEST = b"\xab" * 32


def part(volume: str, sequence: int, **values: Any) -> FileTrailer:  # noqa: ANN401
    """The trailer of two records of an image of two fragments."""
    section, more, first = values.pop("section", 1), values.pop("continues", False), values.pop("first", ("ND0001", 1))
    later = {"later_volume": volume, "first_sequence": first[1], "offset": (section - 1) * 2 * RECORD}
    index = values.pop("fragment", 0)
    header = FileHeader(
        **{
            "file_set": first[0] if section > 1 else volume,
            "sequence": sequence,
            "copy_id": COPY,
            "host": "a",
            "unit": "lsu0",
            "image": "etc.tar",
            "image_bytes": 2**40,
            "modified": 1,
            "fragment": index,
            "fragments": 2,
            "fragment_name": f"part{index}",
            "record_bytes": RECORD,
            "created": int(NOON.timestamp()),
            "section": section,
            **(later if section > 1 else {}),
            **values,
        }
    )
    algorithm = DigestAlgorithm.NONE if more else DigestAlgorithm.SHA256
    digest = b"" if more else DIGEST
    size = 2 * RECORD
    return FileTrailer(header=header, blocks=2, size=size, algorithm=algorithm, digest=digest, continues=more)


def volume(label: str, *files: FileTrailer, **values: Any) -> VolumeContents:  # noqa: ANN401
    """A volume that holds these."""
    return VolumeContents(volume=label, files=files, count=len(files), tape_url=TAPE, **values)


def add(catalog: Catalog, *found: VolumeContents) -> Lesson:
    """Import, one after the other; the last lesson."""
    for each in found:
        lesson = catalog.import_volumes([each])
        assert [learned.contradiction for learned in lesson.volumes] == [""]
    return lesson


def refused(catalog: Catalog, found: VolumeContents) -> str:
    """Import what contradicts: nothing may change; the words."""
    before = catalog.copies(), catalog.volumes(), [catalog.volume_files(each.label) for each in catalog.volumes()]
    (learned,) = catalog.import_volumes([found]).volumes
    after = catalog.copies(), catalog.volumes(), [catalog.volume_files(each.label) for each in catalog.volumes()]
    assert (after, learned.state, learned.new_files) == (before, None, 0)
    return learned.contradiction


THREE = (
    volume("ND0001", part("ND0001", 1), part("ND0001", 2, fragment=1, continues=True)),
    volume("ND0002", part("ND0002", 1, fragment=1, section=2, first=("ND0001", 2), continues=True)),
    volume("ND0003", part("ND0003", 1, fragment=1, section=3, first=("ND0001", 2))),
)


def test_what_one_volume_tells(catalog: Catalog) -> None:
    expires = date(2027, 3, 1)
    files = [part("ND0001", n + 1, fragment=n, expires=expires) for n in (0, 1)]
    place = {"pool": "daily", "barcode": "ND0001L8", "media": "L8", "location": "lib slot 7"}
    lesson = add(catalog, volume("ND0001", *files, **place))
    (found,) = catalog.copies()
    assert lesson.copies == (found,)
    assert (found.id, found.number, found.job_id, found.state) == (COPY, 1, None, CopyState.WRITTEN)
    assert (found.algorithm, found.record_bytes, found.created) == (DigestAlgorithm.SHA256, RECORD, NOON)
    assert (found.tape_url, found.validated) == (TAPE, None)
    # To the end of the day.
    assert found.expires == datetime(2027, 3, 1, 23, 59, 59, tzinfo=UTC)
    told = [(one.index, one.name, one.size, one.digest, one.volume, one.file_sequence) for one in found.fragments]
    assert told == [(n, f"part{n}", 2 * RECORD, DIGEST, "ND0001", n + 1) for n in (0, 1)]
    image = found.image
    assert (image.host, image.unit, image.name, image.size, image.modified) == ("a", "lsu0", "etc.tar", 2**40, 1)
    known = on_volume(catalog)
    assert (known.state, known.files, known.size) == (VolumeState.APPENDABLE, 2, 4 * RECORD)
    assert (known.created, known.last_written, known.tape_url) == (NOON, NOON, TAPE)
    assert {name: getattr(known, name) for name in place} == place


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_volumes_in_any_order(catalog: Catalog, order: tuple[int, ...]) -> None:
    for number in order[:-1]:
        add(catalog, THREE[number])
        assert catalog.copy(COPY).state is CopyState.INCOMPLETE
        # What is there is kept for what is to come.
        assert catalog.free_volumes() == []
    lesson = add(catalog, THREE[order[-1]])
    (found,) = lesson.copies
    assert (found.state, found.volumes) == (CopyState.WRITTEN, ("ND0001", "ND0002", "ND0003"))
    assert [[each.offset for each in one.sections] for one in found.fragments] == [[0], [0, 2 * RECORD, 4 * RECORD]]
    assert [one.size for one in found.fragments] == [2 * RECORD, 6 * RECORD]
    states = [each.state for each in catalog.volumes()]
    assert states == [VolumeState.FULL, VolumeState.FULL, VolumeState.APPENDABLE]


def test_a_trial_changes_nothing(catalog: Catalog) -> None:
    lesson = catalog.import_volumes(THREE, dry_run=True)
    assert [copy.state for copy in lesson.copies] == [CopyState.WRITTEN]
    assert [learned.new_files for learned in lesson.volumes] == [2, 1, 1]
    assert (catalog.copies(), catalog.volumes()) == ([], [])


FIRST_TRY = (
    volume("ND0001", part("ND0001", 1), part("ND0001", 2, fragment=1, continues=True)),
    volume("ND0002", part("ND0002", 1, fragment=1, attempt=2, continues=True)),
    volume("ND0003", part("ND0003", 1, fragment=1, attempt=2, section=2, first=("ND0002", 1))),
)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_second_try(catalog: Catalog, order: tuple[int, ...]) -> None:
    lesson = add(catalog, *(FIRST_TRY[number] for number in order))
    (found,) = lesson.copies
    assert (found.state, found.volumes) == (CopyState.WRITTEN, ("ND0001", "ND0002", "ND0003"))
    assert [each.volume for each in found.fragments[1].sections] == ["ND0002", "ND0003"]
    assert [file.dead for file in catalog.volume_files("ND0001")] == [False, True]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_whole_tries_the_later_one_holds(catalog: Catalog, order: tuple[int, ...]) -> None:
    """A process died when the fragment was on tape, and before the catalog knew it."""
    both = (
        volume("ND0001", part("ND0001", 1), part("ND0001", 2, fragment=1)),
        volume("ND0002", part("ND0002", 1, fragment=1, attempt=2)),
    )
    add(catalog, *(both[number] for number in order))
    assert [one.volume for one in catalog.copy(COPY).fragments] == ["ND0001", "ND0002"]
    assert [file.dead for file in catalog.volume_files("ND0001")] == [False, True]


def test_a_later_try_that_is_not_whole(catalog: Catalog) -> None:
    add(
        catalog,
        volume("ND0001", part("ND0001", 1), part("ND0001", 2, fragment=1)),
        volume("ND0002", part("ND0002", 1, fragment=1, attempt=2, continues=True)),
    )
    found = catalog.copy(COPY)
    assert (found.state, found.volumes) == (CopyState.WRITTEN, ("ND0001",))
    assert [file.dead for file in catalog.volume_files("ND0002")] == [True]


def test_a_file_without_its_end(catalog: Catalog) -> None:
    """It is no file; its copy is known as one that came to nothing, so that the next job writes over it."""
    lost = part("ND0001", 2, copy_id=OTHER).header
    add(catalog, volume("ND0001", part("ND0001", 1), unfinished=lost))
    assert (on_volume(catalog).files, len(catalog.volume_files("ND0001"))) == (1, 1)
    assert (catalog.copy(OTHER).state, catalog.copy(OTHER).fragments) == (CopyState.INCOMPLETE, ())


def test_an_incomplete_copy_can_be_gone_on_with(catalog: Catalog) -> None:
    """Its fragments that are not whole begin again, and what there is of them becomes dead."""
    add(catalog, THREE[0])
    job = catalog.start_job(JobKind.DUPLICATE, image="", source="", target="")
    assert catalog.resume_copy(COPY, job) == 2
    assert [file.dead for file in catalog.volume_files("ND0001")] == [False, True]
    catalog.add_volume("ND0009", tape_url="")
    catalog.add_section(COPY, 1, "part1", section(1, 1, volume="ND0009"))
    catalog.commit_fragment(COPY, 1, 2 * RECORD, DIGEST)
    assert catalog.copy(COPY).volumes == ("ND0001", "ND0009")
    later = part("ND0009", 1, fragment=1, attempt=2)
    assert "a job is writing copy" in refused(catalog, THREE[1])
    catalog.set_copy_state(COPY, CopyState.VALID)
    add(catalog, volume("ND0009", later))
    assert catalog.copy(COPY).state is CopyState.VALID
    assert catalog.copy(COPY).volumes == ("ND0001", "ND0009")


def test_what_is_known_stays(catalog: Catalog) -> None:
    catalog.add_volume("ND0001", tape_url="", pool="weekly", location="vault")
    copy(catalog)
    catalog.add_fragments(COPY, [fragment(0, 1), fragment(1, 2)])
    catalog.set_copy_state(COPY, CopyState.VALID, validation="digest")
    before, there = catalog.copy(COPY), on_volume(catalog)
    files = [replace(part("ND0001", n + 1, fragment=n), size=100_000, digest=bytes(range(32))) for n in (0, 1)]
    lesson = add(catalog, volume("ND0001", *files, pool="daily", location="lib slot 1"))
    assert [learned.new_files for learned in lesson.volumes] == [0]
    assert catalog.copy(COPY) == before
    assert on_volume(catalog) == replace(there, tape_url=TAPE)
    # And again, when the labels are known too; and a file more, of another copy.
    more = part("ND0001", 3, copy_id=OTHER)
    add(catalog, volume("ND0001", *files), volume("ND0001", *files, more))
    assert catalog.copy(COPY) == before
    assert on_volume(catalog).files == 3
    assert catalog.copy(OTHER).state is CopyState.INCOMPLETE
    assert catalog.copy(OTHER).number == 2


def test_contradictions(catalog: Catalog) -> None:
    both = part("ND0001", 1), part("ND0001", 2, fragment=1)
    add(catalog, volume("ND0001", *both))
    cases = {
        "knows 2 files on volume ND0001, and the tape has 1": volume("ND0001", both[0]),
        "is section 1 of fragment 1 of copy": volume("ND0001", part("ND0001", 1, fragment=1), both[1]),
        "131000 bytes": volume("ND0001", replace(both[0], size=131_000), both[1]),
        "fragment 0 of copy 0f8fad5b-d9cb-469f-a165-70867728950e, try 1, is file 1 on volume ND0001 and also": volume(
            "ND0002", part("ND0002", 1)
        ),
        "image another of a/lsu0": volume("ND0003", part("ND0003", 1, image="another", attempt=2)),
        "records of 131072 bytes": volume("ND0004", part("ND0004", 1, record_bytes=2 * RECORD, attempt=2)),
        "3 fragments": volume("ND0005", part("ND0005", 1, fragments=3, copy_id=OTHER)),
        "a digest by XXH3_128": volume(
            "ND0006", replace(part("ND0006", 1, attempt=2), algorithm=DigestAlgorithm.XXH3_128)
        ),
        "the tape is tar archive": volume("ND0001", foreign="tar archive"),
    }
    for words, found in cases.items():
        assert words in refused(catalog, found), words
    catalog.set_copy_state(COPY, CopyState.VALID)
    later = volume("ND0007", part("ND0007", 1, attempt=2))
    assert "is valid, and a later try wrote fragment 0 of it: file 1 on volume ND0007" in refused(catalog, later)


def test_each_volume_stands_alone(catalog: Catalog) -> None:
    wrong = volume("ND0002", part("ND0002", 1, image="another"))
    lesson = catalog.import_volumes([volume("ND0001", part("ND0001", 1)), wrong, volume("ND0003")])
    assert [bool(learned.contradiction) for learned in lesson.volumes] == [False, True, False]
    assert [each.label for each in catalog.volumes()] == ["ND0001", "ND0003"]


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (volume("ND0001"), VolumeState.SCRATCH),
        (volume("ND0001", foreign="Amanda"), VolumeState.FOREIGN),
        (volume("ND0001", part("ND0001", 1)), VolumeState.APPENDABLE),
        (volume("ND0001", part("ND0001", 1, continues=True)), VolumeState.FULL),
        (volume("ND0001", part("ND0001", 1), is_partial=True), VolumeState.SUSPENDED),
        (replace(volume("ND0001", part("ND0001", 2)), count=2), VolumeState.SUSPENDED),
    ],
)
@pytest.mark.parametrize("known", [None, *VolumeState])
def test_states_of_volumes(
    catalog: Catalog, found: VolumeContents, state: VolumeState, known: VolumeState | None
) -> None:
    """A known state is changed only where it says less than the tape."""
    if known is not None:
        catalog.add_volume("ND0001", tape_url="", state=known)
    add(catalog, found)
    unknown_before = {None, VolumeState.SCRATCH, VolumeState.FOREIGN}
    expected = state if known in unknown_before or found.foreign else known
    if known is VolumeState.APPENDABLE and state in {VolumeState.FULL, VolumeState.SUSPENDED}:
        expected = state
    assert on_volume(catalog).state is expected
    assert catalog.free_volumes() == []


def test_a_part_that_cannot_be_read_is_never_free(catalog: Catalog) -> None:
    add(catalog, replace(volume("ND0001", part("ND0001", 2, copy_id=OTHER)), count=2))
    assert on_volume(catalog).files == 2
    catalog.expire_copy(OTHER)
    catalog.update_volume("ND0001", state=VolumeState.FULL)
    assert catalog.free_volumes() == []


def test_the_same_in_one_import_and_in_many(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('other')}/catalog.db"
    catalog.import_volumes(FIRST_TRY)
    with Catalog(url) as other:
        add(other, *reversed(FIRST_TRY), *FIRST_TRY)
        assert facts(other) == facts(catalog)


def test_a_volume_that_is_labelled_anew(catalog: Catalog) -> None:
    add(catalog, volume("ND0001", part("ND0001", 1), part("ND0001", 2, fragment=1)))
    catalog.expire_copy(COPY)
    assert catalog.free_volumes() == ["ND0001"]
    catalog.clear_volume("ND0001")
    add(catalog, volume("ND0001", part("ND0001", 1, copy_id=OTHER)))
    assert [file.copy_id for file in catalog.volume_files("ND0001")] == [OTHER]
    assert on_volume(catalog).state is VolumeState.APPENDABLE
