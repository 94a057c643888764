"""Configurations for tests, and how a test reads them."""

from __future__ import annotations

from pathlib import Path

from duplicator.config import Config, ConfigError, load

__all__ = ["SMALL", "WHOLE", "config_of", "problems_of", "write"]

SMALL = """\
[hosts.appliance]
address = "10.1.0.1"
user = "backup"
[hosts.tapehost]
address = "10.2.0.1"
user = "operator"
[storage.disk.unit1]
host = "appliance"
[drives.d1]
host = "tapehost"
device = "/dev/nst0"
[pools.daily]
[storage.tape.lto]
drives = ["d1"]
pool = "daily"
[policies.nightly]
from = "unit1"
to = "lto"
"""
WHOLE = """\
[catalog]
url = "postgresql+psycopg://ndmpdup@db/catalog"
[tls]
ca = "ca.pem"
required = true
[agents.control1]
hosts = ["tapehost"]
reach = ["10.2.0.0/16", "tapehost"]
[agents.control2]
hosts = ["appliance"]
command = ["ssh", "control2", "ndmpdup", "agent"]
[agents.control2.credentials.tapehost]
user = "two"
password_file = "/etc/two"
[hosts.appliance]
address = "Appliance.Example"
port = 10001
tls = true
user = "backup"
password_file = "appliance.pw"
roles = ["file-service", "data-server"]
[hosts.service]
address = "10.1.0.2"
storage_server = "appliance"
[hosts.tapehost]
address = "2001:db8::0:1"
user = "operator"
roles = "tape-server"
[libraries.big]
host = "tapehost"
changer = "/dev/sg3"
drives = { d1 = 0, d2 = 1 }
[drives.d1]
host = "tapehost"
device = "/dev/nst0"
media = ["L7", "L8"]
[drives.d2]
host = "tapehost"
device = "/dev/nst1"
library = "big"
[storage.disk.unit1]
host = "appliance"
unit = "LSU_1"
path = "/mnt/unit1"
file_service = "service"
[storage.tape.lto]
library = "big"
pool = "daily"
record_size = "256K"
max_jobs = 1
[pools.free]
scratch = true
[pools.daily]
media = ["L8"]
scratch = "free"
retention = "30d"
prefix = "DA"
[policies.nightly]
from = "unit1"
to = ["lto"]
images = ["mail-*", "*.tar"]
validation = "labels"
digest = "sha256"
copies = 2
priority = -3
retention = "2w"
retries = 0
back_off = 90
routes = ["traditional", "direct"]
record_size = 65536
agents = ["control1", "control2"]
deadlines = { mount = "10m", stall = 2.5 }
[xbsa]
unit = "unit1"
tape = "lto"
folder = "sockets"
users = ["one", "two"]
idle = "5m"
start = 30
"""


def write(folder: Path, text: str) -> Path:
    """The text as a file."""
    path = folder / "ndmpdup.toml"
    path.write_text(text)
    return path


def config_of(folder: Path, text: str) -> Config:
    """A configuration that has to be correct."""
    return load(write(folder, text))


def problems_of(folder: Path, text: str) -> list[str]:
    """What is wrong with a configuration, each as LINE:COLUMN: WHAT; HINT."""
    path = write(folder, text)
    try:
        load(path)
    except ConfigError as error:
        return [str(problem).removeprefix(f"{path}:") for problem in error.problems]
    return []
