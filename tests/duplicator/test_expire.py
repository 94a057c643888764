"""Copies end, their volumes are used again, and what is gone is neither restored nor listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from duplicator.catalog import Catalog, CopyState, VolumeState
from tests.duplicator.plain_tape import labelled_files, read_tap, user_text
from tests.duplicator.processes import Host, Site, site_in
from tests.duplicator.test_spanning import appliance

NOW = datetime.now(UTC)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def state(site: Site, label: str = "ND0001") -> tuple[VolumeState, int, int]:
    """A volume's state, files and generation."""
    with Catalog(site.catalog) as catalog:
        volume = catalog.volume(label)
        assert volume is not None
        return volume.state, volume.files, volume.generation


def duplicate(site: Site, source: Host, tape: Host, image: str) -> str:
    """Copy an image; its copy."""
    ended = site.duplicate(image, source=source.url("lsu"), target=tape.url("drive"))
    assert ended.code == 0, ended.err
    return str(ended.document["jobs"][0]["copy"])


def on_tape(site: Site) -> list[str]:
    """The copies of the tape files, by an independent reader."""
    tap = site.folder / "now.tap"
    tap.unlink(missing_ok=True)
    assert site.run("tape", f"virtual:{site.folder / 'ND0001'}", "export", tap).code == 0
    return [user_text(file.trailer, "UTL")["COPY"] for file in labelled_files(read_tap(tap))[1]]


def expire(site: Site, *words: str) -> Any:  # noqa: ANN401
    """What `expire` did."""
    return site.ask("expire", *words)


def test_a_volume_is_used_again(site: Site) -> None:
    source, _ = appliance(site, {"a": [100_000], "b": [3]})
    tape = site.serve("--tape", f"drive=virtual:{site.folder / 'ND0001'}?capacity=8M&sync=no")
    first, second = (duplicate(site, source, tape, image) for image in "ab")
    assert expire(site) == {"expired": [], "freed": [], "forgotten": [], "dry_run": False}
    with Catalog(site.catalog) as catalog:
        catalog.set_expiry(first, NOW - timedelta(seconds=1))
        catalog.set_expiry(second, NOW + timedelta(days=1))
    # A volume with a live copy is none that is free.
    assert expire(site) == {"expired": [first], "freed": [], "forgotten": [], "dry_run": False}
    assert state(site) == (VolumeState.APPENDABLE, 2, 1)
    done = {"expired": [second], "freed": ["ND0001"], "forgotten": []}
    assert expire(site, "--copy", second[:8], "--dry-run") == done | {"dry_run": True}
    assert state(site) == (VolumeState.APPENDABLE, 2, 1)
    assert expire(site, "--copy", second[:8]) == done | {"dry_run": False}
    assert state(site) == (VolumeState.SCRATCH, 2, 1)
    assert on_tape(site) == [first, second]
    for command in (["restore", first, "--to", site.folder / "back"], ["verify", first]):
        option = "--from-password-file" if command[0] == "restore" else "--password-file"
        refused = site.run(*command, option, site.password, "--json")
        assert (refused.code, refused.document["jobs"][0]["status"]) == (1, 147), refused.err
        assert f"copy {first} is expired: its volumes are free for others" in refused.err
    with Catalog(site.catalog) as catalog:
        assert catalog.copy(first).state is CopyState.EXPIRED
    third = duplicate(site, source, tape, "a")
    assert on_tape(site) == [third]
    assert state(site) == (VolumeState.APPENDABLE, 1, 2)
    assert expire(site) == {"expired": [], "freed": [], "forgotten": [first, second], "dry_run": False}
    assert [copy["copy"] for copy in site.ask("copies")["copies"]] == [third]
    gone = site.run("restore", first, "--to", site.folder / "back", "--from-password-file", site.password)
    assert (gone.code, f"no copy has an id that begins with '{first}'" in gone.err) == (2, True)
    assert not (site.folder / "back").exists()
    source.wait_until_idle()
    tape.wait_until_idle()


def test_words(site: Site) -> None:
    assert site.run("expire").out == "nothing is due\n"
    unknown = site.run("expire", "--copy", "3f2a")
    assert (unknown.code, "no copy has an id that begins with '3f2a'" in unknown.err) == (2, True)
