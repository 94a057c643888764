"""What must be installed: a missing peer is a skip, or a failure where peers are required."""

from __future__ import annotations

import os
import shutil
from glob import glob
from typing import NoReturn

import pytest

__all__ = ["lacking", "require_peer"]

PACKAGES = {
    "busybox": "busybox-static",
    "cpio": "cpio",
    "cc": "gcc libc6-dev",
    "diff": "diffutils",
    "dumpcap": "tshark",
    "ip": "iproute2",
    "initdb": "postgresql",
    "mt": "mt-st",
    "mtx": "mtx",
    "ndmjob": "amanda-common",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "postgres": "postgresql",
    "psql": "postgresql",
    "qemu-system-x86_64": "qemu-system-x86 qemu-block-extra",
    "setpriv": "util-linux",
    "sg_decode_sense": "sg3-utils",
    "sg_inq": "sg3-utils",
    "sg_logs": "sg3-utils",
    "sg_read_attr": "sg3-utils",
    "sg_vpd": "sg3-utils",
    "tar": "tar",
    "tgtadm": "tgt",
    "tgtd": "tgt",
    "tgtimg": "tgt",
    "text2pcap": "tshark",
    "tshark": "tshark",
    "unshare": "util-linux",
}
"""Debian package of each program."""

SEARCH_PATH = os.pathsep.join(
    [
        os.environ.get("PATH", os.defpath),
        "/usr/sbin",
        "/sbin",
        "/usr/lib/amanda",
        # Debian keeps these programs by version; any will do.
        *sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True),
    ]
)


def require_peer(name: str) -> str:
    """Return the path of a program; skip the test (fail it with NDMPDUP_REQUIRE_PEERS=1) when it is missing."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        lacking(f"{name} is missing: apt-get install {PACKAGES[name]}")
    return path


def lacking(reason: str) -> NoReturn:
    """End the test because the machine lacks something."""
    if os.environ.get("NDMPDUP_REQUIRE_PEERS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
