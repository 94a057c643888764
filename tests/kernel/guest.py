"""A guest with a kernel of its own, in an emulator: real st, sg and ch drivers on devices that are iSCSI units."""

from __future__ import annotations

import compileall
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.kernel.initramfs import build_initramfs
from tests.peers.namespace import Namespace
from tests.peers.requirements import lacking, require_peer

__all__ = ["Guest", "Outcome", "kernel_folder"]

ROOT: Final = Path(__file__).parents[2]
MEMORY_MIB: Final = 1024


@dataclass(frozen=True)
class Outcome:
    """What the command in the guest came to."""

    status: int
    stdout: str
    stderr: str
    console: str


def kernel_folder() -> Path:
    """Where a kernel and its modules are, by the variable NDMPDUP_KERNEL; skips, or fails, without one."""
    folder = os.environ.get("NDMPDUP_KERNEL", "")
    if not folder or not Path(folder, "vmlinuz").exists():
        lacking("no kernel for the guest: .ci/kernel FOLDER makes one, and NDMPDUP_KERNEL names the folder")
    return Path(folder)


class Guest:
    """Boots once for each command.

    ``units`` are iSCSI URLs of what it shall have as SCSI devices, in order; ``modules`` are drivers that it shall have
    beside its usual ones, with their parameters.
    """

    def __init__(
        self, namespace: Namespace, folder: Path, units: Sequence[str] = (), *, modules: Mapping[str, str] | None = None
    ) -> None:
        self._namespace = namespace
        self._folder = folder
        self._units = units
        kernel = kernel_folder()
        self._image = kernel / "vmlinuz"
        self._initramfs = folder / "initramfs.cpio"
        for package in ("duplicator", "ndmp", "scsi", "tests"):
            # What an emulated processor need not do.
            compileall.compile_dir(ROOT / package, quiet=2)
        if not self._initramfs.exists():
            build_initramfs(kernel, Path(require_peer("busybox")), self._initramfs, more=modules or {})

    def run(self, command: Sequence[str], *, timeout: float = 110.0, env: Mapping[str, str] | None = None) -> Outcome:
        """Boot, run ``command`` in the project's folder as root, and power off."""
        job = self._folder / "job"
        job.mkdir(exist_ok=True)
        for stale in job.iterdir():
            stale.unlink()
        job.joinpath("command").write_text(_script(command, env or {}))
        console = self._folder / "console"
        with console.open("wb") as output:
            emulator = self._namespace.popen(self._emulator(job), stdout=output, stderr=subprocess.STDOUT)
            try:
                emulator.wait(timeout=timeout)
            except subprocess.TimeoutExpired as late:
                emulator.kill()
                emulator.wait()
                seen = console.read_text(errors="replace")
                raise TimeoutError(f"the guest ran over {timeout:g} s:\n{seen}") from late
        return _outcome(job, console.read_text(errors="replace"))

    def _emulator(self, job: Path) -> list[str]:
        disks = [word for number, url in enumerate(self._units) for word in _unit(number, url)]
        return [
            require_peer(f"qemu-system-{platform.machine()}"),
            *("-machine", "accel=tcg", "-cpu", "max", "-smp", "1", "-m", str(MEMORY_MIB)),
            *("-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-serial", "stdio"),
            *("-kernel", str(self._image), "-initrd", str(self._initramfs)),
            *("-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off"),
            *("-device", "virtio-scsi-pci,id=scsi0", *disks),
            *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
            *("-virtfs", f"local,path={job},mount_tag=job,security_model=none"),
        ]


def _unit(number: int, url: str) -> list[str]:
    return [
        *("-drive", f"file={url},if=none,id=unit{number},format=raw,cache=none"),
        *("-device", f"scsi-generic,drive=unit{number},bus=scsi0.0,scsi-id={number + 1}"),
    ]


def _script(command: Sequence[str], env: Mapping[str, str]) -> str:
    variables = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", **env}
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*exports, f"cd {shlex.quote(str(ROOT))}", f"exec {shlex.join(command)}", ""])


def _outcome(job: Path, console: str) -> Outcome:
    status = job / "status"
    if not status.exists():
        raise RuntimeError(f"the guest ended before its command did:\n{console}")
    stdout, stderr = (job.joinpath(name).read_text(errors="replace") for name in ("stdout", "stderr"))
    return Outcome(int(status.read_text()), stdout, stderr, console)
