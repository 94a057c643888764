"""Objects of applications in the catalog, on each database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from duplicator.catalog import Catalog, CatalogError, CopyState, ObjectQuery, ObjectState, StoredObject
from ndmp.enums import DigestAlgorithm
from tests.duplicator.catalog.facts import NOON, SECOND, new_object, script, start


def stored(catalog: Catalog, *paths: str, **given: object) -> list[StoredObject]:
    """Stored objects of these paths, a second after one another."""
    made = [
        new_object(catalog, path=path, **{"created": NOON + number * SECOND, **given})
        for number, path in enumerate(paths)
    ]
    catalog.store_objects({one.copy_id: (7, b"\1" * 16) for one in made})
    return [catalog.object(one.copy_id) for one in made]


def paths(catalog: Catalog, **query: object) -> list[str]:
    """The paths of what a query finds."""
    return [one.path for one in catalog.find_objects(ObjectQuery(**query))]  # type: ignore[arg-type]


def test_what_is_put_in_comes_out(catalog: Catalog) -> None:
    made = new_object(catalog, created=NOON + timedelta(milliseconds=900), restore_order=2**63)
    assert made == StoredObject(
        copy_id=1,
        state=ObjectState.PENDING,
        user="olga",
        host="client1",
        bsa_owner="",
        app_owner="app",
        space="db",
        path="/full/0001",
        copy_type=3,
        object_type=4,
        resource_type="ours",
        description="",
        info=b"\0\xff",
        created=NOON,
        estimated_size=2**64 - 1,
        restore_order=2**63,
        unit="unit1",
        image="0001.0000000000000001.xbsa",
        size=0,
        digest=b"",
        algorithm=DigestAlgorithm.XXH3_128,
        most_recent=False,
    )
    assert catalog.object(1) == made
    catalog.store_objects({1: (2**62, b"\1" * 16)})
    done = replace(made, state=ObjectState.STORED, size=2**62, digest=b"\1" * 16, most_recent=True)
    assert catalog.object(1) == done
    assert catalog.object_of("unit1", made.image) == done
    assert catalog.object_of("unit2", made.image) is None


NAMES = (
    ("/a/b", "b.0000000000000001.xbsa"),
    ("/a/b/", "b.0000000000000001.xbsa"),
    ("/", "object.0000000000000001.xbsa"),
    ("..", "object.0000000000000001.xbsa"),
    ("/x/.hidden file", "hidden_file.0000000000000001.xbsa"),
    ("Gr\u00fc\u00dfe\n", "Gr__e_.0000000000000001.xbsa"),
    ("n" * 1023, "n" * 100 + ".0000000000000001.xbsa"),
)


@pytest.mark.parametrize(("path", "image"), NAMES)
def test_names_of_images(catalog: Catalog, path: str, image: str) -> None:
    assert new_object(catalog, path=path).image == image


def test_copy_ids_are_not_given_again(catalog: Catalog) -> None:
    assert [new_object(catalog).copy_id for _ in range(3)] == [1, 2, 3]
    assert catalog.drop_objects([2, 3, 4]) == 2
    assert new_object(catalog).copy_id == 4
    for wrong in (0, 3, 5, 2**63, 2**64 - 1):
        with pytest.raises(CatalogError, match=f"there is no object {wrong}$"):
            catalog.object(wrong)


def test_a_transaction_is_stored_as_a_whole(catalog: Catalog) -> None:
    one, two = new_object(catalog), new_object(catalog)
    for wrong in (9, one.copy_id):
        kept = {one.copy_id: (1, b""), two.copy_id: (1, b"")} | {wrong: (1, b"")}
        if wrong == one.copy_id:
            catalog.store_objects({one.copy_id: (1, b"")})
        with pytest.raises(CatalogError, match=f"no object {wrong}" if wrong == 9 else "is stored already"):
            catalog.store_objects(kept)
        assert catalog.object(two.copy_id).state is ObjectState.PENDING


def test_names_that_are_taken(catalog: Catalog) -> None:
    """What lies there belongs to nobody's pending object, however it ends."""
    taken = [f"0001.{number:016x}.xbsa" for number in (1, 2, 4)]
    assert [new_object(catalog, is_free=lambda name: name not in taken).copy_id for _ in range(2)] == [3, 5]
    assert [one.object.copy_id for one in catalog.pending_objects()] == [3, 5]


def test_deleted_ones_and_their_copies(catalog: Catalog) -> None:
    """All at once: incomplete copies too, and nothing at all while a job writes one."""
    one, two = stored(catalog, "/a", "/b")
    copies = {}
    for found in (one, two):
        image = catalog.record_image(host="a", unit="u", name=found.image, size=7, modified=1, fragments=2)
        copies[found.copy_id] = catalog.start_copy(
            image_id=image.id, job_id=None, tape_url="", algorithm=DigestAlgorithm.NONE, record_bytes=1
        )
    catalog.set_copy_state(copies[one.copy_id], CopyState.INCOMPLETE)
    ids = [one.copy_id, two.copy_id]
    with pytest.raises(CatalogError, match="a job is writing copy"):
        catalog.delete_objects(ids, lambda copy, found: copy.image.name == found.image)
    assert [each.copy_id for each in catalog.find_objects(ObjectQuery())] == ids
    assert catalog.copy(copies[one.copy_id]).state is CopyState.INCOMPLETE
    catalog.set_copy_state(copies[two.copy_id], CopyState.FAILED)
    catalog.delete_objects(ids, lambda copy, found: found.path == "/a")
    assert [each.copy_id for each in catalog.deleted_objects()] == ids
    assert (catalog.find_objects(ObjectQuery()), catalog.pending_objects()) == ([], [])
    # Nothing of it is on a volume: it is forgotten.
    assert [copy.id for copy in catalog.copies()] == [copies[two.copy_id]]
    with pytest.raises(CatalogError, match="there is no object 1"):
        catalog.delete_objects([1], lambda copy, found: True)
    assert catalog.drop_objects(ids) == 2


def test_the_jobs_of_objects(catalog: Catalog) -> None:
    one, two = new_object(catalog, path="/a"), new_object(catalog, path="/b")
    job = start(catalog, image=one.image)
    catalog.store_objects({each.copy_id: (1, b"") for each in (one, two)}, job_id=job)
    other = start(catalog, image=two.image)
    start(catalog, image="else")
    assert catalog.jobs_of_objects([1, 2]) == {1: [job], 2: [job, other]}


def test_pending_ones_are_not_found(catalog: Catalog) -> None:
    new_object(catalog)
    assert catalog.find_objects(ObjectQuery()) == []
    assert [(one.object.copy_id, one.abandoned) for one in catalog.pending_objects()] == [(1, False)]


def test_pending_ones_of_a_dead_process(catalog: Catalog, url: str) -> None:
    new_object(catalog)
    with script(url, "print(new_object(catalog).copy_id, flush=True)\ninput()") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "2\n"
        assert [one.abandoned for one in catalog.pending_objects()] == [False, False]
        process.kill()
    pending = catalog.pending_objects()
    assert [(one.object.copy_id, one.pid == process.pid, one.abandoned) for one in pending] == [
        (1, False, False),
        (2, True, True),
    ]


def test_the_newest_of_its_kind(catalog: Catalog) -> None:
    old, other, new = stored(catalog, "/a", "/b", "/a")
    archived, elsewhere = stored(catalog, "/a", copy_type=2) + stored(catalog, "/a", host="client2")
    new_object(catalog, path="/a", created=NOON + timedelta(days=1))
    found = {one.copy_id: one.most_recent for one in catalog.find_objects(ObjectQuery())}
    ids = [one.copy_id for one in (old, other, new, archived, elsewhere)]
    assert found == dict(zip(ids, (False, True, True, True, True), strict=True))
    assert [one.copy_id for one in catalog.find_objects(ObjectQuery(most_recent=False))] == [old.copy_id]
    assert [one.copy_id for one in catalog.find_objects(ObjectQuery(most_recent=True))] == ids[1:]
    catalog.drop_objects([new.copy_id])
    assert catalog.object(old.copy_id).most_recent


def test_of_one_second_the_later_one_is_the_newest(catalog: Catalog) -> None:
    assert [one.most_recent for one in stored(catalog, "/a", "/a", created=NOON)] == [False, True]


PATTERNS: tuple[tuple[str, list[str]], ...] = (
    ("/a/*", ["/a/b", "/a/B", "/a/[x]", "/a/%", "/a/\\"]),
    ("/a/?", ["/a/b", "/a/B", "/a/%", "/a/\\"]),
    ("/A/*", []),
    ("/a/B", ["/a/B"]),
    ("*[x]", ["/a/[x]"]),
    ("/a/[?]", ["/a/[x]"]),
    ("*%", ["/a/%"]),
    ("*_", []),
    ("*\\", ["/a/\\"]),
    ("**", ["/a/b", "/a/B", "/a/[x]", "/a/%", "/a/\\", "\u00e9\n"]),
    ("??", ["\u00e9\n"]),
    ("", []),
    ("*" * 1000 + "b", ["/a/b"]),
)


def test_patterns(catalog: Catalog) -> None:
    stored(catalog, "/a/b", "/a/B", "/a/[x]", "/a/%", "/a/\\", "\u00e9\n")
    for pattern, found in PATTERNS:
        assert paths(catalog, path=pattern) == found, pattern


QUERIES: tuple[tuple[dict[str, object], list[str]], ...] = (
    ({"user": "olga"}, ["/1", "/2"]),
    ({"user": "ol*"}, []),
    ({"host": "client2"}, ["/3"]),
    ({"host": "*"}, []),
    ({"bsa_owner": "o*"}, ["/3"]),
    ({"app_owner": "app"}, ["/1", "/2"]),
    ({"space": "d?"}, ["/1", "/2"]),
    ({"resource_type": "ours", "description": "x*"}, ["/3"]),
    ({"copy_type": 2}, ["/3"]),
    ({"object_type": 4}, ["/1", "/2"]),
    ({"created_from": NOON + SECOND}, ["/2", "/3"]),
    ({"created_to": NOON + SECOND}, ["/1", "/2"]),
    ({"created_from": NOON + SECOND, "created_to": NOON + SECOND}, ["/2"]),
)


def test_queries(catalog: Catalog) -> None:
    stored(catalog, "/1", "/2")
    other = {"user": "ivan", "host": "client2", "bsa_owner": "one", "app_owner": "", "space": "db2"}
    stored(catalog, "/3", created=NOON + 2 * SECOND, description="x y", copy_type=2, object_type=2, **other)
    for query, found in QUERIES:
        assert paths(catalog, **query) == found, query


def test_pages(catalog: Catalog) -> None:
    stored(catalog, *"abcde")
    first = catalog.find_objects(ObjectQuery(), limit=3)
    second = catalog.find_objects(ObjectQuery(), after=first[-1].copy_id, limit=3)
    assert [one.path for one in (*first, *second)] == list("abcde")
    assert catalog.find_objects(ObjectQuery(), after=second[-1].copy_id) == []
    for last in (2**63 - 1, 2**64 - 1):
        assert catalog.find_objects(ObjectQuery(), after=last) == []


def test_learned_ones(catalog: Catalog) -> None:
    (known,) = stored(catalog, "/a")
    found = replace(known, copy_id=40, image="a.0000000000000028.xbsa", created=NOON - SECOND, estimated_size=2**64 - 1)
    assert catalog.learn_object(found) == replace(found, most_recent=False)
    assert catalog.object(40) == replace(found, most_recent=False)
    with pytest.raises(CatalogError, match="knows object 40 already"):
        catalog.learn_object(found)
    with pytest.raises(CatalogError, match="refuses this entry"):
        catalog.learn_object(replace(found, copy_id=41))
    assert catalog.learn_object(replace(found, copy_id=12, image="b")).copy_id == 12
    assert new_object(catalog).copy_id > 40


def test_text_that_no_database_has_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError):
        new_object(catalog, path="\udcff")
