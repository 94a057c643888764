"""File history on its way to the application: each kind of entry, unknown fields, order, and not too much at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from ndmp.backends import FileAttributes, HistoryAdded, HistoryEntry, HistoryFile, HistoryNode
from ndmp.enums import AddressType, FileStatUnsupported, FileType, FsType
from ndmp.messages import data as d
from ndmp.messages import filehist as h
from tests.ndmp import hexes
from tests.ndmp.driver import ONES, Driver
from tests.ndmp.test_session_data_table import situation

PLAIN = FileAttributes(FileType.REG, size=1 << 33, mtime=1, atime=2, ctime=3, owner=4, group=5, mode=0o104755, links=6)
STAT = h.FileStat(
    FileStatUnsupported(0), FsType.UNIX, FileType.REG, 1, 2, 3, 4, 5, attributes=0o4755, size=1 << 33, links=6
)


@dataclass
class Added:
    """Entries, and whether they were taken."""

    entries: Sequence[HistoryFile] | Sequence[HistoryEntry] | Sequence[HistoryNode]
    taken: list[bool] = field(default_factory=list)

    @property
    def event(self) -> HistoryAdded:
        return HistoryAdded(self.entries, lambda: self.taken.append(True))


def posted(driver: Driver, *entries: HistoryFile | HistoryEntry | HistoryNode) -> list[object]:
    added = Added(entries)  # type: ignore[arg-type]
    posts = driver.happen(added.event)
    assert added.taken == [True]
    return list(posts)


def test_files_by_path() -> None:
    files = (HistoryFile("/a", PLAIN, 7, 1 << 32), HistoryFile("/d/\udcff", PLAIN, 0, None))
    expected = h.FhAddFile(
        (
            h.FhFile((h.UnixName("/a"),), (STAT,), node=7, fh_info=1 << 32),
            h.FhFile((h.UnixName("/d/\udcff"),), (STAT,), node=0, fh_info=ONES),
        )
    )
    for name in ("backup", "history"):
        assert posted(situation(name), *files) == [expected]


def test_files_by_node() -> None:
    driver = situation("backup")
    entries = (HistoryEntry(".", node=2, parent=2), HistoryEntry("..", node=2, parent=2), HistoryEntry("a", 3, 2))
    assert posted(driver, *entries) == [
        h.FhAddDir(
            (
                h.FhDir((h.UnixName("."),), node=2, parent=2),
                h.FhDir((h.UnixName(".."),), node=2, parent=2),
                h.FhDir((h.UnixName("a"),), node=3, parent=2),
            )
        )
    ]
    assert posted(driver, HistoryNode(3, PLAIN, None), HistoryNode(2, PLAIN, 0)) == [
        h.FhAddNode((h.FhNode((STAT,), node=3, fh_info=ONES), h.FhNode((STAT,), node=2, fh_info=0)))
    ]


def test_the_bytes_of_an_entry_with_unknown_fields() -> None:
    """Field order of draft 2.12; a host's third message after the greeting and three replies has number 5."""
    driver = situation("backup")
    driver.movers.paths[0].report(HistoryAdded([HistoryNode(2, FileAttributes(FileType.DIR, 5, 1), None)], list))
    assert driver.raw() == hexes.post(
        5,
        0x705,
        "00000001 00000001"
        " 00000007 00000000 00000000 00000001 ffffffff ffffffff 00000000 ffffffff 00000000 0000000000000005 00000001"
        " 0000000000000002 ffffffffffffffff",
    )


@pytest.mark.parametrize(
    ("seconds", "told"), [(-1, 0), (0, 0), (0xFFFFFFFE, 0xFFFFFFFE), (0xFFFFFFFF, 0xFFFFFFFE), (1 << 40, 0xFFFFFFFE)]
)
def test_a_time_that_the_wire_cannot_hold_is_the_nearest_one(seconds: int, told: int) -> None:
    odd = replace(PLAIN, mtime=seconds, atime=seconds, ctime=seconds)
    (post,) = posted(situation("backup"), HistoryNode(1, odd, 0))
    assert isinstance(post, h.FhAddNode)
    stat = post.nodes[0].stats[0]
    assert (stat.mtime, stat.atime, stat.ctime, stat.unsupported) == (told, told, told, 0)


def test_many_entries_are_several_posts_in_order() -> None:
    """An application bounds what it takes as one message: a mebibyte, here."""
    entries = [HistoryFile(f"/{number:04}" + "x" * 4000, PLAIN, number, None) for number in range(1000)]
    posts = posted(situation("backup"), *entries)
    files = [each for post in posts if isinstance(post, h.FhAddFile) for each in post.files]
    assert [each.node for each in files] == list(range(1000))
    assert 1 < len(posts) < 50
    assert posted(situation("backup")) == [], "none is nothing to post"


def test_history_is_taken_even_when_nobody_wants_it_any_more() -> None:
    """Whoever waits for it to be taken must not wait for ever."""
    late = Added([HistoryEntry("a", 1, 2)])
    driver = situation("backup")
    path = driver.movers.paths[0]
    path.report(late.event)
    driver.go(d.DataAbort())
    assert (driver.settle(), late.taken) == ([], [True])
    for step in (None, d.DataStop(), d.DataListen(AddressType.TCP)):
        if step:
            driver.go(step)
        late.taken.clear()
        path.report(late.event)
        assert (driver.settle(), late.taken) == ([], [True])


def test_history_keeps_its_place_among_the_posts() -> None:
    driver = situation("backup")
    path = driver.movers.paths[0]
    for number in range(3):
        path.report(HistoryAdded([HistoryEntry(str(number), number, 9)], lambda: None))
    posts = [post for post in driver.settle() if isinstance(post, h.FhAddDir)]
    assert [post.dirs[0].node for post in posts] == [0, 1, 2]
