"""Which way is taken, and what a job tells of those that are not open."""

from __future__ import annotations

from collections.abc import Collection

from duplicator.catalog import Catalog, CopyState
from duplicator.plan import JobResult, Route, SourceSpec, StorageUnit, TapeCopy
from duplicator.recorder import Recorder
from duplicator.routes import choose
from duplicator.sources import FileServiceSource, Source
from duplicator.status import Status
from tests.duplicator.robots import DEADLINES, place
from tests.duplicator.sources.bench import Bench
from tests.duplicator.test_end_to_end import agree
from tests.duplicator.test_spanning import noise

CONTENT = noise(300_001, "one")


def run(
    bench: Bench,
    spec: SourceSpec,
    target: str,
    *,
    allowed: Collection[Route] = tuple(Route),
    direct: Source | None = None,
) -> JobResult:
    """Copy image ``one`` by the way that is chosen."""

    async def chosen(recorder: Recorder) -> Source:
        there = place(bench.site, target)
        with Catalog(bench.site.catalog) as catalog:
            return await choose(
                *(spec, "one", there, recorder),
                catalog=catalog,
                deadlines=DEADLINES,
                allowed=allowed,
                direct=direct,
            )

    return bench.run(target, chosen)


def unit(bench: Bench) -> str:
    """The option of a host with image ``one``."""
    folder = bench.site.folder / "unit"
    folder.mkdir()
    (folder / "one").write_bytes(CONTENT)
    return f"lsu={folder}"


def tape(bench: Bench, name: str = "T1") -> str:
    """The option of a tape server."""
    return f"drive=virtual:{bench.site.folder / name}?capacity=64M"


def test_host_to_host_if_that_is_open(bench: Bench) -> None:
    both = bench.site.serve("--lsu", unit(bench), "--tape", tape(bench))
    made = run(bench, StorageUnit(place(bench.site, both.url("lsu"))), both.url("drive"))
    assert bench.copy(made).route == "direct"
    assert bench.said("direct: this way is taken")
    assert bench.said("source and tape are both on 127.0.0.1: host to host, the data does not leave it")


def test_through_this_process_if_the_hosts_do_not_reach_each_other(bench: Bench) -> None:
    """The appliance may only speak to this machine; no byte was moved, so the job goes on, on the same tape file."""
    appliance = bench.site.serve("--lsu", unit(bench), "--data-peer", "127.0.0.1/32")
    server = bench.site.serve("--tape", tape(bench), "--data-address", "127.0.0.2")
    source = StorageUnit(place(bench.site, appliance.url("lsu")))
    made = run(bench, source, server.url("drive"))
    copy = bench.copy(made)
    assert (copy.state, copy.route) == (CopyState.VALID, "traditional")
    assert (copy.fragments[0].file_sequence, copy.fragments[0].size) == (1, len(CONTENT))
    assert bench.said("direct: this way is not open: appliance")
    assert bench.said("it does not reach 127.0.0.2 port")
    assert bench.said("traditional: this way is taken")

    made = run(bench, source, server.url("drive"), allowed=[Route.DIRECT])
    assert (made.status, made.step) == (Status.CONNECTION_BROKEN, "read side: set up mover")
    assert "it does not reach 127.0.0.2" in made.reason
    assert bench.said("traditional: not allowed by the policy")
    for host in (appliance, server):
        host.wait_until_idle()


def test_from_a_local_path_if_there_is_no_file_service(bench: Bench) -> None:
    """Without one, or without any host; with no local path it is told what is missing, and the tape is not touched."""
    folder = unit(bench).partition("=")[2]
    bare = bench.site.serve("--tree", folder)
    server = bench.site.serve("--tape", tape(bench))
    origin = place(bench.site, bare.url("lsu"))
    made = run(bench, StorageUnit(origin), server.url("drive"))
    assert (made.status, made.step) == (Status.NO_STORAGE_UNIT, "check file service extension")
    assert "does not offer" in made.reason or "cannot be asked" in made.reason
    assert (bench.site.folder / "T1.data").read_bytes() == b""

    local = StorageUnit(origin, bench.site.folder / "unit")
    made = run(bench, local, server.url("drive"))
    assert bench.copy(made).route == "traditional"
    assert bench.said("direct: this way is not open: host 127.0.0.1")
    bare.stop()
    made = run(bench, local, server.url("drive"))
    assert bench.copy(made).state is CopyState.VALID

    # Where another process speaks to the appliance, this one does not try to.
    elsewhere = FileServiceSource(origin, "one", DEADLINES)
    made = run(bench, StorageUnit(origin), server.url("drive"), direct=elsewhere)
    assert (made.status, made.step) == (Status.CONNECT_TIMED_OUT, "check image")
    assert not bench.said("this way is not open")
    assert bench.copy(run(bench, local, server.url("drive"), direct=elsewhere)).route == "traditional"


def test_an_image_that_is_not_there_is_not_looked_for_elsewhere(bench: Bench) -> None:
    both = bench.site.serve("--lsu", unit(bench), "--tape", tape(bench))
    (bench.site.folder / "unit" / "one").unlink()
    source = StorageUnit(place(bench.site, both.url("lsu")), bench.site.folder / "unit")
    made = run(bench, source, both.url("drive"))
    assert (made.status, made.step) == (Status.NOTHING_MATCHES, "check image")
    assert not bench.said("traditional: this way is taken")


def test_tape_to_tape(bench: Bench) -> None:
    """Two drives; one alone is refused, and so is a policy without that way."""
    host = bench.site.serve("--lsu", unit(bench), "--tape", tape(bench), "--tape", "d2=" + tape(bench, "T2")[6:])
    first = bench.copy(run(bench, StorageUnit(place(bench.site, host.url("lsu"))), host.url("drive")))
    source = TapeCopy(first.id[:8], place(bench.site, host.url("drive")))
    second = bench.copy(run(bench, source, host.url("d2")))
    assert (second.state, second.route, second.number) == (CopyState.VALID, "directcopy", 2)
    made = run(bench, source, host.url("drive"))
    assert (made.status, made.step) == (Status.NO_DRIVES, "prepare")
    made = run(bench, source, host.url("d2"), allowed=[Route.DIRECT])
    assert (made.status, made.step) == (Status.NO_STORAGE_UNIT, "prepare")
    assert "needs directcopy or traditional" in made.reason


def test_tape_to_tape_through_this_process(bench: Bench) -> None:
    """The tape servers do not reach each other; a bit that has changed on the old tape is found on the way."""
    first = bench.site.serve("--lsu", unit(bench), "--tape", tape(bench), "--data-peer", "127.0.0.1/32")
    other = bench.site.serve("--tape", tape(bench, "T2"), "--data-address", "127.0.0.2")
    old = bench.copy(run(bench, StorageUnit(place(bench.site, first.url("lsu"))), first.url("drive")))
    source = TapeCopy(old.id, place(bench.site, first.url("drive")))
    new = bench.copy(run(bench, source, other.url("drive")))
    assert (new.state, new.route, new.number) == (CopyState.VALID, "traditional", 2)
    assert bench.said("directcopy: this way is not open: source")

    cartridge = bench.site.folder / "T1.data"
    content = bytearray(cartridge.read_bytes())
    content[content.index(CONTENT[200_000:200_100])] ^= 1
    cartridge.write_bytes(content)
    agree(bench.site.folder / "T1")
    made = run(bench, source, other.url("drive"))
    assert (made.status, made.step) == (Status.MEDIA_READ_ERROR, "move data")
    assert "the copy to be copied gave" in made.reason
    with Catalog(bench.site.catalog) as catalog:
        volume = catalog.volume(new.volumes[0])
        assert volume is not None
        assert volume.files == 1
    for host in (first, other):
        host.wait_until_idle()
