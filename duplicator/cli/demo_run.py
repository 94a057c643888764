"""The steps of the demo."""

from __future__ import annotations

import filecmp
import os
import secrets
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import typer

from duplicator.catalog import Catalog
from duplicator.cli.batch import Batch
from duplicator.cli.children import host_process
from duplicator.cli.demo_images import DEMO_BYTES, make_images
from duplicator.cli.duplicate_urls import copy_images
from duplicator.cli.endings import Interrupted
from duplicator.cli.jobs import job_table
from duplicator.cli.restore import bring_back
from duplicator.cli.tape_map import STOPS_AT, map_rows, read_map
from duplicator.cli.terminal import plain, print_table, rate_text, say, size_text
from duplicator.credentials import read_password_file
from duplicator.plan import DEFAULT_RECORD_BYTES, CopyRequest, JobResult, Place, RestoreRequest
from duplicator.status import ExitCode
from duplicator.urls import HostPort, NdmpUrl

__all__ = ["run_demo"]

_USER: Final = "demo"
_UNIT: Final = "unit1"
_DRIVE: Final = "drive1"
_VOLUME: Final = "ND0001"
_RESTORED: Final = "parts.tar"
_ROOM_FACTOR: Final = 3
"""Room needed: the images, their copies, and one that comes back."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """Where the demo keeps what."""

    root: Path

    @property
    def unit(self) -> Path:
        return self.root / "images"

    @property
    def cartridge(self) -> Path:
        return self.root / "tapes" / _VOLUME

    @property
    def restored(self) -> Path:
        return self.root / "restored"

    @property
    def password(self) -> Path:
        return self.root / "password"

    @property
    def catalog_url(self) -> str:
        return f"sqlite:///{self.root.absolute() / 'catalog.sqlite'}"

    def host_options(self, what: str, value: str) -> list[str]:
        return ["--user", _USER, "--password-file", str(self.password), what, value]

    @property
    def appliance_options(self) -> list[str]:
        return self.host_options("--lsu", f"{_UNIT}={self.unit}")

    @property
    def tape_server_options(self) -> list[str]:
        return self.host_options("--tape", f"{_DRIVE}=virtual:{self.cartridge}?capacity=4G")


@dataclass(frozen=True, slots=True)
class _Places:
    unit: Place
    drive: Place


def run_demo(directory: Path | None, *, keep: bool) -> None:
    """All of it; ends the command with exit code 1 if anything is not proven."""
    with _signals_interrupt(), _folder(directory, keep=keep) as folder:
        images = _make_images(folder)
        with ExitStack() as hosts:
            places = _start_hosts(folder, hosts)
            batch = _duplicate(images, places, folder)
            batch.end()
            restored = _restore(batch.results, places, folder)
        say("both hosts have ended")
        proven = restored and len(batch.results) == len(images) and all(result.validated for result in batch.results)
        if keep:
            _show_next_steps(folder, places, batch.results)
        say()
        say("all copies are validated" if proven else "NOT ALL COPIES ARE VALIDATED")
        if not proven:
            raise typer.Exit(ExitCode.FAILED)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does, so that the hosts end."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


@contextmanager
def _folder(directory: Path | None, *, keep: bool) -> Iterator[_Folder]:
    """A new folder in ``directory``, removed at the end unless it is kept."""
    if directory:
        directory.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="ndmpdup-demo-", dir=directory))
    try:
        needed = DEMO_BYTES * _ROOM_FACTOR
        if (free := shutil.disk_usage(root).free) < needed:
            room = f"{root} has room for {size_text(free)}, and {size_text(needed)} are needed"
            raise OSError(f"{room}: name another place by --dir")
        yield _Folder(root)
    finally:
        if keep:
            say(f"kept: {root}")
        else:
            shutil.rmtree(root)


def _make_images(folder: _Folder) -> list[str]:
    say("1. images of this machine's own files")
    for path in (folder.unit, folder.cartridge.parent, folder.restored):
        path.mkdir()
    folder.password.touch(mode=0o600)
    folder.password.write_text(f"{secrets.token_urlsafe(24)}\n")
    began = time.monotonic()
    names = make_images(folder.unit, record_bytes=DEFAULT_RECORD_BYTES)
    rows = []
    for name in names:
        sizes = _fragment_sizes(folder.unit / name)
        remainder = sum(sizes) % DEFAULT_RECORD_BYTES
        rows.append((name, f"{sum(sizes):,}", " + ".join(f"{size:,}" for size in sizes), f"{remainder:,}"))
    print_table(("image", "bytes", "in fragments of", "bytes past a 64K record"), rows, right=("bytes",))
    say(f"made in {time.monotonic() - began:.1f} s in {folder.unit}")
    say()
    return names


def _fragment_sizes(image: Path) -> list[int]:
    files = sorted(image.iterdir()) if image.is_dir() else [image]
    return [file.stat().st_size for file in files]


def _start_hosts(folder: _Folder, hosts: ExitStack) -> _Places:
    say("2. an appliance and a tape server, each a process of its own")
    appliance = hosts.enter_context(host_process(folder.root, "appliance", folder.appliance_options))
    tape_server = hosts.enter_context(host_process(folder.root, "tape-server", folder.tape_server_options))
    places = _Places(_place(appliance, _UNIT, folder), _place(tape_server, _DRIVE, folder))
    say(f"appliance    {places.unit.url}")
    say(f"tape server  {places.drive.url}")
    say()
    return places


def _place(address: HostPort, path: str, folder: _Folder) -> Place:
    return Place(NdmpUrl(_USER, address.host, address.port, path), read_password_file(folder.password))


def _duplicate(images: Sequence[str], places: _Places, folder: _Folder) -> Batch:
    say("3. duplicate and validate; the data goes from host to host, not through this process")
    requests = [CopyRequest(image, places.unit, places.drive, volume=_VOLUME) for image in images]
    began = time.monotonic()
    batch = copy_images(requests, folder.catalog_url)
    seconds = time.monotonic() - began
    if batch.interrupted:
        batch.end()
    with Catalog(folder.catalog_url) as catalog:
        job_table(catalog.jobs())
    say()
    say("4. the tape")
    found = read_map(folder.cartridge)
    headings, rows = map_rows(found)
    print_table(headings, rows, right=STOPS_AT)
    say()
    say("5. throughput and validation")
    _show_throughput(batch.results, whole_seconds=seconds)
    say()
    return batch


def _show_throughput(results: Sequence[JobResult], *, whole_seconds: float) -> None:
    rows = [
        (
            result.image,
            size_text(result.size),
            f"{result.move_seconds:.2f} s",
            rate_text(result.size, result.move_seconds),
            "read back from tape, equal" if result.validated else "NOT VALIDATED",
        )
        for result in results
    ]
    size, seconds = sum(r.size for r in results), sum(r.move_seconds for r in results)
    rows.append(("all", size_text(size), f"{seconds:.2f} s", rate_text(size, seconds), ""))
    print_table(("image", "size", "data flowed for", "rate", "copy"), rows, right=("size", "rate"))
    say("Measured: wall time in which data flowed, over loopback TCP, from files that this machine may have in its")
    say("cache to a virtual tape in files. Labels, the tape's sync to disk and the validation come on top: all jobs")
    say(f"together took {whole_seconds:.1f} s of wall time, {rate_text(size, whole_seconds)}.")


def _restore(results: Sequence[JobResult], places: _Places, folder: _Folder) -> bool:
    """Bring one image back; whether it equals its source."""
    say(f"6. restore {_RESTORED}, and compare it with its source")
    copy_id = next((result.copy_id for result in results if result.image == _RESTORED), None)
    if copy_id is None:
        return False
    request = RestoreRequest(copy_id, places.drive, folder.restored)
    bring_back(request, folder.catalog_url, title=_RESTORED).end()
    equal = _equal(folder.unit / _RESTORED, folder.restored / _RESTORED)
    say(f"{folder.restored / _RESTORED}: {'equal, byte for byte' if equal else 'DIFFERS FROM ITS SOURCE'}")
    return equal


def _equal(source: Path, restored: Path) -> bool:
    """Whether two files, or two folders of files, have the same names and bytes."""
    if not source.is_dir():
        return restored.is_file() and filecmp.cmp(source, restored, shallow=False)
    names = sorted(os.listdir(source))
    if not restored.is_dir() or sorted(os.listdir(restored)) != names:
        return False
    return all(filecmp.cmp(source / name, restored / name, shallow=False) for name in names)


def _show_next_steps(folder: _Folder, places: _Places, results: Sequence[JobResult]) -> None:
    copy = next(result.copy_id for result in results if result.image == "programs.tar")
    password, catalog = str(folder.password), ["--catalog", folder.catalog_url]
    tap = str(folder.root / "tape.tap")
    tape = f"virtual:{folder.cartridge}"
    appliance, tape_server = (_listen(place.url) for place in (places.unit, places.drive))
    say()
    say("Go on by hand. The hosts, each in a terminal of its own:")
    _show(["ndmpdup", "serve", "--listen", appliance, *folder.appliance_options])
    _show(["ndmpdup", "serve", "--listen", tape_server, *folder.tape_server_options])
    say("and then:")
    _show(["ndmpdup", "probe", str(places.drive.url), "--password-file", password])
    _show(["ndmpdup", "images", str(places.unit.url), "--password-file", password])
    _show(["ndmpdup", "copies", *catalog])
    _show(["ndmpdup", "jobs", "1", *catalog])
    _show(["ndmpdup", "verify", str(copy), "--password-file", password, *catalog])
    back = str(folder.root / "back")
    _show(["ndmpdup", "restore", str(copy), "--to", back, "--from-password-file", password, *catalog])
    say("The tape needs no product of ours to be read: block bytes lie in one file, one after the other.")
    _show(["ndmpdup", "tape", tape, "map"])
    _show(["ndmpdup", "tape", tape, "export", tap])
    labels = _bytes_before_data(folder.cartridge)
    _show(["tail", "-c", f"+{labels + 1}", f"{folder.cartridge}.data"], "| tar tvf - | head")


def _show(words: Sequence[str], rest: str = "") -> None:
    say(f"  {plain(shlex.join(words))} {rest}".rstrip())


def _listen(url: NdmpUrl) -> str:
    return str(HostPort(url.host, url.port))


def _bytes_before_data(cartridge: Path) -> int:
    """Bytes of the first label group: the data of the first tape file follows them."""
    first = read_map(cartridge).stretches[0]
    return first.run.count * first.run.block_bytes
