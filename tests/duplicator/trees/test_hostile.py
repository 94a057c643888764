"""Archives made to write outside, to exhaust or to confuse: nothing leaves the destination."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ndmp.backends import WantedPath
from tests.duplicator.trees.scene import OK, Recovery, Scene, picture, tmpfs

Member = tuple[str, bytes, str, bytes]
"""Name, type, target of a link, bytes."""
FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def archive(members: Sequence[Member], **records: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, target, body in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size, member.mode = kind, target, len(body), 0o755
            member.pax_headers = {key.replace("_", "."): value for key, value in records.items()}
            tar.addfile(member, io.BytesIO(body))
    return made.getvalue()


@pytest.fixture
def guarded(scene: Scene) -> Scene:
    """``tree/place`` is where things go; nothing else may change."""
    scene.place()
    (scene.folder / "outside").mkdir()
    (scene.folder / "outside" / "secret").write_bytes(b"secret")
    (scene.folder / "outside" / "secret").chmod(0o600)
    (scene.tree / "neighbour").write_bytes(b"neighbour")
    return scene


ESCAPES: Sequence[Callable[[str], Sequence[Member]]] = (
    lambda out: [("../neighbour", FILE, "", b"evil")],
    lambda out: [("./a/../../neighbour", FILE, "", b"evil")],
    lambda out: [(f"{out}/secret", FILE, "", b"evil")],
    lambda out: [("../../outside", FOLDER, "", b"")],
    lambda out: [("..", FOLDER, "", b"")],
    lambda out: [("link", LINK, out, b""), ("link/secret", FILE, "", b"evil")],
    lambda out: [("link", LINK, out, b""), ("link", FOLDER, "", b""), ("link/new", FILE, "", b"evil")],
    lambda out: [("link", LINK, "../..", b""), ("link/outside/secret", FILE, "", b"evil")],
    lambda out: [("link", LINK, f"{out}/secret", b""), ("link", FILE, "", b"evil")],
    lambda out: [("link", LINK, f"{out}/secret", b""), ("hard", HARD, "link", b""), ("hard", FILE, "", b"evil")],
    lambda out: [("hard", HARD, f"{out}/secret", b""), ("hard", FILE, "", b"evil")],
    lambda out: [("hard", HARD, "../neighbour", b""), ("hard", FILE, "", b"evil")],
    lambda out: [("link", LINK, out, b""), ("hard", HARD, "link/secret", b"")],
    lambda out: [
        ("a", LINK, "b", b""),
        ("b", LINK, out, b""),
        ("a/c", LINK, "x", b""),
        ("a/d", tarfile.FIFOTYPE, "", b""),
    ],
    lambda out: [("d", FOLDER, "", b""), ("d/e", FOLDER, "", b""), ("d", LINK, out, b""), ("d/e", FOLDER, "", b"")],
    lambda out: [("a", FILE, "", b""), *[("b", HARD, "a", b"")] * 2, ("a", HARD, "a", b"")],
    lambda out: [("a\0b", FILE, "", b"evil"), ("x\n/../../../y", FILE, "", b"evil")],
)


@pytest.mark.parametrize("number", range(len(ESCAPES)))
@pytest.mark.parametrize("butype", ["tar", "dump"])
def test_nothing_is_written_outside(guarded: Scene, number: int, butype: str) -> None:
    place, outside = guarded.tree / "place", guarded.folder / "outside"
    before = picture(outside), picture(guarded.tree / "neighbour")
    stream = archive(ESCAPES[number](str(outside)))
    guarded.recover(stream, guarded.all_to(place), butype, EXTRACT="n")
    assert (picture(outside), picture(guarded.tree / "neighbour")) == before
    assert (outside / "secret").stat().st_nlink == 1
    assert sorted(os.listdir(guarded.folder)) == ["dates", "outside", "tree"]
    assert sorted(os.listdir(guarded.tree)) == ["neighbour", "place", "source"]
    assert not [name for _, _, names in os.walk(place) for name in names if name.startswith(".ndmpdup")]


def test_a_link_in_the_destination_is_not_followed_to_purge(guarded: Scene) -> None:
    (guarded.tree / "place" / "link").symlink_to(guarded.folder / "outside")
    stream = archive([(".", FOLDER, "", b""), ("link", FOLDER, "", b"")], GNU_dumpdir="Dlink\0\0")
    guarded.recover(stream, guarded.all_to(guarded.tree / "place"), "dump", EXTRACT="n")
    assert (guarded.folder / "outside" / "secret").exists()


def test_a_purge_removes_a_link_and_not_what_it_leads_to(guarded: Scene) -> None:
    (guarded.tree / "place" / "link").symlink_to(guarded.folder / "outside")
    stream = archive([(".", FOLDER, "", b"")], GNU_dumpdir="\0")
    guarded.recover(stream, guarded.all_to(guarded.tree / "place"), "dump", EXTRACT="n")
    assert os.listdir(guarded.tree / "place") == []
    assert (guarded.folder / "outside" / "secret").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting is root's")
def test_a_purge_ends_where_another_file_system_begins(guarded: Scene) -> None:
    mounted = guarded.tree / "place" / "gone" / "deeper" / "mounted"
    mounted.mkdir(parents=True)
    (guarded.tree / "place" / "file").write_bytes(b"x")
    stream = archive([(".", FOLDER, "", b"")], GNU_dumpdir="\0")
    with tmpfs(mounted):
        (mounted / "kept").write_bytes(b"kept")
        found = guarded.recover(stream, guarded.all_to(guarded.tree / "place"), "dump", EXTRACT="n")
        assert (mounted / "kept").read_bytes() == b"kept"
    assert "/gone: another file system is there or below" in found.text()
    assert not (guarded.tree / "place" / "file").exists()


NUMBERS = (
    {"uid": "4294967295"},
    {"uid": "-1"},
    {"gid": "99999999999999999999"},
    {"mtime": "9" * 11},
    {"mtime": "1e400"},
    {"mtime": "nan"},
    {"mtime": "-99999999999.999999999"},
    {"comment": "ndmpdup node=" + "9" * 5000},
    {"comment": "ndmpdup node=1 entries=1,,x,\u0663"},
    {"SCHILY_xattr_user_x\0y": "v"},
    {"SCHILY_xattr_nonsense": "v"},
    {"path": "a\0b"},
)


@pytest.mark.parametrize("records", NUMBERS)
def test_impossible_numbers_are_one_file_s_failure_at_most(guarded: Scene, records: dict[str, str]) -> None:
    good = archive([("good", FILE, "", b"good")])
    stream = archive([("bad", FILE, "", b"bad")], **records)
    end = stream.rstrip(b"\0")
    joined = end + bytes(-len(end) % 512) + good
    channel = guarded.recover(joined, guarded.all_to(guarded.tree / "place"))
    assert (guarded.tree / "place" / "good").read_bytes() == b"good"
    told = Recovery(stream=joined)
    guarded.backend.recover_history("tar", {"HIST": "f"}, [WantedPath("", "")])(told)
    assert channel.outcomes


BROKEN = (
    {"size": "-512"},
    {"size": "-1"},
    {"GNU_sparse_major": "1", "GNU_sparse_minor": "0", "GNU_sparse_realsize": "10"},
    {"GNU_sparse_map": "0,3,1,2", "GNU_sparse_size": "3"},
    {"GNU_sparse_map": "-5,3", "GNU_sparse_size": "3"},
    {"GNU_sparse_map": "0,-3", "GNU_sparse_size": "3"},
    {"GNU_sparse_map": "x", "GNU_sparse_size": "3"},
)


@pytest.mark.parametrize("records", BROKEN)
def test_lengths_that_contradict_each_other_end_the_recovery(guarded: Scene, records: dict[str, str]) -> None:
    stream = archive([("bad", FILE, "", b"bad"), ("next", FILE, "", b"next")], **records)
    channel = Recovery(stream=stream)
    run = guarded.backend.recover("tar", {}, guarded.all_to(guarded.tree / "place"))
    with pytest.raises(Exception, match=r"archive|not in order|has -\d+ bytes"):
        run(channel)
    assert [status for _, status in channel.outcomes] != [OK]


def test_a_header_that_claims_gigabytes_is_refused_before_they_are_read(guarded: Scene) -> None:
    huge = tarfile.TarInfo("././@PaxHeader")
    huge.type, huge.size = tarfile.XHDTYPE, 8_000_000_000
    channel = Recovery(stream=huge.tobuf(tarfile.USTAR_FORMAT) + bytes(1_000_000))
    run = guarded.backend.recover("tar", {}, guarded.all_to(guarded.tree / "place"))
    with pytest.raises(Exception, match="headers of more than 67108864 bytes"):
        run(channel)


def test_headers_without_end(guarded: Scene) -> None:
    empty = tarfile.TarInfo("././@PaxHeader")
    empty.type = tarfile.XHDTYPE
    channel = Recovery(stream=empty.tobuf(tarfile.USTAR_FORMAT) * 5000)
    run = guarded.backend.recover("tar", {}, guarded.all_to(guarded.tree / "place"))
    with pytest.raises(Exception, match="no archive"):
        run(channel)


def test_a_sparse_file_of_exabytes_fails_alone(guarded: Scene) -> None:
    records = {"GNU_sparse_map": "0,3", "GNU_sparse_size": str(1 << 62)}
    stream = archive([("huge", FILE, "", b"bad")], **records)
    channel = guarded.recover(stream, guarded.all_to(guarded.tree / "place"))
    assert channel.outcomes[0][1] != OK
    assert list((guarded.tree / "place").iterdir()) == []


def test_strange_kinds_of_members_are_told_of(guarded: Scene) -> None:
    stream = archive([("label", b"V", "", b""), ("good", FILE, "", b"good")])
    channel = guarded.recover(stream, guarded.all_to(guarded.tree / "place"))
    assert "/label: members of type b'V'" in channel.text()
    assert (guarded.tree / "place" / "good").read_bytes() == b"good"


def test_folders_are_reached_without_links_even_if_they_were_real_before(guarded: Scene, tmp_path: Path) -> None:
    """The directory used last is kept open: what replaces it in the meantime is not entered."""
    stream = archive(
        [("d/a", FILE, "", b"a"), ("d", LINK, str(guarded.folder / "outside"), b""), ("d/b", FILE, "", b"b")]
    )
    guarded.recover(stream, guarded.all_to(guarded.tree / "place"))
    assert sorted(os.listdir(guarded.folder / "outside")) == ["secret"]
