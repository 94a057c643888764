"""DirectCopy: a copy on tape goes to another tape, from one tape server's mover to another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from duplicator.catalog import Catalog, Copy, CopyState
from duplicator.sources import FileServiceSource, TapeSource
from duplicator.status import Status
from tests.duplicator.processes import Host
from tests.duplicator.robots import DEADLINES, RobotSupply, library_server, place, volume_name
from tests.duplicator.sources.bench import Bench
from tests.duplicator.test_spanning import appliance, check_on_tape, volumes

SIZES = [100_001, 1_500_000, 0, 700_000]


def names(first: int, last: int) -> Sequence[str]:
    """Labels of volumes, the last one too."""
    return [volume_name(number) for number in range(first, last + 1)]


def first_copy(bench: Bench, sizes: list[int], record: int) -> tuple[Copy, list[bytes], Host]:
    """An image on volumes of 1 MB in the first drive of a library; its appliance is gone."""
    source, contents = appliance(bench.site, {"big": sizes})
    server = library_server(bench.site, cartridges=7, capacity="1M", drives=2)
    by_robot = RobotSupply(bench.site, server, names(1, 4))
    by = FileServiceSource(place(bench.site, source.url("lsu")), "big", DEADLINES)
    made = bench.run(server.url("lib.drive0"), by, supply=by_robot, record=record)
    copy = bench.copy(made)
    source.stop()
    return copy, contents["big"], server


def test_a_copy_over_volumes_goes_to_other_volumes(bench: Bench) -> None:
    """The source changes volumes, and so does the target, elsewhere; the copy's record size is the new copy's too."""
    old, contents, server = first_copy(bench, SIZES, 10240)
    assert len(old.volumes) == 3
    by = TapeSource(
        old, place(bench.site, server.url("lib.drive0")), DEADLINES, supply=RobotSupply(bench.site, server, [])
    )
    into = RobotSupply(bench.site, server, names(5, 7), drive=1)
    made = bench.run(server.url("lib.drive1"), by, supply=into, record=65536)
    new = bench.copy(made)
    assert made.validated
    assert (new.state, new.number, new.record_bytes) == (CopyState.VALID, 2, 10240)
    assert (new.image, new.volumes) == (old.image, tuple(names(5, 7)))
    assert [fragment.digest for fragment in new.fragments] == [fragment.digest for fragment in old.fragments]
    check_on_tape(volumes(bench.site, 7), new, contents, 10240)
    server.wait_until_idle()


def test_only_a_copy_that_is_whole_is_copied(bench: Bench) -> None:
    """A copy that failed is refused before anything is mounted; one whose labels are not there, without harm to it."""
    old, _, server = first_copy(bench, [1000], 10240)
    origin = place(bench.site, server.url("lib.drive0"))
    into = RobotSupply(bench.site, server, names(5, 7), drive=1)
    made = bench.run(server.url("lib.drive1"), TapeSource(replace(old, state=CopyState.FAILED), origin, DEADLINES))
    assert (made.status, made.step) == (Status.COPY_NOT_FOUND, "check image")
    assert "is failed" in made.reason

    (fragment,) = old.fragments
    (section,) = fragment.sections
    wrong = replace(old, fragments=(replace(fragment, sections=(replace(section, blocks=2),)),))
    made = bench.run(server.url("lib.drive1"), TapeSource(wrong, origin, DEADLINES), supply=into)
    assert (made.status, made.step) == (Status.MEDIA_READ_ERROR, "move data")
    assert "the copy to be copied: the trailer labels of file 1 on volume VT0001 disagree" in made.reason
    with Catalog(bench.site.catalog) as catalog:
        assert catalog.copy(old.id).state is CopyState.VALID
        volume = catalog.volume(volume_name(5))
        assert volume is not None
        assert volume.files == 0
    server.wait_until_idle()
