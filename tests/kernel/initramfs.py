"""A first root file system for a guest: busybox, the modules it needs, and a script that shows it the host's files."""

from __future__ import annotations

import lzma
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.peers.requirements import require_peer

__all__ = ["build_initramfs", "module_order"]

MODULES: Final = ("virtio_pci", "virtio_scsi", "9p", "9pnet_virtio", "overlay", "st", "sg", "ch")
INIT: Final = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read -r module parameters; do insmod /modules/$module.ko $parameters; done < /modules/order
share=trans=virtio,version=9p2000.L,msize=262144,access=any
mount -t 9p -o $share,ro,cache=loose host /lower
mount -t tmpfs tmpfs /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /guest
mkdir -p /guest/job
mount -t 9p -o $share,cache=none job /guest/job
mount --move /proc /guest/proc; mount --move /sys /guest/sys; mount --move /dev /guest/dev
ip link set lo up
chroot /guest /bin/sh /job/command > /guest/job/stdout 2> /guest/job/stderr < /guest/dev/null
echo $? > /guest/job/status
sync
poweroff -f
"""
"""Runs the job's command with the host's files below a layer in memory: what it writes is gone with the guest."""


def build_initramfs(modules: Path, busybox: Path, target: Path, *, more: Mapping[str, str]) -> None:
    """Make the archive at ``target``, not compressed, from a folder of modules; ``more`` of them with parameters."""
    root = target.with_suffix(".d")
    for folder in ("bin", "proc", "sys", "dev", "lower", "upper", "guest", "modules"):
        (root / folder).mkdir(parents=True)
    (root / "bin" / "busybox").write_bytes(busybox.read_bytes())
    (root / "init").write_text(INIT)
    for program in (root / "bin" / "busybox", root / "init"):
        program.chmod(0o755)
    with (root / "modules" / "order").open("w") as order:
        for module in module_order(modules, [*MODULES, *more]):
            name = _name(module)
            (root / "modules" / f"{name}.ko").write_bytes(_content(module))
            order.write(f"{name} {more.get(name, '')}\n")
    with target.open("wb") as archive:
        names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        command = [require_peer("cpio"), "--quiet", "-o", "-H", "newc"]
        subprocess.run(command, cwd=root, input=names.encode(), stdout=archive, check=True, timeout=60)


def module_order(modules: Path, wanted: Iterable[str]) -> Iterator[Path]:
    """The files of these modules and of all that they need, in the order to load them."""
    files = {_name(path): path for path in modules.rglob("*.ko.xz")}
    done: set[str] = set()

    def load(name: str) -> Iterator[Path]:
        if name in done or name not in files:  # what is no file is built into the kernel
            return
        done.add(name)
        for needed in _needed(files[name]):
            yield from load(needed)
        yield files[name]

    for name in wanted:
        yield from load(name.replace("-", "_"))


def _name(module: Path) -> str:
    return module.name.removesuffix(".ko.xz").replace("-", "_")


def _content(module: Path) -> bytes:
    return lzma.decompress(module.read_bytes())


def _needed(module: Path) -> list[str]:
    """What a module says in its own section about others."""
    content = _content(module)
    start = content.index(b"\0depends=") + len(b"\0depends=")
    names = content[start : content.index(b"\0", start)].decode()
    return [name.replace("-", "_") for name in names.split(",") if name]
